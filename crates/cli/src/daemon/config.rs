//! What the operator has chosen: configuration files, overruled by the command line.

use super::recorder::Recording;
use crate::args::daemon::{Args, BackendChoice, Presence, UnitPathChoice};
use cgarbiter_core::config::{Defaults, UnitPaths, Unsupported};
use serde::Deserialize;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The socket that is served when none is named.
const OWN_SOCKET: &str = "/run/cgarbiter/systemd1.sock";
/// Where the files are looked for.
const MAIN_FILE: &str = "/etc/cgarbiter/cgarbiter.toml";
const DROP_IN_DIRECTORY: &str = "/etc/cgarbiter/conf.d";

/// A configuration file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{}: {error}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{}: {error}", path.display())]
    Parse {
        /// Which.
        path: PathBuf,
        /// Where and why.
        error: Box<toml::de::Error>,
    },
    /// One of its values.
    #[error("{key} = {value:?}: {expected}")]
    Value {
        /// Which key.
        key: &'static str,
        /// What stands there.
        value: String,
        /// What should.
        expected: &'static str,
    },
}

/// A configuration file; the same keys as the options.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    backend: Option<BackendChoice>,
    root: Option<PathBuf>,
    socket: Option<Sockets>,
    bus: Option<String>,
    presence: Option<Presence>,
    unit_paths: Option<UnitPathChoice>,
    file_root: Option<PathBuf>,
    beside_systemd: Option<bool>,
    open_sockets: Option<bool>,
    unsupported_limits: Option<UnsupportedChoice>,
    record: Option<PathBuf>,
    record_limit: Option<u64>,
    defaults: FileDefaults,
}

/// What becomes of limits that the tree cannot enforce.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum UnsupportedChoice {
    Report,
    Refuse,
}

/// One socket, or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Sockets {
    One(PathBuf),
    Several(Vec<PathBuf>),
}

/// What units start with.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct FileDefaults {
    timeout_stop: Option<Number>,
    tasks_max: Option<Number>,
    cpu_accounting: Option<bool>,
    io_accounting: Option<bool>,
    memory_accounting: Option<bool>,
    tasks_accounting: Option<bool>,
}

/// A number, or words for one.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Number {
    Plain(u64),
    Words(String),
}

/// Everything chosen.
#[derive(Debug, Clone)]
pub struct Choices {
    /// Which backend.
    pub backend: BackendChoice,
    /// Which root.
    pub root: Option<PathBuf>,
    /// Sockets to serve.
    pub sockets: Vec<PathBuf>,
    /// Bus to join.
    pub bus: Option<String>,
    /// Who shall find us.
    pub presence: Presence,
    /// Where unit files go.
    pub unit_paths: UnitPaths,
    /// Prefix for them.
    pub file_root: PathBuf,
    /// Next to systemd without delegation.
    pub beside_systemd: bool,
    /// Sockets for everybody.
    pub open_sockets: bool,
    /// What becomes of limits that the tree cannot enforce.
    pub unsupported: Unsupported,
    /// What units start with; `tasks_max` as a share is resolved when the machine is known.
    pub defaults: Defaults,
    /// `DefaultTasksMax` in parts per 10,000 of what the system can hold; none when it is a number.
    pub tasks_max_share: Option<u64>,
    /// Where everything that happens is recorded, if anywhere.
    pub recording: Option<Recording>,
    /// How long a recording may become, in MiB.
    pub record_limit: u64,
    /// Readiness by descriptor.
    pub notify_fd: Option<i32>,
}

impl Choices {
    /// Reads the files and puts the command line on top.
    ///
    /// # Errors
    /// A file is wrong.
    pub fn gather(args: &Args) -> Result<Self, ConfigError> {
        let mut choices = Self::default();
        for path in files(args)? {
            let text =
                std::fs::read_to_string(&path).map_err(|error| ConfigError::Read { path: path.clone(), error })?;
            let file: File =
                toml::from_str(&text).map_err(|error| ConfigError::Parse { path, error: Box::new(error) })?;
            choices.overlay(file)?;
        }
        choices.overlay(from_args(args))?;
        choices.notify_fd = args.notify_fd;
        if choices.sockets.is_empty() {
            choices.sockets.push(OWN_SOCKET.into());
        }
        Ok(choices)
    }

