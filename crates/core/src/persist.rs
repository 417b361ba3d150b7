//! Records: what the store keeps of a unit, so that an arbiter that starts anew knows it again. A record is the unit's
//! transient file with one more section at its end, which systemd and everybody else ignores:
//!
//! ```text
//! # This is a transient unit file, created programmatically via the systemd API. Do not edit.
//! [Scope]
//! MemoryMax=1048576
//!
//! [X-Cgarbiter]
//! Version=1
//! BootID=9b3f5a0c-…
//! InvocationID=e13d1192346246b4abd8e480cd81993e
//! Started=1790000001000000 1000000
//! State=stop-sigterm
//! Since=1790000009000000 9000000
//! Checksum=af63bd4c8601b7df
//! ```
//!
//! It holds what neither the settings above it nor the kernel can tell. Keys with nothing to say are left out. The
//! checksum is about everything above its line, and nothing follows it. A record that was written by a newer version
//! is told apart from one that is damaged, and a file without the section is somebody else's.
//!
//! | of a unit | brought back by |
//! |---|---|
//! | name, type, slice | the record's file name, the settings |
//! | settings, drop-ins | the text above the section, the drop-in files |
//! | transient, fragment, owner, controller, invocation id | the section; of a slice, the mark on its directory |
//! | state, result, times | the directory: up, unless the section says otherwise |
//! | the same, without a directory | the section: failed, or remains after its exit; else nothing is left of it |
//! | main and control process, their commands | the section, checked against the processes in the cgroup |
//! | how often it was restarted, and whether that is under way | the section |
//! | realized: path, id, controllers | the directory |
//! | realized: values, watch | nothing; made again by the diff |
//! | freezer | `cgroup.freeze` |
//! | masks, edges, members | computed from settings |
//! | start, stop, restart and runtime deadlines | the times in the section |
//! | what a service has told of itself, how its commands ended, its starts of late | nothing |
//! | job, references, subscriptions, replies, pins, work, job deadlines | nothing: they die with the arbiter |

use crate::settings::{ServiceCommand, ServiceType};
use crate::time::{Now, Timestamp};
use crate::unit::{State, Unit, UnitResult, invocation_hex, parse_invocation};
use crate::unit_file::{push_line, push_text};
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

/// The version that is written, and the newest that is understood.
const VERSION: u64 = 1;
/// The section's first line.
const HEADER: &str = "[X-Cgarbiter]\n";
const CHECKSUM: &str = "Checksum=";
/// The checksum of no text.
const EMPTY_SUM: u64 = 0xcbf2_9ce4_8422_2325;

/// What the section says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// Which boot of the machine the rest is about.
    pub boot_id: String,
    /// Identity of the activation.
    pub invocation_id: Option<[u8; 16]>,
    /// Which uid made it.
    pub owner: u32,
    /// Bus name that ends the scope.
    pub controller: Option<Arc<str>>,
    /// When the start began.
    pub started: Timestamp,
    /// The state, where a directory alone does not tell.
    pub state: Option<State>,
    /// When the state was entered.
    pub since: Timestamp,
    /// The result so far.
    pub result: UnitResult,
    /// The main process and when it was started.
    pub main: Option<(u32, Timestamp)>,
    /// Which of several commands runs.
    pub command: usize,
    /// The process beside the main one and when it was started.
    pub control: Option<(u32, Timestamp)>,
    /// What it is for: the step, and which of its commands.
    pub step: Option<(ServiceCommand, usize)>,
    /// How often it has been restarted.
    pub restarts: u32,
    /// It is being restarted by itself: as long as nobody is in its directory, that is still to be done.
    pub restarting: bool,
}

/// Why a record cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It is somebody else's file: a record is written as a whole, with its section.
    Foreign,
    /// It was written by a newer version.
    Newer(u64),
    /// It is not what was written.
    Broken(&'static str),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("it has no state section"),
            Self::Newer(version) => {
                write!(f, "it has version {version}, and this cgarbiter reads none after {VERSION}")
            }
            Self::Broken(why) => f.write_str(why),
        }
    }
}

/// The states that are written down.
const STATES: [State; 20] = [
    State::Dead,
    State::Abandoned,
    State::Condition,
    State::StartPre,
    State::Start,
    State::StartPost,
    State::Reload,
    State::ReloadSignal,
    State::ReloadNotify,
    State::Stop,
    State::StopWatchdog,
    State::StopPost,
    State::FinalWatchdog,
    State::AutoRestart,
    State::StopSigterm,
    State::StopSigkill,
    State::FinalSigterm,
    State::FinalSigkill,
    State::Exited,
    State::Failed,
];

/// Whether a state has to be in the record.
#[must_use]
pub fn is_saved(state: State) -> bool {
    STATES.contains(&state)
}

