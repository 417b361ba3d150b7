//! Finding a server of org.freedesktop.systemd1 and connecting to it, over its own socket or over a message bus.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream as StdStream};
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::timeout;
use zbus::Connection;
use zbus::connection::Builder;

use crate::args::client::Global;

use super::client::{DESTINATION, MANAGER, MANAGER_PATH};
use super::error::{Attempt, Error, Result, io_text};
use super::socket::ManagerSocket;

const HANDSHAKE: Duration = Duration::from_secs(5);
const SYSTEM_BUS: &str = "unix:path=/run/dbus/system_bus_socket";
const OWN_SOCKET: &str = "cgarbiter/systemd1.sock";
const SYSTEMD_SOCKET: &str = "systemd/private";

/// A connection, and whether a message bus is in between.
pub(super) struct Link {
    pub(super) connection: Connection,
    pub(super) bus: bool,
    pub(super) address: String,
}

#[derive(Debug, PartialEq, Eq)]
enum Target {
    /// The manager's own socket; it must belong to root or to us.
    Peer(PathBuf),
    /// A message bus.
    Bus(String),
    /// Either: it is tried out.
    Given(String),
}

/// Tries each place in turn; the error names all of them.
pub(super) async fn connect(global: &Global) -> Result<Link> {
    first_of(targets(global, variable)).await
}

/// Tries only the message bus, or what was given.
pub(super) async fn connect_to_bus(global: &Global) -> Result<Link> {
    let all = targets(global, variable);
    first_of(all.into_iter().filter(|target| !matches!(target, Target::Peer(_))).collect()).await
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

async fn first_of(targets: Vec<Target>) -> Result<Link> {
    let mut attempts = Vec::new();
    for target in targets {
        let (address, outcome) = match &target {
            Target::Peer(path) => (format!("unix:path={}", path.display()), own_socket(path).await),
            Target::Bus(address) => (address.clone(), bus_with_manager(address).await),
            Target::Given(address) => (address.clone(), either(address).await),
        };
        match outcome {
            Ok((connection, bus)) => return Ok(Link { connection, bus, address }),
            Err(reason) => attempts.push(Attempt { address, reason }),
        }
    }
    Err(Error::NoServer(attempts))
}

fn targets(global: &Global, variable: impl Fn(&str) -> Option<String>) -> Vec<Target> {
    if let Some(address) = &global.address {
        return vec![Target::Given(address.clone())];
    }
    let (base, bus) = if global.session {
        let runtime = variable("XDG_RUNTIME_DIR");
        let bus = variable("DBUS_SESSION_BUS_ADDRESS")
            .or_else(|| runtime.as_ref().map(|directory| format!("unix:path={directory}/bus")));
        (runtime, bus)
    } else {
        let bus = variable("DBUS_SYSTEM_BUS_ADDRESS").unwrap_or_else(|| SYSTEM_BUS.to_owned());
        (Some("/run".to_owned()), Some(bus))
    };
    let sockets = base.iter().flat_map(|base| [OWN_SOCKET, SYSTEMD_SOCKET].map(|name| PathBuf::from(base).join(name)));
    sockets.map(Target::Peer).chain(bus.map(Target::Bus)).collect()
}

type Outcome = std::result::Result<(Connection, bool), String>;

async fn own_socket(path: &PathBuf) -> Outcome {
    let stream = UnixStream::connect(path).await.map_err(|e| io_text(&e))?;
    let owner = stream.peer_cred().map_err(|e| io_text(&e))?.uid();
    if owner != 0 && owner != nix::unistd::geteuid().as_raw() {
        return Err(format!("served by user {owner}, which is neither root nor you"));
    }
    let connection = within_time(Builder::socket(ManagerSocket(stream)).p2p()).await.map_err(text_of)?;
    Ok((connection, false))
}

async fn bus_with_manager(address: &str) -> Outcome {
    let connection = within_time(builder(address)?).await.map_err(text_of)?;
    let call = connection.call_method(
        Some("org.freedesktop.DBus"),
        "/org/freedesktop/DBus",
        Some("org.freedesktop.DBus"),
        "NameHasOwner",
        &DESTINATION,
    );
    let owned = call.await.and_then(|reply| reply.body().deserialize::<bool>()).map_err(text_of)?;
    if !owned {
        return Err(format!("a message bus without {DESTINATION}"));
    }
    Ok((connection, true))
}

/// A manager's own socket answers at once; a message bus throws out whoever does not say Hello first.
async fn either(address: &str) -> Outcome {
    let connection = within_time(builder(address)?.p2p()).await.map_err(text_of)?;
    let version = connection.call_method(
        Some(DESTINATION),
        MANAGER_PATH,
        Some("org.freedesktop.DBus.Properties"),
        "Get",
        &(MANAGER, "Version"),
    );
    match timeout(HANDSHAKE, version).await {
        Ok(Ok(_)) => Ok((connection, false)),
        _ => bus_with_manager(address).await,
    }
}

/// Unix sockets go through our own stream, everything else is left to zbus.
fn builder(address: &str) -> std::result::Result<Builder<'static>, String> {
    match unix_address(address) {
        Some(unix) => {
            let stream = StdStream::connect_addr(&unix.map_err(|e| io_text(&e))?).map_err(|e| io_text(&e))?;
            stream.set_nonblocking(true).map_err(|e| io_text(&e))?;
            Ok(Builder::socket(ManagerSocket(UnixStream::from_std(stream).map_err(|e| io_text(&e))?)))
        }
        None => Ok(Builder::address(zbus::Address::try_from(address).map_err(text_of)?)),
    }
}