    fn overlay(&mut self, file: File) -> Result<(), ConfigError> {
        set(&mut self.backend, file.backend);
        set(&mut self.presence, file.presence);
        set(&mut self.beside_systemd, file.beside_systemd);
        set(&mut self.open_sockets, file.open_sockets);
        let unsupported = file.unsupported_limits.map(|choice| match choice {
            UnsupportedChoice::Report => Unsupported::Report,
            UnsupportedChoice::Refuse => Unsupported::Refuse,
        });
        set(&mut self.unsupported, unsupported);
        set(&mut self.file_root, file.file_root);
        if file.root.is_some() {
            self.root = file.root;
        }
        set(&mut self.record_limit, file.record_limit);
        let path = file.record.or(self.recording.take().map(|recording| recording.path));
        self.recording = path.map(|path| Recording { path, limit: self.record_limit.saturating_mul(1 << 20) });
        match file.socket {
            Some(Sockets::One(path)) => self.sockets = vec![path],
            Some(Sockets::Several(paths)) => self.sockets = paths,
            None => {}
        }
        if let Some(bus) = file.bus {
            self.bus = (bus != "none").then_some(bus);
        }
        let paths = match (file.unit_paths, file.presence) {
            (Some(UnitPathChoice::Own), _) => Some(UnitPaths::own()),
            (Some(UnitPathChoice::Systemd), _) | (None, Some(Presence::Global)) => Some(UnitPaths::systemd()),
            (None, _) => None,
        };
        set(&mut self.unit_paths, paths);
        self.overlay_defaults(&file.defaults)
    }

    fn overlay_defaults(&mut self, defaults: &FileDefaults) -> Result<(), ConfigError> {
        set(&mut self.defaults.cpu_accounting, defaults.cpu_accounting);
        set(&mut self.defaults.io_accounting, defaults.io_accounting);
        set(&mut self.defaults.memory_accounting, defaults.memory_accounting);
        set(&mut self.defaults.tasks_accounting, defaults.tasks_accounting);
        if let Some(span) = &defaults.timeout_stop {
            self.defaults.timeout_stop_usec = parse_span(span)?;
        }
        match &defaults.tasks_max {
            None => {}
            Some(Number::Plain(count)) => self.set_tasks_max(*count, None),
            Some(Number::Words(words)) if words == "infinity" => self.set_tasks_max(u64::MAX, None),
            Some(Number::Words(words)) => {
                let percent = words.strip_suffix('%').and_then(|n| n.trim().parse::<u64>().ok()).filter(|n| *n <= 100);
                let percent = percent.ok_or_else(|| ConfigError::Value {
                    key: "defaults.tasks-max",
                    value: words.clone(),
                    expected: "a number of tasks, a percentage up to \"100%\", or \"infinity\"",
                })?;
                self.set_tasks_max(u64::MAX, Some(percent * 100));
            }
        }
        Ok(())
    }

    fn set_tasks_max(&mut self, count: u64, share: Option<u64>) {
        self.defaults.tasks_max = count;
        self.tasks_max_share = share;
    }

    /// Says what the configuration comes to.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn print(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let path = |path: &Path| path.display().to_string();
        writeln!(out, "backend         {:?}", self.backend)?;
        writeln!(out, "root            {}", self.root.as_deref().map_or("the whole mount".into(), path))?;
        for socket in &self.sockets {
            writeln!(out, "socket          {}", path(socket))?;
        }
        writeln!(out, "bus             {}", self.bus.as_deref().unwrap_or("none"))?;
        writeln!(out, "presence        {:?}", self.presence)?;
        writeln!(out, "transient units {}{}", file_prefix(&self.file_root), self.unit_paths.transient)?;
        writeln!(out, "timeout-stop    {} s", self.defaults.timeout_stop_usec / 1_000_000)?;
        let tasks = match (self.tasks_max_share, self.defaults.tasks_max) {
            (Some(share), _) => format!("{}% of what the system can hold", share / 100),
            (None, u64::MAX) => "infinity".into(),
            (None, count) => count.to_string(),
        };
        writeln!(out, "tasks-max       {tasks}")?;
        match &self.recording {
            Some(recording) => {
                writeln!(out, "record          {} (up to {} MiB)", path(&recording.path), self.record_limit)
            }
            None => Ok(()),
        }
    }
}

impl Default for Choices {
    fn default() -> Self {
        Self {
            backend: BackendChoice::Auto,
            root: None,
            sockets: Vec::new(),
            bus: None,
            presence: Presence::Off,
            unit_paths: UnitPaths::own(),
            file_root: PathBuf::from("/"),
            beside_systemd: false,
            open_sockets: false,
            unsupported: Unsupported::Report,
            defaults: Defaults::default(),
            tasks_max_share: Some(1500),
            recording: None,
            record_limit: 256,
            notify_fd: None,
        }
    }
}