impl Saved {
    /// What there is to say of a unit now.
    pub(crate) fn of(unit: &Unit, boot_id: &str, now: Now) -> Self {
        let service = unit.service.as_deref();
        let main = service.and_then(|service| Some((service.main_pid?, service.exec_main_start)));
        let control = service.and_then(|service| Some((service.control_pid?, service.control_start)));
        // A start is written down before anything of it is done; what comes of it is told by the directory, unless more
        // has to happen before the unit is up.
        let state = match unit.work.starting {
            true => service.and_then(|_| first_state(unit)),
            false if unit.leaves_processes() => Some(if unit.result.is_well() { State::Dead } else { State::Failed }),
            false => Some(unit.state).filter(|state| is_saved(*state)),
        };
        Self {
            boot_id: boot_id.into(),
            invocation_id: unit.invocation_id,
            owner: unit.owner,
            controller: unit.controller.clone(),
            started: if unit.work.starting { now.into() } else { unit.times.inactive_exit },
            state,
            since: match state {
                Some(_) if unit.work.starting || unit.leaves_processes() => now.into(),
                Some(_) => unit.times.state_change,
                None => Timestamp::default(),
            },
            result: unit.result,
            main,
            command: service.map_or(0, |service| service.command_index),
            control,
            step: service.and_then(|service| service.control),
            restarts: service.map_or(0, |service| service.restarts),
            restarting: unit.work.starting && service.is_some_and(|service| service.restarts > 0),
        }
    }
}

/// The state that the first process of a service leads to, where it is not up with it.
fn first_state(unit: &Unit) -> Option<State> {
    let first = unit.service.as_deref().and_then(|service| service.control).map(|(step, _)| step);
    match (first, unit.settings.service().kind()) {
        (Some(ServiceCommand::Condition), _) => Some(State::Condition),
        (Some(ServiceCommand::StartPre), _) => Some(State::StartPre),
        (_, ServiceType::Forking | ServiceType::Notify | ServiceType::NotifyReload) => Some(State::Start),
        _ => None,
    }
}

/// The text of a record of these settings and this [`section`].
#[must_use]
pub fn write(settings: &str, section: &str) -> String {
    let mut head = with_room_for(settings.len() + HEADER.len() + section.len());
    [settings, "\n", HEADER].into_iter().for_each(|part| head.push_str(part));
    let sum = checksum(EMPTY_SUM, &head);
    complete(head, sum, section)
}

/// The same record with another section. What the former one said is of no matter any more.
///
/// # Errors
/// It is damaged: then nothing is to be made of it.
pub fn renew(text: &str, section: &str) -> Result<String, Damage> {
    let record = Record::of(text)?;
    let mut head = with_room_for(record.head.len() + section.len());
    head.push_str(record.head);
    Ok(complete(head, record.sum, section))
}

/// The identity that a record tells, even if it is damaged.
#[must_use]
pub fn identity(text: &str) -> Option<[u8; 16]> {
    let section = &text[text.rfind(HEADER)?..];
    section.lines().find_map(|line| line.strip_prefix("InvocationID=")).and_then(parse_invocation)
}

fn with_room_for(length: usize) -> String {
    String::with_capacity(length + CHECKSUM.len() + 17)
}

/// The record that begins so, up to its section's first line; the checksum of that is known.
fn complete(head: String, sum: u64, section: &str) -> String {
    let mut out = head;
    out.push_str(section);
    let sum = checksum(sum, section);
    push_text(&mut out, format_args!("{CHECKSUM}{sum:016x}\n"));
    out
}

/// The state section, without its first and its last line.
#[must_use]
pub fn section(saved: &Saved) -> String {
    let mut out = String::with_capacity(192);
    push_text(&mut out, format_args!("Version={VERSION}\n"));
    push_line(&mut out, "BootID", &saved.boot_id);
    if let Some(id) = &saved.invocation_id {
        push_line(&mut out, "InvocationID", invocation_hex(id));
    }
    if saved.owner != 0 {
        push_line(&mut out, "Owner", saved.owner);
    }
    if let Some(name) = &saved.controller {
        push_line(&mut out, "Controller", name);
    }
    push_time(&mut out, "Started", saved.started);
    if let Some(state) = saved.state {
        push_line(&mut out, "State", state.sub());
        push_time(&mut out, "Since", saved.since);
    }
    if saved.result != UnitResult::Success {
        push_line(&mut out, "Result", saved.result.as_str());
    }
    if let Some((pid, since)) = saved.main {
        push_line(&mut out, "MainPID", pid);
        push_time(&mut out, "MainStarted", since);
    }
    if saved.command != 0 {
        push_line(&mut out, "Command", saved.command);
    }
    if let Some((step, index)) = saved.step {
        push_line(&mut out, "Step", format_args!("{} {index}", step.name()));
    }
    if let Some((pid, since)) = saved.control {
        push_line(&mut out, "ControlPID", pid);
        push_time(&mut out, "ControlStarted", since);
    }
    if saved.restarts != 0 {
        push_line(&mut out, "Restarts", saved.restarts);
    }
    if saved.restarting {
        push_line(&mut out, "Restarting", "yes");
    }
    out
}

fn push_time(out: &mut String, key: &str, time: Timestamp) {
    push_text(out, format_args!("{key}={} {}\n", time.realtime, time.monotonic));
}

