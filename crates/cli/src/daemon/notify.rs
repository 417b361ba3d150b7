//! Readiness, told to whoever supervises us: by `NOTIFY_SOCKET` (sd_notify) or a line on a descriptor (s6, dinit).

use std::io::Write;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// How long is waited for somebody who does not read what he is told.
const PATIENCE: Duration = Duration::from_millis(100);

/// Tells that we are ready.
pub(super) fn ready(descriptor: Option<i32>) {
    send("READY=1\nSTATUS=Serving org.freedesktop.systemd1.");
    if let Some(descriptor) = descriptor {
        let path = format!("/proc/self/fd/{descriptor}");
        // Anew, so that a full pipe keeps nobody waiting, and whoever else writes there is not concerned.
        let pipe = std::fs::OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(path);
        match pipe.and_then(|mut pipe| pipe.write_all(b"\n")) {
            Ok(()) => {}
            Err(error) => tracing::warn!("cannot tell descriptor {descriptor} that we are ready: {error}"),
        }
        let _ = nix::unistd::close(descriptor);
    }
}

/// Tells that we are going.
pub(super) fn stopping() {
    send("STOPPING=1");
}

fn send(text: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let path = path.to_string_lossy().into_owned();
    if let Err(error) = send_to(&path, text) {
        tracing::warn!("cannot notify {path}: {error}");
    }
}

/// Somebody who does not read keeps nobody waiting for long.
fn send_to(path: &str, text: &str) -> std::io::Result<()> {
    let address = match path.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(path),
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.send_to_addr(text.as_bytes(), &address?).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    #[test]
    fn who_does_not_read_is_not_waited_for() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("notify");
        let supervisor = UnixDatagram::bind(&path).expect("bound");
        let path = path.to_str().expect("text");
        // More than any queue holds.
        let failed = (0..100_000).find_map(|_| send_to(path, "READY=1").err()).expect("it is full");
        assert_eq!(failed.kind(), ErrorKind::WouldBlock);
        let mut text = [0; 8];
        assert_eq!(supervisor.recv(&mut text).expect("sent"), 7);
        send_to(path, "READY=1").expect("there is room again");
        assert_eq!(send_to("/nonexistent/socket", "").expect_err("nobody is there").kind(), ErrorKind::NotFound);
    }
}