fn set<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

fn file_prefix(root: &Path) -> String {
    let text = root.display().to_string();
    if text == "/" { String::new() } else { text }
}

/// The files to read, the weaker first.
fn files(args: &Args) -> Result<Vec<PathBuf>, ConfigError> {
    if let Some(path) = &args.config {
        return Ok(vec![path.clone()]);
    }
    let mut files: Vec<PathBuf> = Vec::new();
    if Path::new(MAIN_FILE).exists() {
        files.push(MAIN_FILE.into());
    }
    let directory = PathBuf::from(DROP_IN_DIRECTORY);
    match std::fs::read_dir(&directory) {
        Ok(entries) => {
            let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
            let mut parts: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
            parts.sort();
            files.extend(parts);
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(ConfigError::Read { path: directory, error }),
    }
    Ok(files)
}

fn from_args(args: &Args) -> File {
    File {
        backend: args.backend,
        root: args.root.clone(),
        socket: (!args.socket.is_empty()).then(|| Sockets::Several(args.socket.clone())),
        bus: args.bus.clone(),
        presence: args.presence,
        unit_paths: args.unit_paths,
        file_root: args.file_root.clone(),
        beside_systemd: args.beside_systemd.then_some(true),
        open_sockets: args.open_sockets.then_some(true),
        record: args.record.clone(),
        record_limit: args.record_limit,
        unsupported_limits: None,
        defaults: FileDefaults::default(),
    }
}

/// Seconds as a number, or a span in words as unit files have it.
fn parse_span(span: &Number) -> Result<u64, ConfigError> {
    match span {
        Number::Plain(seconds) => Ok(seconds.saturating_mul(1_000_000)),
        Number::Words(words) => crate::control::assign::scalars::span(words).map_err(|_| ConfigError::Value {
            key: "defaults.timeout-stop",
            value: words.clone(),
            expected: "seconds, or a time span such as \"1min 30s\"",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(text: &str, args: Args) -> Result<Choices, ConfigError> {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("c.toml");
        std::fs::write(&path, text).expect("a file");
        Choices::gather(&Args { config: Some(path), ..args })
    }

    #[test]
    fn the_command_line_overrules_the_file() {
        let args = Args { backend: Some(BackendChoice::Sim), ..Args::default() };
        let text = "backend = \"cgroupfs\"\nsocket = \"/x\"\nbus = \"system\"\n[defaults]\ntasks-max = \"20%\"\n";
        let choices = gather(text, args).expect("a good file");
        assert_eq!(choices.backend, BackendChoice::Sim);
        assert_eq!(choices.sockets, [PathBuf::from("/x")]);
        assert_eq!(choices.bus.as_deref(), Some("system"));
        assert_eq!(choices.tasks_max_share, Some(2000));
    }

    #[test]
    fn a_wrong_key_or_value_is_named_with_its_place() {
        let error = gather("bakcend = \"sim\"\n", Args::default()).expect_err("a wrong key").to_string();
        assert!(error.contains("bakcend") && error.contains("line 1"), "{error}");
        let error =
            gather("[defaults]\ntasks-max = \"many\"\n", Args::default()).expect_err("a wrong value").to_string();
        assert!(error.contains("defaults.tasks-max"), "{error}");
    }

    #[test]
    fn the_example_for_packagers_is_good_with_and_without_its_comments() {
        let example = include_str!("../../../../dist/cgarbiter.toml");
        let choices = gather(example, Args::default()).expect("a good file");
        assert_eq!(choices.backend, BackendChoice::Cgroupfs);
        assert_eq!(choices.unit_paths, UnitPaths::own());
        let is_key = |line: &str| {
            line.split_once(" = ").is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'))
        };
        let uncommented = |line: &str| line.strip_prefix('#').filter(|rest| is_key(rest)).unwrap_or(line).to_owned();
        let every_key: Vec<String> = example.lines().map(uncommented).collect();
        let choices = gather(&every_key.join("\n"), Args::default()).expect("every key is known");
        assert_eq!(choices.root, Some(PathBuf::from("/sys/fs/cgroup/machines")));
        assert_eq!(choices.tasks_max_share, Choices::default().tasks_max_share, "what is commented out is the default");
        assert_eq!(choices.defaults, Choices::default().defaults, "what is commented out is the default");
    }
}
