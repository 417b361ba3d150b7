//! Readiness, told to whoever supervises us: by `NOTIFY_SOCKET` (sd_notify) or a line on a descriptor (s6, dinit).

use std::io::Write;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Tells that we are ready.
pub(super) fn ready(descriptor: Option<i32>) {
    send("READY=1\nSTATUS=Serving org.freedesktop.systemd1.");
    if let Some(descriptor) = descriptor {
        match std::fs::OpenOptions::new().write(true).open(format!("/proc/self/fd/{descriptor}")) {
            Ok(mut pipe) => drop(pipe.write_all(b"\n")),
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
    let address = match path.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&path),
    };
    let sent = address.and_then(|address| UnixDatagram::unbound()?.send_to_addr(text.as_bytes(), &address));
    if let Err(error) = sent {
        tracing::warn!("cannot notify {path}: {error}");
    }
}
