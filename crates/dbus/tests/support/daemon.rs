//! A real message bus of one's own, when the machine has `dbus-daemon`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

pub(crate) struct Daemon {
    pub(crate) address: String,
    child: Child,
}

impl Daemon {
    /// A bus that lets everybody do everything; none, said loudly, when there is no `dbus-daemon`.
    pub(crate) fn start(directory: &Path) -> Option<Self> {
        Self::start_at(directory, "allow")
    }

    /// A bus on which nobody may own our name.
    pub(crate) fn start_strict(directory: &Path) -> Option<Self> {
        Self::start_at(directory, "deny")
    }

    fn start_at(directory: &Path, own: &str) -> Option<Self> {
        let config = directory.join("bus.conf");
        let socket = directory.join("bus");
        // A bus that was killed leaves its socket behind.
        let _ = std::fs::remove_file(&socket);
        let text = format!(
            r#"<busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>
            <policy context="default"><allow send_destination="*" eavesdrop="false"/><allow receive_sender="*"/>
            <allow own="*"/><{own} own="org.freedesktop.systemd1"/></policy></busconfig>"#,
            socket.display()
        );
        std::fs::write(&config, text).expect("a configuration");
        let spawned = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", config.display()))
            .args(["--nofork", "--print-address=1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut child) = spawned else {
            eprintln!("\n*** SKIPPED: there is no dbus-daemon on this machine ***\n");
            return None;
        };
        let mut address = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut address).expect("an address");
        Some(Self { address: address.trim().to_owned(), child })
    }

    pub(crate) fn stop(mut self) {
        self.kill();
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}
