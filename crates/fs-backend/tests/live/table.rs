//! The table of what backends answer, played on the kernel that this runs on.

use crate::puppets::{Puppets, await_end};
use crate::world::World;
use cgarbiter_backend_table::{Backend, Need, Thing, play, rows::rows};
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::names::CgroupPath;
use cgarbiter_core::plan::Pin;
use cgarbiter_core::{Answer, Event, Plan, Question, Report};
use nix::sys::stat::{Mode, SFlag};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where processes of others begin.
const OUTSIDE: &str = "outside";
/// How long something may take to be heard.
const PATIENCE: Duration = Duration::from_secs(10);
/// In which nothing more may come.
const MOMENT: Duration = Duration::from_millis(40);

struct Real {
    /// Ended before the world is cleared away.
    puppets: Option<Puppets>,
    world: World,
}

impl Real {
    fn directory(&self, cgroup: &CgroupPath) -> PathBuf {
        self.world.directory.join(cgroup.as_str().trim_start_matches('/'))
    }

    fn puppets(&mut self) -> &mut Puppets {
        let (outside, files) = (self.world.directory.join(OUTSIDE), self.world.files.path());
        self.puppets.get_or_insert_with(|| {
            fs::create_dir(&outside).expect("made");
            Puppets::new(files, &outside)
        })
    }

    fn may_notify(&mut self) -> bool {
        let socket = self.reached("/run/notify");
        fs::create_dir_all(Path::new(&socket).parent().expect("a directory")).expect("made");
        Path::new("/usr/bin/systemd-notify").exists() && self.world.executor.listen_notify(Path::new(&socket)).is_ok()
    }
}

impl Backend for Real {
    fn provides(&mut self, need: Need) -> bool {
        match need {
            Need::Controllers(mask) => self.world.can_enable(mask),
            Need::Disk => {
                let is_there = fs::metadata("/dev/vda").is_ok_and(|found| found.file_type().is_block_device());
                is_there && self.world.can_enable(ControllerMask::IO)
            }
            Need::KernelThreads => fs::read_to_string("/proc/2/comm").is_ok_and(|name| name == "kthreadd\n"),
            Need::Notify => self.may_notify(),
            Need::UserXattr => self.world.executor.kernel().user_xattr != Some(false),
        }
    }

    fn tells_removals(&self) -> bool {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("readable");
        let mut numbers =
            release.split(|letter: char| !letter.is_ascii_digit()).map_while(|number| number.parse().ok());
        let version: (u32, u32) = (numbers.next().expect("a number"), numbers.next().expect("a number"));
        version >= (7, 1)
    }

    fn run(&mut self, plan: &Plan) -> Report {
        self.world.executor.run(plan)
    }

    fn answer(&mut self, question: &Question) -> Answer {
        self.world.executor.answer(question)
    }

    fn release(&mut self, pins: &[Pin]) {
        self.world.executor.release(pins);
    }

    fn held(&self) -> usize {
        self.world.executor.pin_count()
    }

