//! Historical bugs of managers that are about connections: told by what the client sees. docs/historical-bugs.md has
//! the list; `cargo ci mutant-cores` puts each bug back into a copy of the code and demands that its story fails.
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

mod support;

use cgarbiter_dbus::{FrontEndConfig, Limits};
use rustix::thread::{Gid, Uid, set_thread_res_gid, set_thread_res_uid};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use support::client::{MANAGER, PATH};
use support::daemon::Daemon;
use support::{Client, Server};
use zbus::Connection;

const NAME: &str = "org.freedesktop.systemd1";
/// Requests of one user that may be open.
const OPEN_MAX: usize = 4;
/// Longer than any answer takes, and shorter than any client waits.
const PATIENCE: Duration = Duration::from_secs(5);

fn let_everybody_in(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("the owner may");
}

/// A connection, made by another user than root; none when we are not root.
fn stranger(socket: &Path) -> Option<Client> {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("\n*** SKIPPED: only root can be somebody else ***\n");
        return None;
    }
    let path = socket.to_owned();
    let somebody = std::thread::spawn(move || {
        // This thread alone.
        let (uid, gid) = (Uid::from_raw(65534), Gid::from_raw(65534));
        set_thread_res_gid(gid, gid, gid).expect("root may");
        set_thread_res_uid(uid, uid, uid).expect("root may");
        Client::mute(&path)
    });
    Some(somebody.join().expect("a connection"))
}

#[test]
fn podman_3523_a_stranger_is_told_so_and_not_cut_off() {
    let server = Server::start(FrontEndConfig::default());
    let_everybody_in(server.directory.path(), 0o755);
    let_everybody_in(&server.socket(), 0o666);
    let Some(mut client) = stranger(&server.socket()) else { return };
    client.say(b"\0AUTH EXTERNAL\r\n");
    assert_eq!(client.line(), "DATA");
    client.say(b"DATA\r\n");
    assert_eq!(client.line(), "REJECTED EXTERNAL");
}

#[test]
fn runc_3464_the_bus_is_read_on_when_somebody_has_asked_too_much() {
    let limits = Limits { requests_per_user: OPEN_MAX, ..Limits::default() };
    let server = Server::start(FrontEndConfig { limits, ..FrontEndConfig::default() });
    let Some(daemon) = Daemon::start(server.directory.path()) else { return };
    assert!(server.join(&daemon.address));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let bus = connect(&daemon).await;
        // These are held, as by a manager that has much to do.
        let open = async { futures_util::future::join_all((0..OPEN_MAX).map(|_| ask(&bus, "Reload"))).await };
        let others = async {
            for _ in 0..OPEN_MAX {
                server.request();
            }
            let other = connect(&daemon).await;
            let refusal = tokio::time::timeout(PATIENCE, ask(&other, "Reload")).await.expect("an answer in time");
            assert!(refusal.expect_err("a refusal").to_string().contains("LimitsExceeded"));
            server.release();
        };
        let (answers, ()) = tokio::join!(open, others);
        assert!(answers.iter().all(Result::is_ok), "who was there first is answered, too: {answers:?}");
    });
}

async fn connect(daemon: &Daemon) -> Connection {
    zbus::connection::Builder::address(daemon.address.as_str()).build().await.expect("a connection")
}

async fn ask(bus: &Connection, member: &str) -> zbus::Result<zbus::Message> {
    bus.call_method(Some(NAME), PATH, Some(MANAGER), member, &()).await
}
