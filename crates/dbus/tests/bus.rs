//! On a real message bus: name, callers, signals, and what happens when the bus goes away.
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

mod support;

use cgarbiter_core::effect::Audience;
use cgarbiter_core::request::Request;
use cgarbiter_dbus::FrontEndConfig;
use futures_util::StreamExt;
use std::process::Command;
use std::time::Duration;
use support::Server;
use support::client::{MANAGER, PATH};
use support::daemon::Daemon;
use support::server::Seen;
use zbus::{Connection, MessageStream};

const NAME: &str = "org.freedesktop.systemd1";

/// A server on a bus; none when there is no bus to be had.
fn on_bus() -> Option<(Server, Daemon)> {
    let server = Server::start(FrontEndConfig::default());
    let daemon = Daemon::start(server.directory.path())?;
    assert!(server.join(&daemon.address));
    Some((server, daemon))
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), test).await.expect("an end in time") })
}

async fn connect(daemon: &Daemon) -> Connection {
    zbus::connection::Builder::address(daemon.address.as_str()).build().await.expect("a connection")
}

async fn call<B: serde::Serialize + zbus::DynamicType>(bus: &Connection, member: &str, body: &B) -> zbus::Message {
    bus.call_method(Some(NAME), PATH, Some(MANAGER), member, body).await.expect("an answer")
}

#[test]
fn callers_are_who_the_bus_says_until_they_leave() {
    let Some((server, daemon)) = on_bus() else { return };
    run(async {
        let bus = connect(&daemon).await;
        let _: zbus::OwnedObjectPath = call(&bus, "GetUnitByPID", &(1u32,)).await.body().deserialize().expect("a path");
        let error = bus.call_method(Some(NAME), PATH, Some(MANAGER), "RefUnit", &("a.scope",)).await;
        assert!(error.expect_err("a refusal").to_string().contains("NoSuchUnit"));
        let Seen::Asked { client, uid, pid, name, .. } = server.request() else { unreachable!() };
        let own_name = bus.unique_name().map(|name| name.to_string());
        assert_eq!((uid, pid, name), (nix::unistd::geteuid().as_raw(), Some(std::process::id()), own_name));
        bus.close().await.expect("closed");
        assert_eq!(server.wait(|seen| if let Seen::Gone(id) = seen { Some(*id) } else { None }), client);
    });
}

