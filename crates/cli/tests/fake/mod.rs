//! A manager that answers by script, on a socket of its own, to show the client what a real one seldom does.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread;

use futures_util::StreamExt;
use tempfile::TempDir;
use tokio::net::UnixListener;
use zbus::connection::Builder;
use zbus::message::{Header, Type};
use zbus::{Connection, Guid, Message, MessageStream, ObjectPath, Variant};

const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";

/// The calls received, as `Member: arguments`.
type Log = Arc<Mutex<Vec<String>>>;

/// The running server; it ends with the test's process.
pub(crate) struct Fake {
    directory: TempDir,
    log: Log,
}

impl Fake {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (path, log) = (socket(directory.path()), Log::default());
        let their_log = Arc::clone(&log);
        let (ready, is_ready) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = UnixListener::bind(path).unwrap();
                ready.send(()).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    tokio::spawn(serve(stream.into_std().unwrap(), Arc::clone(&their_log)));
                }
            });
        });
        is_ready.recv().unwrap();
        Self { directory, log }
    }

    /// Runs the client against this server.
    pub(crate) fn client(&self, arguments: &[&str]) -> Output {
        let address = format!("unix:path={}", socket(self.directory.path()).display());
        Command::new(env!("CARGO_BIN_EXE_cgarbiter"))
            .env("CGARBITER_ADDRESS", address)
            .args(arguments)
            .output()
            .unwrap()
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

fn socket(directory: &Path) -> PathBuf {
    directory.join("s")
}

async fn serve(stream: UnixStream, log: Log) {
    let server = Builder::unix_stream(stream).server(Guid::generate()).p2p();
    let Ok(connection) = server.build().await else { return };
    let mut messages = MessageStream::from(&connection);
    while let Some(Ok(message)) = messages.next().await {
        if message.message_type() == Type::MethodCall && !answer(&connection, &message, &log).await {
            return;
        }
    }
}

/// False to hang up.
async fn answer(connection: &Connection, call: &Message, log: &Log) -> bool {
    let header = call.header();
    let member = header.member().unwrap().as_str().to_owned();
    match member.as_str() {
        "Get" => {
            let body = call.body();
            let (_, name): (&str, &str) = body.deserialize().unwrap();
            let is_changed = header.path().is_some_and(|path| path.as_str().ends_with("changed_2eservice"));
            let value = match name {
                "Version" => Variant::from("7.7"),
                "NeedDaemonReload" => Variant::from(is_changed),
                _ => Variant::from(vec![0xab_u8; 16]),
            };
            connection.reply(&header, &value).await.unwrap();
        }
        "StopUnit" => {
            let body = call.body();
            let (unit, mode): (&str, &str) = body.deserialize().unwrap();
            log.lock().unwrap().push(format!("StopUnit: {unit} {mode}"));
            return stop(connection, &header, unit).await;
        }
        "StartTransientUnit" => start(connection, call, log).await,
        _ => {
            let name = "org.freedesktop.DBus.Error.NotSupported";
            connection.reply_error(&header, name, &"not in the script").await.unwrap();
        }
    }
    true
}

/// The unit's name is the script.
async fn stop(connection: &Connection, header: &Header<'_>, unit: &str) -> bool {
    let job = ObjectPath::try_from("/org/freedesktop/systemd1/job/7").unwrap();
    match unit {
        "gone.service" => {
            let text = format!("Unit {unit} not loaded.");
            connection.reply_error(header, "org.freedesktop.systemd1.NoSuchUnit", &text).await.unwrap();
        }
        "cut.service" => {
            connection.reply(header, &job).await.unwrap();
            return false;
        }
        _ => {
            connection.reply(header, &job).await.unwrap();
            // Jobs of others, more than any queue holds, then ours.
            for id in 100..400_u32 {
                job_removed(connection, id, "other.service", "failed").await;
            }
            job_removed(connection, 7, unit, unit.split('.').next().unwrap()).await;
        }
    }
    true
}

async fn start(connection: &Connection, call: &Message, log: &Log) {
    let header = call.header();
    let body = call.body();
    type Properties<'a> = Vec<(&'a str, Variant<'a>)>;
    let (unit, mode, properties, _): (&str, &str, Properties<'_>, Vec<(&str, Properties<'_>)>) =
        body.deserialize().unwrap();
    let names: Vec<String> =
        properties.iter().map(|(name, value)| format!("{name} {}", value.value_signature())).collect();
    log.lock().unwrap().push(format!("StartTransientUnit: {unit} {mode}: {}", names.join(", ")));
    if properties.iter().any(|(name, _)| *name == "PIDFDs") {
        let name = "org.freedesktop.DBus.Error.PropertyReadOnly";
        let text = "Cannot set property PIDFDs, or unknown property.";
        connection.reply_error(&header, name, &text).await.unwrap();
    } else {
        connection.reply(&header, &ObjectPath::try_from("/org/freedesktop/systemd1/job/8").unwrap()).await.unwrap();
        job_removed(connection, 8, unit, "done").await;
    }
}

async fn job_removed(connection: &Connection, id: u32, unit: &str, result: &str) {
    let job = ObjectPath::try_from(format!("{MANAGER_PATH}/job/{id}")).unwrap();
    let body = (id, job, unit, result);
    connection.emit_signal(None::<&str>, MANAGER_PATH, MANAGER, "JobRemoved", &body).await.unwrap();
}