    fn hear(&mut self, enough: &dyn Fn(&[Event]) -> bool) -> Vec<Event> {
        let (mut heard, end) = (Vec::new(), Instant::now() + PATIENCE);
        let mut last = None;
        loop {
            self.world.executor.drain(&mut |event| heard.push(event));
            let now = Instant::now();
            if last.is_none() && (enough(&heard) || now >= end) {
                last = Some(now + MOMENT);
            }
            if last.is_some_and(|last| now >= last) {
                return heard;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn shown(&self, file: &str) -> String {
        let root = self.world.executor.root().directory();
        let prefix = self.world.files.path().to_str().expect("text");
        match file.strip_prefix(root).or_else(|| file.strip_prefix(prefix)).unwrap_or(file) {
            "" => "/".into(),
            below => below.into(),
        }
    }

    fn reached(&self, file: &str) -> String {
        format!("{}{file}", self.world.files.path().display())
    }

    fn id_of(&self, cgroup: &CgroupPath) -> Option<u64> {
        fs::metadata(self.directory(cgroup)).ok().map(|found| found.ino())
    }

    fn make(&mut self, cgroup: &CgroupPath) {
        fs::create_dir(self.directory(cgroup)).expect("made");
    }

    fn remove(&mut self, cgroup: &CgroupPath) {
        fs::remove_dir(self.directory(cgroup)).expect("removed");
    }

    fn write(&mut self, cgroup: &CgroupPath, file: &str, text: &str) {
        fs::write(self.directory(cgroup).join(file), text).expect("written");
    }

    fn read(&self, cgroup: &CgroupPath, file: &str) -> Option<String> {
        let text = fs::read_to_string(self.directory(cgroup).join(file)).ok()?;
        Some(text.trim_end().to_owned())
    }

    fn owner(&self, cgroup: &CgroupPath, file: &str) -> Option<(u32, u32)> {
        let found = fs::metadata(self.directory(cgroup).join(file)).ok()?;
        Some((found.uid(), found.gid()))
    }

    fn attribute(&self, cgroup: &CgroupPath, name: &str) -> Option<String> {
        let mut value = [0_u8; 256];
        let length = rustix::fs::getxattr(self.directory(cgroup), name, &mut value).ok()?;
        Some(String::from_utf8_lossy(&value[..length]).into_owned())
    }

    fn begin(&mut self, parent: Option<u32>) -> u32 {
        self.puppets().begin(parent)
    }

    fn kill(&mut self, pid: u32) {
        self.puppets().kill(pid);
    }

    fn await_end(&mut self, pid: u32) -> bool {
        await_end(pid)
    }

    fn reap(&mut self, pid: u32) {
        self.puppets().reap(pid);
    }

    fn exhaust(&mut self, pid: u32) {
        self.puppets().exhaust(pid);
    }

    fn move_to(&mut self, pid: u32, cgroup: &CgroupPath) {
        fs::write(self.directory(cgroup).join("cgroup.procs"), pid.to_string()).expect("moved");
    }

    fn ourselves(&self) -> u32 {
        std::process::id()
    }

    fn put(&mut self, file: &str, thing: &Thing) {
        let path = PathBuf::from(self.reached(file));
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        match thing {
            Thing::Nothing => fs::remove_file(path).expect("removed"),
            Thing::Text(text) => fs::write(path, text).expect("written"),
            Thing::Link(target) => std::os::unix::fs::symlink(target, path).expect("linked"),
            Thing::Directory => {
                fs::create_dir_all(&path).and_then(|()| fs::write(path.join("something"), "")).expect("made");
            }
        }
    }

    fn move_away(&mut self, directory: &str, to: &str) {
        fs::rename(self.reached(directory), self.reached(to)).expect("moved");
    }

    fn await_thing(&mut self, file: &str) -> bool {
        let end = Instant::now() + PATIENCE;
        while self.look(file) == Thing::Nothing && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.look(file) != Thing::Nothing
    }

    fn look(&self, file: &str) -> Thing {
        let path = PathBuf::from(self.reached(file));
        let Ok(found) = fs::symlink_metadata(&path) else { return Thing::Nothing };
        match SFlag::from_bits_truncate(found.mode()) & SFlag::S_IFMT {
            SFlag::S_IFDIR => Thing::Directory,
            SFlag::S_IFLNK => Thing::Link(fs::read_link(&path).expect("a link").display().to_string()),
            _ => Thing::Text(fs::read_to_string(&path).expect("text")),
        }
    }
}

#[test]
fn this_kernel_answers_like_the_table() {
    nix::sys::stat::umask(Mode::from_bits_truncate(0o022));
    if World::new().is_none() {
        return;
    }
    let machine = || -> Box<dyn Backend> { Box::new(Real { puppets: None, world: World::new().expect("as before") }) };
    let played = play(&rows(), machine);
    played.left_out.iter().for_each(|row| crate::world::skip(&format!("row {row}")));
    assert!(played.differences.is_empty(), "{}", played.differences.join("\n"));
    assert!(!played.played.is_empty(), "no row could be played");
}