async fn within_time(builder: Builder<'static>) -> zbus::Result<Connection> {
    match timeout(HANDSHAKE, builder.build()).await {
        Ok(outcome) => outcome,
        Err(_) => Err(zbus::Error::Handshake(format!("no answer within {} s", HANDSHAKE.as_secs()))),
    }
}

/// `unix:path=…`, `unix:abstract=…` or a bare path; none for other transports.
fn unix_address(address: &str) -> Option<std::io::Result<SocketAddr>> {
    if address.starts_with('/') {
        return Some(SocketAddr::from_pathname(address));
    }
    let first = address.split(';').next().unwrap_or(address);
    first.strip_prefix("unix:")?.split(',').find_map(|pair| match pair.split_once('=')? {
        ("path", path) => Some(SocketAddr::from_pathname(unescape(path))),
        ("abstract", name) => Some(SocketAddr::from_abstract_name(unescape(name))),
        _ => None,
    })
}

/// `%2d` and the like in D-Bus addresses.
fn unescape(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend(&part.as_bytes()[2..]);
            }
            None => {
                bytes.push(b'%');
                bytes.extend(part.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn text_of(error: zbus::Error) -> String {
    match error {
        zbus::Error::InputOutput(e) | zbus::Error::Connection(e, _) => io_text(&e),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(global: &Global, variables: &[(&str, &str)]) -> Vec<Target> {
        targets(global, |name| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn where_to_look() {
        let system = Global::default();
        let sockets = |base: &str| {
            [
                Target::Peer(format!("{base}/cgarbiter/systemd1.sock").into()),
                Target::Peer(format!("{base}/systemd/private").into()),
            ]
        };
        let [own, private] = sockets("/run");
        assert_eq!(search(&system, &[]), [own, private, Target::Bus(SYSTEM_BUS.into())]);
        assert_eq!(search(&system, &[("DBUS_SYSTEM_BUS_ADDRESS", "tcp:x")]).last(), Some(&Target::Bus("tcp:x".into())));
        let session = Global { session: true, ..Global::default() };
        let [own, private] = sockets("/run/user/7");
        let bus = Target::Bus("unix:path=/run/user/7/bus".into());
        assert_eq!(search(&session, &[("XDG_RUNTIME_DIR", "/run/user/7")]), [own, private, bus]);
        assert_eq!(search(&session, &[]), []);
        let given = Global { address: Some("unix:path=/x".into()), ..Global::default() };
        assert_eq!(search(&given, &[]), [Target::Given("unix:path=/x".into())]);
    }

    #[test]
    fn unix_addresses() {
        let path = |address: &str| unix_address(address).unwrap().unwrap().as_pathname().unwrap().to_owned();
        assert_eq!(path("unix:path=/run/a%20b,guid=00"), PathBuf::from("/run/a b"));
        assert_eq!(path("/run/x.sock"), PathBuf::from("/run/x.sock"));
        let name = unix_address("unix:abstract=x").unwrap().unwrap();
        assert_eq!(name.as_abstract_name(), Some(b"x".as_slice()));
        assert!(unix_address("tcp:host=localhost,port=1").is_none());
    }
}