/// The settings and the section of a record.
///
/// # Errors
/// It cannot be used.
pub fn read(text: &str) -> Result<(&str, Saved), Damage> {
    let record = Record::of(text)?;
    let mut saved = Saved::default();
    for line in record.section.lines().skip(1) {
        let (key, value) = line.split_once('=').ok_or(Damage::Broken("a line of its state section has no value"))?;
        saved.take(key, value).ok_or(Damage::Broken("a value of its state section makes no sense"))?;
    }
    let settings = record.head.len() - HEADER.len() - 1;
    Ok((&record.head[..settings], saved))
}

/// Whether this is a record, fit for use or not. Other files that lie where records do are somebody else's.
#[must_use]
pub fn is_record(text: &str) -> bool {
    !matches!(Record::of(text), Err(Damage::Foreign))
}

/// A record that is whole, as text.
struct Record<'a> {
    /// The settings, and the section's first line.
    head: &'a str,
    /// The checksum of that.
    sum: u64,
    /// The rest, with the line of the checksum.
    section: &'a str,
}

impl<'a> Record<'a> {
    fn of(text: &'a str) -> Result<Self, Damage> {
        let start = text.rfind(HEADER).filter(|at| text[..*at].ends_with('\n'));
        let start = start.ok_or_else(|| match text.lines().any(|line| line.starts_with(CHECKSUM)) {
            true => Damage::Broken("it has no state section"),
            false => Damage::Foreign,
        })?;
        let (head, section) = text.split_at(start + HEADER.len());
        let version = section.lines().next().and_then(|line| line.strip_prefix("Version=")?.parse().ok());
        match version.ok_or(Damage::Broken("its version cannot be read"))? {
            VERSION => {}
            newer if newer > VERSION => return Err(Damage::Newer(newer)),
            _ => return Err(Damage::Broken("its version was never in use")),
        }
        let sum = checksum(EMPTY_SUM, head);
        check(sum, section)?;
        Ok(Self { head, sum, section })
    }
}

/// The last line of the section is the checksum of what is above it: of the head, which is known, and of the others.
fn check(head: u64, section: &str) -> Result<(), Damage> {
    let cut = Damage::Broken("it does not end with its checksum");
    let Some((above, line)) = section.split_at_checked(section.len().saturating_sub(CHECKSUM.len() + 17)) else {
        return Err(cut);
    };
    let given = line.strip_prefix(CHECKSUM).and_then(|rest| rest.strip_suffix('\n'));
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let Some(given) = given.filter(|given| given.len() == 16 && given.bytes().all(is_digit)) else { return Err(cut) };
    match u64::from_str_radix(given, 16) {
        Ok(sum) if sum == checksum(head, above) => Ok(()),
        _ => Err(Damage::Broken("its checksum is of another text")),
    }
}

/// Goes on with the checksum of what comes before. FNV-1a with 64 bits: any change of a single byte gives another sum,
/// and nobody has to be kept out on purpose.
fn checksum(before: u64, text: &str) -> u64 {
    text.bytes().fold(before, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

impl Saved {
    /// Takes in one line; none when it makes no sense. Unknown keys are passed over, and gone when the record is
    /// renewed: a key whose loss would change what becomes of the unit comes with a new version.
    fn take(&mut self, key: &str, value: &str) -> Option<()> {
        match key {
            "BootID" => self.boot_id = value.into(),
            "InvocationID" => self.invocation_id = Some(parse_invocation(value)?),
            "Owner" => self.owner = value.parse().ok()?,
            "Controller" => self.controller = Some(value.into()),
            "Started" => self.started = time(value)?,
            "State" => self.state = Some(STATES.into_iter().find(|state| state.sub() == value)?),
            "Since" => self.since = time(value)?,
            "Result" => self.result = UnitResult::parse(value)?,
            "MainPID" => self.main = Some((value.parse().ok().filter(|pid| *pid > 0)?, Timestamp::default())),
            "MainStarted" => self.main = Some((self.main?.0, time(value)?)),
            "Command" => self.command = value.parse().ok()?,
            "Step" => self.step = Some(step(value)?),
            "ControlPID" => {
                self.control = Some((value.parse().ok().filter(|pid| *pid > 0)?, Timestamp::default()));
            }
            "ControlStarted" => self.control = Some((self.control?.0, time(value)?)),
            "Restarts" => self.restarts = value.parse().ok()?,
            "Restarting" => self.restarting = value == "yes",
            _ => {}
        }
        Some(())
    }
}

fn step(text: &str) -> Option<(ServiceCommand, usize)> {
    let (name, index) = text.split_once(' ')?;
    let step = ServiceCommand::ALL.into_iter().find(|step| step.name() == name)?;
    Some((step, index.parse().ok()?))
}

fn time(text: &str) -> Option<Timestamp> {
    let (realtime, monotonic) = text.split_once(' ')?;
    Some(Timestamp { realtime: realtime.parse().ok()?, monotonic: monotonic.parse().ok()? })
}

#[cfg(test)]
mod tests;
