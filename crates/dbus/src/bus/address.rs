//! Where a bus is, and how to get there.

use super::BusError;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect as connect_to, socket};
use std::env;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::str::FromStr;
use zbus::address::transport::{Transport, UnixSocket};

/// Connects to the first of the given addresses where somebody answers. `system` and `session` stand for what the
/// environment says, or the usual place.
pub(super) fn connect(address: &str) -> Result<UnixStream, BusError> {
    let list = resolve(address);
    let mut last = None;
    for one in list.split(';').filter(|one| !one.is_empty()) {
        match connect_one(one) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| unusable(address, "it is empty")))
}

fn resolve(address: &str) -> String {
    match address {
        "system" => env::var("DBUS_SYSTEM_BUS_ADDRESS").unwrap_or_else(|_| {
            "unix:path=/run/dbus/system_bus_socket;unix:path=/var/run/dbus/system_bus_socket".into()
        }),
        "session" => env::var("DBUS_SESSION_BUS_ADDRESS").unwrap_or_else(|_| {
            let uid = nix::unistd::getuid();
            let directory = env::var("XDG_RUNTIME_DIR").unwrap_or_else(|_| format!("/run/user/{uid}"));
            format!("unix:path={directory}/bus")
        }),
        other => other.to_owned(),
    }
}

fn connect_one(address: &str) -> Result<UnixStream, BusError> {
    let parsed = zbus::Address::from_str(address).map_err(|error| unusable(address, error))?;
    let Transport::Unix(unix) = parsed.transport() else {
        return Err(unusable(address, "only unix: addresses are supported"));
    };
    let place = match unix.path() {
        UnixSocket::File(path) => UnixAddr::new(path),
        UnixSocket::Abstract(name) => UnixAddr::new_abstract(name.as_bytes()),
        _ => return Err(unusable(address, "it says where to listen, not where to connect")),
    };
    let place = place.map_err(|error| unusable(address, error))?;
    // Not std's connect: that one would wait when the bus does not accept.
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let attempt = || {
        let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
        connect_to(socket.as_raw_fd(), &place)?;
        Ok(socket.into())
    };
    attempt().map_err(|errno: nix::Error| BusError::Unreachable { address: address.into(), reason: errno.to_string() })
}

fn unusable(address: &str, reason: impl ToString) -> BusError {
    BusError::Address { address: address.into(), reason: reason.to_string() }
}
