//! Descriptors that come with messages to `$NOTIFY_SOCKET`, and that a process finds again.

use crate::world::{World, cgroup};
use cgarbiter_core::event::{ExitStatus, Handed};
use cgarbiter_core::plan::{Pin, Spawn};
use cgarbiter_core::{Event, Op, Outcome};
use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};
use std::io::{IoSlice, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;

/// Sends descriptors as a service does, and hears of them.
fn handed(world: &mut World, socket: &Path, descriptors: &[BorrowedFd<'_>]) -> Vec<Handed> {
    let sender = UnixDatagram::unbound().expect("made");
    let raw: Vec<_> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let (to, text) = (UnixAddr::new(socket).expect("a path"), [IoSlice::new(b"FDSTORE=1")]);
    let control = [ControlMessage::ScmRights(&raw)];
    sendmsg(sender.as_raw_fd(), &text, &control, MsgFlags::empty(), Some(&to)).expect("sent");
    let is_message = |event: &Event| matches!(event, Event::Notified { .. });
    let seen = world.until("a message", |_, seen| seen.iter().any(is_message));
    match seen.into_iter().find(is_message) {
        Some(Event::Notified { descriptors, pid, .. }) if pid == std::process::id() => descriptors,
        other => panic!("{other:?}"),
    }
}

/// What a script sees that finds these.
fn found(world: &mut World, stored: &[(Pin, &str)], script: &str) -> String {
    let file = world.files.path().join("out");
    let script = format!("{{ {script}; }} > {}", file.display());
    let stored = stored.iter().map(|(pin, name)| (pin.0, (*name).to_owned())).collect();
    let command = Spawn { stored, no_env_expand: true, ..Spawn::new("/bin/sh", ["sh", "-c", &script]) };
    let pid = match world.run([Op::Spawn { cgroup: cgroup("s"), command: Box::new(command) }])[..] {
        [Outcome::Spawned { pid }] => pid,
        ref other => panic!("{other:?}"),
    };
    assert_eq!(world.exit_of(pid), ExitStatus::Code(0));
    std::fs::read_to_string(file).expect("written")
}

#[test]
fn what_was_kept_is_found_by_the_next_process_and_closed_in_the_end() {
    let Some(mut world) = World::new() else { return };
    world.mkdir(&["s"]);
    let socket = world.files.path().join("notify");
    world.executor.listen_notify(&socket).expect("bound");
    let (ours, mut theirs) = UnixStream::pair().expect("made");
    let file = tempfile::tempfile().expect("made");
    let (gone, other_end) = UnixStream::pair().expect("made");
    assert_eq!(found(&mut world, &[], "echo ${LISTEN_FDS-none}"), "none\n");
    let first = handed(&mut world, &socket, &[ours.as_fd(), file.as_fd(), gone.as_fd()]);
    drop((ours, gone));
    let again = handed(&mut world, &socket, &[file.as_fd()]);
    let [of_socket, of_file, of_gone] = [first[0].pin, first[1].pin, first[2].pin];
    assert!(first.iter().all(|handed| handed.same.is_empty()));
    assert_eq!(again[0].same, [of_file]);
    world.executor.release(&[again[0].pin]);
    assert_eq!(world.executor.pin_count(), 3);
    theirs.write_all(b"hello\n").expect("sent");
    let script = "read text <&3; echo $text; test -e /proc/self/fd/5 || echo no more; \
        test $LISTEN_PID = $$ && echo $LISTEN_FDS $LISTEN_FDNAMES";
    let unknown = Pin(Pin::OTHER | 12345);
    let stored = [(of_socket, "a b"), (unknown, "gone"), (of_file, "c")];
    assert_eq!(found(&mut world, &stored, script), "hello\nno more\n2 a b:c\n");
    // A file has no other end.
    drop(other_end);
    let seen = world.until("the end of the other end", |_, seen| seen.contains(&Event::HungUp(of_gone)));
    assert_eq!(seen.len(), 1);
    world.executor.release(&[of_socket, of_file, of_gone]);
    assert_eq!((theirs.read(&mut [0]).expect("the end"), world.executor.pin_count()), (0, 0));
}

#[test]
fn as_many_as_go_at_once_are_found() {
    let Some(mut world) = World::new() else { return };
    world.mkdir(&["s"]);
    let socket = world.files.path().join("notify");
    world.executor.listen_notify(&socket).expect("bound");
    let files: Vec<_> = (0..224).map(|_| tempfile::tempfile().expect("made")).collect();
    let descriptors: Vec<_> = files.iter().map(AsFd::as_fd).collect();
    let held = handed(&mut world, &socket, &descriptors);
    let stored: Vec<_> = held.iter().map(|handed| (handed.pin, "x")).collect();
    let script = "test -e /proc/$$/fd/226 && echo all $LISTEN_FDS";
    assert_eq!(found(&mut world, &stored, script), "all 224\n");
}
