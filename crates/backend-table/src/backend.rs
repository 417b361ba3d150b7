//! What the table needs of a backend under test: plans and questions, and the deeds of others on the same machine.

use cgarbiter_core::controllers::{Controller, ControllerMask};
use cgarbiter_core::names::CgroupPath;
use cgarbiter_core::plan::Pin;
use cgarbiter_core::{Answer, Event, Plan, Question, Report};

/// What not every machine has. A row that needs it is left out there, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Controllers that can be handed to the root's children.
    Controllers(ControllerMask),
    /// A block device by this name, whole and writable by `io.max`, and the `io` controller.
    Disk,
    /// Services can tell of themselves (`systemd-notify` and the socket that it writes to).
    Notify,
    /// Process 2 begins threads of the kernel: not in a pid namespace of one's own.
    KernelThreads,
    /// Attributes of users (`user.*`) on cgroups.
    UserXattr,
}

impl Need {
    /// One controller.
    #[must_use]
    pub fn controller(controller: Controller) -> Self {
        Self::Controllers(controller.mask())
    }
}

/// What lies at a path of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thing {
    /// Nothing.
    Nothing,
    /// A file with this text.
    Text(String),
    /// A symbolic link.
    Link(String),
    /// A directory with something in it; of empty ones not every backend knows.
    Directory,
}

/// A machine with an arbiter's backend, made for one row. Paths of the store are logical; cgroups are below the managed
/// root. What others do succeeds, or the row is wrong: it may panic.
pub trait Backend {
    /// Whether rows with this need can be played.
    fn provides(&mut self, need: Need) -> bool;

    /// Whether the kernel tells of watched cgroups that are removed (Linux 7.1 and later).
    fn tells_removals(&self) -> bool;

    /// Runs a plan to its end.
    fn run(&mut self, plan: &Plan) -> Report;
    /// Answers a question.
    fn answer(&mut self, question: &Question) -> Answer;
    /// Lets go of pins.
    fn release(&mut self, pins: &[Pin]);
    /// How much is held by pins.
    fn held(&self) -> usize;
    /// What is heard: waits until it is enough, as long as that may take on this machine, and then for a moment more.
    fn hear(&mut self, enough: &dyn Fn(&[Event]) -> bool) -> Vec<Event>;
    /// The path of a file that an error names, below the managed root or in the store.
    fn shown(&self, file: &str) -> String;
    /// The path by which processes, and steps that are not about the store, reach a file of it.
    fn reached(&self, file: &str) -> String;

    /// The id that the kernel gives a cgroup; none when it is not there.
    fn id_of(&self, cgroup: &CgroupPath) -> Option<u64>;
    /// Somebody else makes a cgroup.
    fn make(&mut self, cgroup: &CgroupPath);
    /// Somebody else removes a cgroup.
    fn remove(&mut self, cgroup: &CgroupPath);
    /// Somebody else writes an interface file.
    fn write(&mut self, cgroup: &CgroupPath, file: &str, text: &str);
    /// What an interface file says, without the last newline.
    fn read(&self, cgroup: &CgroupPath, file: &str) -> Option<String>;
    /// User and group that a directory of a cgroup, or a file in it, belongs to.
    fn owner(&self, cgroup: &CgroupPath, file: &str) -> Option<(u32, u32)>;
    /// An extended attribute of a cgroup.
    fn attribute(&self, cgroup: &CgroupPath, name: &str) -> Option<String>;

    /// A process begins that is no child of the arbiter's and lives until it is ended: in `/outside`, or where its
    /// parent is.
    fn begin(&mut self, parent: Option<u32>) -> u32;
    /// It is killed, and its parent does not ask how it ended; it has ended when this returns.
    fn kill(&mut self, pid: u32);
    /// Waits until it has ended by itself or by what was done, reaped or not; false when it does not.
    fn await_end(&mut self, pid: u32) -> bool;
    /// Its parent asks.
    fn reap(&mut self, pid: u32);
    /// It wants 64 MiB of memory where there is not as much, and is killed for it; it has ended when this returns.
    fn exhaust(&mut self, pid: u32);
    /// Somebody else moves it.
    fn move_to(&mut self, pid: u32, cgroup: &CgroupPath);
    /// The arbiter's own number.
    fn ourselves(&self) -> u32;

    /// Somebody else puts something in its place, directories on the way to it included.
    fn put(&mut self, file: &str, thing: &Thing);
    /// Somebody else gives a directory another name.
    fn move_away(&mut self, directory: &str, to: &str);
    /// Waits until something lies there; false when it does not.
    fn await_thing(&mut self, file: &str) -> bool;
    /// What lies there.
    fn look(&self, file: &str) -> Thing;
}