#[test]
fn signals_reach_everybody_or_one() {
    let Some((server, daemon)) = on_bus() else { return };
    run(async {
        let caller = connect(&daemon).await;
        let listener = connect(&daemon).await;
        let rule = "type='signal',interface='org.freedesktop.systemd1.Manager',member='JobRemoved'";
        let mut heard = MessageStream::for_match_rule(rule, &listener, None).await.expect("a match");
        let mut own = MessageStream::for_match_rule(rule, &caller, None).await.expect("a match");
        let properties: Vec<(&str, zbus::Variant<'_>)> = vec![("Description", "x".into())];
        let auxiliary: Vec<(&str, Vec<(&str, zbus::Variant<'_>)>)> = Vec::new();
        let reply = call(&caller, "StartTransientUnit", &("a.scope", "fail", properties, auxiliary)).await;
        for stream in [&mut heard, &mut own] {
            let signal = stream.next().await.expect("a signal").expect("no error");
            let (id, _, unit, result): (u32, zbus::OwnedObjectPath, String, String) =
                signal.body().deserialize().expect("a body");
            assert_eq!((id, unit.as_str(), result.as_str()), (1, "a.scope", "done"));
        }
        let job: zbus::OwnedObjectPath = reply.body().deserialize().expect("a path");
        assert_eq!(job.as_str(), "/org/freedesktop/systemd1/job/1");
        // To one peer only; and what is for private connections does not reach the bus.
        let name = caller.unique_name().expect("a name").to_string();
        server.signals(1, Audience::Private);
        server.signals(2, Audience::Peer(name.into()));
        server.signals(3, Audience::All);
        let mut ids = Vec::new();
        for _ in 0..5 {
            let signal = own.next().await.expect("a signal").expect("no error");
            let (id, ..): (u32, zbus::OwnedObjectPath, String, String) = signal.body().deserialize().expect("a body");
            ids.push(id);
        }
        assert_eq!(ids, [1, 2, 1, 2, 3]);
        let signal = heard.next().await.expect("a signal").expect("no error");
        let (id, ..): (u32, zbus::OwnedObjectPath, String, String) = signal.body().deserialize().expect("a body");
        assert_eq!(id, 1);
        assert!(signal.header().destination().is_none());
    });
}

#[test]
fn descriptors_pass_the_bus() {
    let Some((server, daemon)) = on_bus() else { return };
    run(async {
        let bus = connect(&daemon).await;
        let fd =
            zbus::Fd::from(std::fs::File::open("/dev/null").map(std::os::fd::OwnedFd::from).expect("a descriptor"));
        let reply = call(&bus, "GetUnitByPIDFD", &(fd,)).await;
        let (_, _, id): (zbus::OwnedObjectPath, String, Vec<u8>) = reply.body().deserialize().expect("a body");
        assert_eq!(id, [7; 16]);
    });
    let Seen::Asked { request, .. } = server.request() else { unreachable!() };
    assert!(matches!(request, Request::UnitByPidFd { pin: Some(_) }));
}

#[test]
fn a_name_that_is_taken_is_said_so() {
    let Some((_server, daemon)) = on_bus() else { return };
    let late = Server::start(FrontEndConfig::default());
    assert!(!late.join(&daemon.address));
}

#[test]
fn a_bus_that_refuses_or_is_not_there_is_said_so() {
    let server = Server::start(FrontEndConfig::default());
    assert!(!server.join("unix:path=/nonexistent/bus"));
    assert!(!server.join("tcp:host=localhost,port=1"));
    assert!(!server.join("nonsense"));
    let Some(daemon) = Daemon::start_strict(server.directory.path()) else { return };
    assert!(!server.join(&daemon.address));
}

#[test]
fn when_the_bus_comes_back_so_do_we() {
    let Some((server, daemon)) = on_bus() else { return };
    assert_eq!(server.name_owned(NAME), Some(true));
    run(async {
        let bus = connect(&daemon).await;
        call(&bus, "GetUnitByPID", &(1u32,)).await;
    });
    daemon.stop();
    let (mut caller_gone, mut name_gone) = (false, false);
    while !(caller_gone && name_gone) {
        server.wait(|seen| {
            caller_gone |= matches!(seen, Seen::Gone(_));
            name_gone |= *seen == Seen::NameGone(NAME.into());
            Some(())
        });
    }
    assert_eq!(server.name_owned(NAME), None);
    // Private connections do not mind.
    let mut private = support::Client::connect(&server.socket());
    private.call(&support::client::call("GetUnitByPID", &(1u32,)));
    let daemon = Daemon::start(server.directory.path()).expect("it was there before");
    run(async {
        let bus = connect(&daemon).await;
        loop {
            let answer = bus.call_method(Some(NAME), PATH, Some(MANAGER), "GetUnitByPID", &(1u32,)).await;
            if answer.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
}

#[test]
fn names_are_looked_up_and_watched() {
    let Some((server, daemon)) = on_bus() else { return };
    run(async {
        let bus = connect(&daemon).await;
        let name = bus.unique_name().expect("a name").to_string();
        assert_eq!(server.name_owned(&name), Some(true));
        assert_eq!(server.name_owned("org.example.Nobody"), Some(false));
        bus.close().await.expect("closed");
        server.wait(|seen| (*seen == Seen::NameGone(name.clone())).then_some(()));
    });
}

#[test]
fn many_callers_at_once() {
    let Some((server, daemon)) = on_bus() else { return };
    run(async {
        let mut callers = Vec::new();
        for _ in 0..20 {
            callers.push(connect(&daemon).await);
        }
        let calls = callers.iter().flat_map(|bus| (0..10).map(move |_| call(bus, "GetUnitByPID", &(1u32,))));
        let calls: Vec<_> = calls.collect();
        for call in calls {
            call.await;
        }
    });
    drop(server);
}

#[test]
fn busctl_gets_along_with_us() {
    let Some((server, daemon)) = on_bus() else { return };
    let busctl = |where_to: &str, args: &[&str]| {
        let address = format!("--address={where_to}");
        let output = Command::new("busctl").arg(address).args(args).output();
        output.map(|output| (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.success()))
    };
    let call = ["call", NAME, PATH, MANAGER, "GetUnitByPID", "u", "1"];
    let Ok((text, worked)) = busctl(&daemon.address, &call) else {
        eprintln!("\n*** SKIPPED: there is no busctl on this machine ***\n");
        return;
    };
    assert!(worked && text.starts_with("o \"/org/freedesktop/systemd1/unit/libpod_2d"), "{text}");
    let list = ["call", NAME, PATH, MANAGER, "ListUnits"];
    let (text, worked) = busctl(&daemon.address, &list).expect("busctl");
    assert!(worked && text.starts_with("a(ssssssouso) 3 "), "{text}");
    assert!(text.contains("7 \"start\" \"/org/freedesktop/systemd1/job/7\""), "{text}");
    drop(server);
}
