//! Peer-to-peer connections, byte by byte: every dialect of the greeting, every way to misbehave.

mod support;

use cgarbiter_core::effect::Audience;
use cgarbiter_core::request::Request;
use cgarbiter_dbus::{FrontEndConfig, Limits};
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;
use support::client::{PATH, call, call_without_reply, manager, start_transient};
use support::server::Seen;
use support::{Client, Server};
use zbus::message::{Message, Type};

fn server() -> Server {
    Server::start(FrontEndConfig::default())
}

fn server_with(limits: Limits) -> Server {
    Server::start(FrontEndConfig { limits, ..FrontEndConfig::default() })
}

fn unit_by_pid() -> Message {
    call("GetUnitByPID", &(1u32,))
}

fn own_uid_hex() -> String {
    nix::unistd::geteuid().to_string().bytes().map(|digit| format!("{digit:02x}")).collect()
}

/// Whether the connection works.
fn assert_serves(client: &mut Client) {
    let message = unit_by_pid();
    let answer = client.call(&message);
    assert_eq!(answer.message_type(), Type::MethodReturn);
    assert_eq!(answer.header().reply_serial(), Some(message.primary_header().serial_num()));
}

#[test]
fn sd_bus_sends_everything_at_once_with_its_first_message() {
    let server = server();
    let mut client = Client::mute(&server.socket());
    let mut bytes = b"\0AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n".to_vec();
    bytes.extend_from_slice(unit_by_pid().data().bytes());
    client.say(&bytes);
    assert_eq!(client.line(), "DATA");
    let ok = client.line();
    assert!(ok.starts_with("OK ") && ok.len() == 3 + 32 && ok[3..].bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(client.line(), "AGREE_UNIX_FD");
    assert_eq!(client.receive().message_type(), Type::MethodReturn);
}

#[test]
fn godbus_asks_for_the_mechanisms_first() {
    let server = server();
    let mut client = Client::mute(&server.socket());
    for (said, heard) in [
        ("\0", None),
        ("AUTH\r\n", Some("REJECTED EXTERNAL")),
        ("AUTH EXTERNAL\r\n", Some("DATA")),
        ("DATA\r\n", Some("OK ")),
        ("NEGOTIATE_UNIX_FD\r\n", Some("AGREE_UNIX_FD")),
        ("BEGIN\r\n", None),
    ] {
        client.say(said.as_bytes());
        assert!(heard.is_none_or(|heard| client.line().starts_with(heard)), "{said:?}");
    }
    assert_serves(&mut client);
}

#[test]
fn youki_and_libdbus_say_who_they_are() {
    let server = server();
    for negotiate in [false, true] {
        let mut client = Client::mute(&server.socket());
        client.say(format!("\0AUTH EXTERNAL {}\r\n", own_uid_hex()).as_bytes());
        assert!(client.line().starts_with("OK "));
        if negotiate {
            client.say(b"NEGOTIATE_UNIX_FD\r\n");
            assert_eq!(client.line(), "AGREE_UNIX_FD");
        }
        client.say(b"BEGIN\r\n");
        assert_serves(&mut client);
    }
}

#[test]
fn another_identity_and_other_mechanisms_are_rejected_but_may_try_again() {
    let server = server();
    let mut client = Client::mute(&server.socket());
    client.say(b"\0AUTH EXTERNAL 3939393939\r\n");
    assert_eq!(client.line(), "REJECTED EXTERNAL");
    client.say(b"AUTH DBUS_COOKIE_SHA1 30\r\n");
    assert_eq!(client.line(), "REJECTED EXTERNAL");
    client.say(b"AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n");
    assert_eq!(client.line(), "DATA");
    assert!(client.line().starts_with("OK "));
    assert_serves(&mut client);
}

#[test]
fn the_greeting_must_end_in_time() {
    let server = server_with(Limits { greeting: Duration::from_millis(100), ..Limits::default() });
    let mut silent = Client::mute(&server.socket());
    let mut talking = Client::connect(&server.socket());
    assert!(silent.is_closed());
    assert_serves(&mut talking);
}

#[test]
fn answers_carry_our_name_whatever_the_destination() {
    let server = server();
    let mut client = Client::connect(&server.socket());
    for destination in [None, Some("org.freedesktop.systemd1"), Some("org.example.Other"), Some(":1.7")] {
        let mut call = Message::method_call(PATH, "GetUnitByPID").interface("org.freedesktop.systemd1.Manager");
        if let Some(name) = destination {
            call = call.destination(name);
        }
        // The test's client insists on the sender's name.
        let answer = client.call(&call.build(&(1u32,)).expect("a message"));
        assert_eq!(answer.message_type(), Type::MethodReturn, "{destination:?}");
    }
}

#[test]
fn no_reply_is_honoured_and_errors_come_by_name() {
    let server = server();
    let mut client = Client::connect(&server.socket());
    client.send(&call_without_reply("UnrefUnit", &("a.scope",)));
    client.send(&call_without_reply("NoSuchMethod", &()));
    let kill = call("KillUnit", &("a.scope", "all", 9i32));
    let answer = client.call(&kill);
    assert_eq!(answer.header().reply_serial(), Some(kill.primary_header().serial_num()));
    assert_eq!(answer.header().error_name().map(|name| name.as_str()), Some("org.freedesktop.systemd1.NoSuchUnit"));
    assert_eq!(answer.body().deserialize::<&str>().expect("a text"), "Unit x.scope not loaded.");
    let unknown = client.call(&call("NoSuchMethod", &()));
    let name = unknown.header().error_name().map(|name| name.to_string());
    assert_eq!(name.as_deref(), Some("org.freedesktop.DBus.Error.UnknownMethod"));
    let misfit = client.call(&call("KillUnit", &("a.scope", 9i32)));
    let name = misfit.header().error_name().map(|name| name.to_string());
    assert_eq!(name.as_deref(), Some("org.freedesktop.DBus.Error.InvalidArgs"));
}

#[test]
fn calls_meant_for_a_bus_are_answered() {
    let server = server();
    let mut client = Client::connect(&server.socket());
    let mut ask = |member: &str, name: &str| {
        let call = Message::method_call("/org/freedesktop/DBus", member)
            .interface("org.freedesktop.DBus")
            .destination("org.freedesktop.DBus");
        let call = if name.is_empty() { call.build(&()) } else { call.build(&(name,)) };
        client.call(&call.expect("a message"))
    };
    assert_eq!(ask("AddMatch", "type='signal'").message_type(), Type::MethodReturn);
    assert_eq!(ask("RemoveMatch", "type='signal'").message_type(), Type::MethodReturn);
    assert!(ask("Hello", "").body().deserialize::<&str>().expect("a name").starts_with(":1."));
    let owner = ask("GetNameOwner", "org.freedesktop.systemd1");
    assert_eq!(owner.body().deserialize::<&str>().expect("a name"), "org.freedesktop.systemd1");
    assert!(ask("NameHasOwner", "org.freedesktop.systemd1").body().deserialize::<bool>().expect("a flag"));
    assert_eq!(ask("GetNameOwner", "org.example.Nobody").message_type(), Type::Error);
    assert_eq!(ask("Frobnicate", "").message_type(), Type::Error);
}

#[test]
fn any_object_answers_as_a_peer() {
    let server = server();
    let mut client = Client::connect(&server.socket());
    let mut ask = |path: &'static str, member: &'static str| {
        let call = Message::method_call(path, member).interface("org.freedesktop.DBus.Peer");
        client.call(&call.build(&()).expect("a message"))
    };
    assert_eq!(ask("/", "Ping").message_type(), Type::MethodReturn);
    assert_eq!(ask("/any/where", "Ping").message_type(), Type::MethodReturn);
    let id = ask(PATH, "GetMachineId");
    if id.message_type() == Type::MethodReturn {
        assert_eq!(id.body().deserialize::<&str>().expect("an id").len(), 32);
    }
    assert_eq!(ask("/", "Pong").message_type(), Type::Error);
}

#[test]
fn our_own_interface_plans() {
    let server = server();
    let mut client = Client::connect(&server.socket());
    let call = Message::method_call("/org/cgarbiter1", "PlanUnitJob").interface("org.cgarbiter1.Manager");
    let answer = client.call(&call.build(&("a.slice", "stop", "replace")).expect("a message"));
    let steps: Vec<(String, String, String)> = answer.body().deserialize().expect("rows");
    assert_eq!(steps[0].2, "mkdir x");
    let Seen::Asked { request: Request::Plan(inner), .. } = server.request() else { panic!("no plan") };
    assert!(matches!(*inner, Request::EnqueueJob { .. }));
    let call = Message::method_call("/org/cgarbiter1", "Introspect").interface("org.freedesktop.DBus.Introspectable");
    let answer = client.call(&call.build(&()).expect("a message"));
    assert!(answer.body().deserialize::<&str>().expect("a text").contains("PlanTransientUnit"));
}

#[test]
fn the_caller_is_who_the_kernel_says() {
    let server = server();
    let mut client = Client::connect(&server.socket());
    client.send(&call("RefUnit", &("a.scope",)));
    let Seen::Asked { uid, pid, name, .. } = server.request() else { unreachable!() };
    assert_eq!((uid, pid, name), (nix::unistd::geteuid().as_raw(), Some(std::process::id()), None));
}

#[test]
fn half_messages_are_put_together() {
    let server = server();
    let mut client = Client::connect(&server.socket());
    let message = start_transient("a.scope");
    for byte in message.data().bytes() {
        client.say(&[*byte]);
    }
    assert_eq!(client.receive().message_type(), Type::MethodReturn);
    let Seen::Asked { request: Request::StartTransient { name, properties, .. }, .. } = server.request() else {
        panic!("not what was sent")
    };
    assert_eq!((name.as_str(), properties.len()), ("a.scope", 8));
}

#[test]
fn whoever_sends_garbage_is_disconnected_alone() {
    let server = server();
    let mut good = Client::connect(&server.socket());
    let mut truncated_body = unit_by_pid().data().bytes().to_vec();
    truncated_body[4] = 2;
    truncated_body.truncate(truncated_body.len() - 2);
    // The first body byte of a string argument claims more than there is.
    let mut long_string = call("GetUnit", &("a.scope",)).data().bytes().to_vec();
    let at = long_string.len() - 12;
    long_string[at] = 0xff;
    let mut bad_version = unit_by_pid().data().bytes().to_vec();
    bad_version[3] = 9;
    for garbage in
        [b"GET / HTTP/1.1\r\n\r\n".to_vec(), vec![0xff; 64], vec![0; 64], truncated_body, long_string, bad_version]
    {
        let mut bad = Client::connect(&server.socket());
        bad.say(&garbage);
        assert!(bad.is_closed(), "{garbage:?}");
        assert_serves(&mut good);
    }
    let mut early = Client::mute(&server.socket());
    early.say(b"HELLO\r\n");
    assert!(early.is_closed());
    assert_serves(&mut good);
}

#[test]
fn oversized_messages_are_refused_before_they_are_read() {
    let server = server_with(Limits { message_bytes: 10_000, ..Limits::default() });
    let mut good = Client::connect(&server.socket());
    let mut bad = Client::connect(&server.socket());
    let long = call("GetUnit", &("x".repeat(20_000),));
    bad.say(&long.data().bytes()[..16]);
    assert!(bad.is_closed());
    assert_serves(&mut good);
}

#[test]
fn a_large_message_within_bounds_passes() {
    let server = server();
    let mut client = Client::connect(&server.socket());
    let names: Vec<String> = (0..20_000).map(|number| format!("unit-{number}.scope")).collect();
    client.send(&call("ListUnitsByNames", &(names,)));
    let Seen::Asked { request: Request::ListUnitsByNames { names }, .. } = server.request() else {
        panic!("not what was sent")
    };
    assert_eq!(names.len(), 20_000);
}

#[test]
fn a_client_that_leaves_is_reported_after_its_last_request() {
    let server = server();
    let mut client = Client::connect(&server.socket());
    client.send(&call_without_reply("UnrefUnit", &("a.scope",)));
    drop(client);
    let connected = server.wait(|seen| if let Seen::Connected(id) = seen { Some(*id) } else { None });
    let Seen::Asked { client, request: Request::Unref { .. }, .. } = server.request() else { panic!("no request") };
    assert_eq!(client, connected);
    assert_eq!(server.wait(|seen| if let Seen::Gone(id) = seen { Some(*id) } else { None }), connected);
}

#[test]
fn the_reply_comes_before_the_signals() {
    let server = server();
    let mut client = Client::connect(&server.socket());
    let mut other = Client::connect(&server.socket());
    for number in 1..=100u32 {
        client.send(&start_transient(&format!("unit-{number}.scope")));
    }
    for number in 1..=100u32 {
        let reply = client.receive();
        let path: zbus::OwnedObjectPath = reply.body().deserialize().expect("a path");
        assert_eq!(path.as_str(), format!("/org/freedesktop/systemd1/job/{number}"));
        for receiver in [&mut client, &mut other] {
            let new = receiver.receive();
            assert_eq!(member(&new).as_deref(), Some("UnitNew"));
            let removed = receiver.receive();
            assert_eq!(member(&removed).as_deref(), Some("JobRemoved"));
            let body = removed.body();
            let (id, _, unit, result): (u32, zbus::ObjectPath<'_>, &str, &str) = body.deserialize().expect("a body");
            assert_eq!((id, unit, result), (number, &*format!("unit-{number}.scope"), "done"));
        }
    }
}

fn member(message: &Message) -> Option<String> {
    message.header().member().map(|member| member.to_string())
}

#[test]
fn a_reader_that_is_slow_loses_nothing() {
    let server = server();
    let mut client = Client::connect(&server.socket());
    assert_serves(&mut client);
    const COUNT: u32 = 20_000;
    server.signals(COUNT, Audience::All);
    std::thread::sleep(Duration::from_millis(100));
    for id in 1..=COUNT {
        let signal = client.receive();
        let (seen, ..): (u32, zbus::OwnedObjectPath, String, String) = signal.body().deserialize().expect("a body");
        assert_eq!(seen, id);
    }
    assert_serves(&mut client);
}

#[test]
fn who_does_not_read_is_disconnected_alone() {
    let limits = Limits { queue_bytes: 1 << 20, patience: Duration::from_millis(100), ..Limits::default() };
    let server = server_with(limits);
    let mut reader = Client::connect(&server.socket());
    let mut sleeper = Client::connect(&server.socket());
    assert_serves(&mut reader);
    for _ in 0..20 {
        server.signals(1000, Audience::Private);
        (0..1000).for_each(|_| assert_eq!(reader.receive().message_type(), Type::Signal));
        std::thread::sleep(Duration::from_millis(20));
    }
    server.wait(|seen| matches!(seen, Seen::Gone(_)).then_some(()));
    assert_serves(&mut reader);
    while sleeper.try_receive().is_some() {}
}

#[test]
fn who_reads_slowly_is_kept() {
    let limits = Limits { queue_bytes: 1 << 20, patience: Duration::from_secs(60), ..Limits::default() };
    let server = server_with(limits);
    let mut client = Client::connect(&server.socket());
    assert_serves(&mut client);
    // Twice the bound, of which the socket itself holds a part.
    server.signals(8000, Audience::Private);
    std::thread::sleep(Duration::from_millis(200));
    (0..8000).for_each(|_| assert_eq!(client.receive().message_type(), Type::Signal));
    assert_serves(&mut client);
}

#[test]
fn too_many_connections_are_turned_away() {
    let server = server_with(Limits { connections: 3, ..Limits::default() });
    let mut inside: Vec<_> = (0..3).map(|_| Client::connect(&server.socket())).collect();
    assert!(Client::mute(&server.socket()).is_closed());
    inside.iter_mut().for_each(assert_serves);
    inside.pop();
    server.wait(|seen| matches!(seen, Seen::Gone(_)).then_some(()));
    assert_serves(&mut Client::connect(&server.socket()));
}

#[test]
fn who_asks_too_much_waits_and_gets_every_answer() {
    let server = server_with(Limits { requests_per_user: 8, ..Limits::default() });
    let mut client = Client::connect(&server.socket());
    // These are held by the core; nothing behind them is read until somebody is answered.
    (0..8).for_each(|_| client.send(&call("Reload", &())));
    (0..8).for_each(|_| assert!(matches!(server.request(), Seen::Asked { request: Request::Reload, .. })));
    (0..100).for_each(|_| client.send(&unit_by_pid()));
    std::thread::sleep(Duration::from_millis(50));
    client.socket.set_nonblocking(true).expect("a mode");
    assert!(std::io::Read::read(&mut client.socket, &mut [0]).is_err(), "an answer came too early");
    client.socket.set_nonblocking(false).expect("a mode");
    server.release();
    (0..108).for_each(|_| assert_eq!(client.receive().message_type(), Type::MethodReturn));
}

#[test]
fn a_client_that_waits_and_leaves_is_still_heard_to_the_end() {
    let server = server_with(Limits { requests_per_user: 1, ..Limits::default() });
    let mut client = Client::connect(&server.socket());
    client.send(&call("Reload", &()));
    client.send(&call_without_reply("UnrefUnit", &("a.scope",)));
    drop(client);
    assert!(matches!(server.request(), Seen::Asked { request: Request::Reload, .. }));
    assert!(server.seen.recv_timeout(Duration::from_millis(50)).is_err(), "the second request came too early");
    server.release();
    assert!(matches!(server.request(), Seen::Asked { request: Request::Unref { .. }, .. }));
    server.wait(|seen| matches!(seen, Seen::Gone(_)).then_some(()));
}

#[test]
fn many_clients_at_once() {
    let server = server();
    let mut clients: Vec<_> = (0..200).map(|_| Client::connect(&server.socket())).collect();
    for _ in 0..5 {
        clients.iter_mut().for_each(|client| client.send(&unit_by_pid()));
        clients.iter_mut().for_each(|client| assert_eq!(client.receive().message_type(), Type::MethodReturn));
    }
}

#[test]
fn a_flood_does_not_hold_up_the_others() {
    let server = server();
    let mut quiet = Client::connect(&server.socket());
    let mut flooder = Client::connect(&server.socket());
    let mut writer = flooder.socket.try_clone().expect("a second handle");
    let flood = unit_by_pid().data().bytes().repeat(500);
    let flooding = std::thread::spawn(move || (0..40).for_each(|_| writer.write_all(&flood).expect("room")));
    let draining = std::thread::spawn(move || (0..20_000).for_each(|_| drop(flooder.receive())));
    let mut slowest = Duration::ZERO;
    for _ in 0..50 {
        let start = std::time::Instant::now();
        assert_serves(&mut quiet);
        slowest = slowest.max(start.elapsed());
    }
    // Very generous: machines that run tests are busy. What must not happen is waiting for the whole flood.
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    flooding.join().expect("sent");
    draining.join().expect("answered");
}

#[test]
fn descriptors_arrive_with_their_message() {
    let server = server();
    let mut client = Client::connect(&server.socket());
    let (mine, theirs) = std::os::unix::net::UnixStream::pair().expect("descriptors");
    // One without, two with, all in a row.
    client.send(&unit_by_pid());
    client.send_with(&with_descriptor(&theirs), &[theirs.as_raw_fd()]);
    client.send_with(&with_descriptor(&mine), &[mine.as_raw_fd()]);
    for pin in 1..=2 {
        let Seen::Asked { request: Request::UnitByPidFd { pin: Some(seen) }, .. } = server.request() else {
            panic!("not what was sent")
        };
        assert_eq!(seen.0, pin);
    }
    let _ = client.receive();
    let (_, _, id): (zbus::OwnedObjectPath, String, Vec<u8>) = client.receive().body().deserialize().expect("a body");
    assert_eq!(id, [7; 16]);
}

/// GetUnitByPIDFD. The descriptor in the body is an index on the wire; it travels beside.
fn with_descriptor(fd: &impl std::os::fd::AsFd) -> Message {
    manager("GetUnitByPIDFD")
        .build(&(zbus::Fd::from(fd.as_fd().try_clone_to_owned().expect("a copy")),))
        .expect("a message")
}

#[test]
fn descriptors_of_refused_requests_are_let_go() {
    let server = server();
    let mut client = Client::connect(&server.socket());
    let fd = zbus::Fd::from(std::fs::File::open("/dev/null").map(OwnedFd::from).expect("a descriptor"));
    let call = manager("GetUnitByPIDFD").build(&(fd, "one argument too many")).expect("a message");
    let null = std::fs::File::open("/dev/null").expect("a descriptor");
    client.send_with(&call, &[null.as_raw_fd()]);
    assert_eq!(client.receive().message_type(), Type::Error);
    server.wait(|seen| (*seen == Seen::Released(1)).then_some(()));
}

#[test]
fn descriptors_that_were_announced_must_come() {
    let server = server();
    let mut client = Client::connect(&server.socket());
    client.send(&with_descriptor(&std::fs::File::open("/dev/null").expect("a descriptor")));
    assert!(client.is_closed());
    // And none may pile up that nobody announced.
    let mut client = Client::connect(&server.socket());
    let (first, second) = nix::unistd::pipe().expect("descriptors");
    let fds = [first.as_raw_fd(), second.as_raw_fd()].repeat(100);
    let message = unit_by_pid();
    client.send_with(&message, &fds);
    let rights = [nix::sys::socket::ControlMessage::ScmRights(&fds)];
    let bytes = [std::io::IoSlice::new(message.data().bytes())];
    let _ = nix::sys::socket::sendmsg::<()>(
        client.socket.as_raw_fd(),
        &bytes,
        &rights,
        nix::sys::socket::MsgFlags::MSG_NOSIGNAL,
        None,
    );
    assert!(client.is_closed());
}

#[test]
fn one_user_cannot_park_descriptors_on_many_connections() {
    let server = server_with(Limits { descriptors_per_user: 300, ..Limits::default() });
    let null = std::fs::File::open("/dev/null").expect("a descriptor");
    let fds = [null.as_raw_fd()].repeat(200);
    let message = with_descriptor(&null);
    let half = &message.data().bytes()[..message.data().bytes().len() / 2];
    let park = |client: &Client| {
        let rights = [nix::sys::socket::ControlMessage::ScmRights(&fds)];
        let bytes = [std::io::IoSlice::new(half)];
        let flags = nix::sys::socket::MsgFlags::MSG_NOSIGNAL;
        let sent = nix::sys::socket::sendmsg::<()>(client.socket.as_raw_fd(), &bytes, &rights, flags, None);
        assert_eq!(sent, Ok(half.len()));
    };
    let first = Client::connect(&server.socket());
    park(&first);
    let mut bystander = Client::connect(&server.socket());
    assert_serves(&mut bystander);
    let mut second = Client::connect(&server.socket());
    park(&second);
    assert!(second.is_closed(), "together they have more than the user may have");
    // A bystander is served, and what the second had counts no more.
    assert_serves(&mut bystander);
    bystander.send_with(&message, &[null.as_raw_fd()]);
    assert_eq!(bystander.receive().message_type(), Type::MethodReturn);
    drop(first);
}
