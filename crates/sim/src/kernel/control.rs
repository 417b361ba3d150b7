//! `cgroup.subtree_control`, the types of threaded mode, and the coming and going of controllers.

use super::access::Caller;
use super::cgroup::Maker;
use super::files::{File, Part};
use super::parse::strip;
use super::{Controller, ControllerSet, Errno, Kernel};

/// What a write of `cgroup.subtree_control` asks for. `perf_event` is known, always on and never available.
#[derive(Default)]
struct Request {
    enable: ControllerSet,
    disable: ControllerSet,
    enable_perf_event: bool,
}

/// The last mention of a controller wins.
fn parse(text: &[u8], known: ControllerSet) -> Result<Request, Errno> {
    let mut request = Request::default();
    for token in strip(text).split(|byte| *byte == b' ').filter(|token| !token.is_empty()) {
        let (sign, name) = (token[0], &token[1..]);
        let on = match sign {
            b'+' => true,
            b'-' => false,
            _ => return Err(Errno::EINVAL),
        };
        if name == b"perf_event" {
            request.enable_perf_event = on;
            continue;
        }
        let controller = Controller::from_name(name).filter(|it| known.has(*it)).ok_or(Errno::EINVAL)?;
        let one = ControllerSet::of(controller);
        (request.enable, request.disable) = match on {
            true => (request.enable | one, request.disable - one),
            false => (request.enable - one, request.disable | one),
        };
    }
    Ok(request)
}

impl Kernel {
    pub(super) fn write_subtree_control(&mut self, who: &Caller, index: u32, text: &[u8]) -> Result<(), Errno> {
        let request = parse(text, self.config.controllers)?;
        let (enable, disable) = self.vet_each(index, &request)?;
        if enable.is_empty() && disable.is_empty() {
            return Ok(());
        }
        self.vet_enable(index, enable)?;
        let wanted = (self.cgroups[index].subtree_control | enable) - disable;
        self.apply_subtree_control(who, index, wanted)
    }

    /// Each controller in the fixed order; the first obstacle decides. Answers what is left to do.
    fn vet_each(&self, index: u32, request: &Request) -> Result<(ControllerSet, ControllerSet), Errno> {
        let cgroup = &self.cgroups[index];
        let (mut enable, mut disable) = (ControllerSet::NONE, ControllerSet::NONE);
        for controller in Controller::ALL {
            let one = ControllerSet::of(controller);
            let on = cgroup.subtree_control.has(controller);
            if controller == Controller::Hugetlb && request.enable_perf_event {
                return Err(Errno::ENOENT);
            }
            if request.enable.has(controller) && !on {
                if !cgroup.visible.has(controller) {
                    return Err(Errno::ENOENT);
                }
                enable |= one;
            } else if request.disable.has(controller) && on {
                if cgroup.children.values().any(|child| self.cgroups[*child].subtree_control.has(controller)) {
                    return Err(Errno::EBUSY);
                }
                disable |= one;
            }
        }
        Ok((enable, disable))
    }

    /// Can the cgroup hand these down, considering its type and its processes?
    fn vet_enable(&self, index: u32, enable: ControllerSet) -> Result<(), Errno> {
        if enable.is_empty() {
            return Ok(());
        }
        if !self.is_valid_domain(self.cgroups[index].domain) {
            return Err(Errno::EOPNOTSUPP);
        }
        if self.cgroups[index].is_root() {
            return Ok(());
        }
        let domain_controllers = enable - ControllerSet::THREADED;
        if !domain_controllers.is_empty() {
            if self.is_thread_root(index) || self.is_threaded(index) {
                return Err(Errno::EOPNOTSUPP);
            }
        } else if self.can_be_thread_root(index) || self.is_threaded(index) {
            return Ok(());
        }
        if self.cgroups[index].tasks.is_empty() { Ok(()) } else { Err(Errno::EBUSY) }
    }

    /// All or nothing: a child directory with the name of a file to be made stops the whole write.
    fn apply_subtree_control(&mut self, who: &Caller, index: u32, wanted: ControllerSet) -> Result<(), Errno> {
        let active = self.with_needed(wanted) & self.cgroups[index].active;
        let children: Vec<u32> = self.cgroups[index].children.values().copied().collect();
        for child in &children {
            let visible = self.cut_for_type(*child, wanted);
            self.check_collisions(*child, visible - self.cgroups[*child].visible)?;
        }
        self.cgroups[index].subtree_control = wanted;
        self.cgroups[index].subtree_active = active;
        for child in children {
            self.update_controllers(who, child);
        }
        Ok(())
    }

    /// io needs memory, which then works unseen.
    fn with_needed(&self, wanted: ControllerSet) -> ControllerSet {
        let memory = ControllerSet::of(Controller::Memory);
        if wanted.has(Controller::Io) { wanted | memory & self.config.controllers } else { wanted }
    }

    fn cut_for_type(&self, index: u32, controllers: ControllerSet) -> ControllerSet {
        if self.is_threaded(index) { controllers & ControllerSet::THREADED } else { controllers }
    }

    fn check_collisions(&self, index: u32, added: ControllerSet) -> Result<(), Errno> {
        if added.is_empty() || self.cgroups[index].children.is_empty() {
            return Ok(());
        }
        let files = File::all().filter(|file| match file.spec().part {
            Part::Of(controller) => added.has(controller),
            Part::Core | Part::Pressure => false,
        });
        let mut shown = files.filter(|file| file.spec().shown(&self.config, false, added, true));
        let collides = shown.any(|file| self.cgroups[index].children.contains_key(file.name().as_bytes()));
        if collides { Err(Errno::EEXIST) } else { Ok(()) }
    }

    /// Brings the controllers of a cgroup in line with what its parent hands down.
    fn update_controllers(&mut self, who: &Caller, index: u32) {
        let parent = self.cgroups[index].parent.expect("the root keeps its controllers");
        let visible = self.cut_for_type(index, self.cgroups[parent].subtree_control);
        let active = self.cut_for_type(index, self.cgroups[parent].subtree_active);
        let (old_visible, old_active) = (self.cgroups[index].visible, self.cgroups[index].active);
        self.cgroups[index].visible = visible;
        self.cgroups[index].active = active;
        for controller in (old_visible - visible).iter() {
            self.forget_files(index, controller);
            if controller == Controller::Memory && active.has(controller) {
                self.memory_reset(index);
            }
        }
        for controller in (old_active - active).iter() {
            self.controller_off(index, controller);
        }
        for controller in (active - old_active).iter() {
            self.controller_on(index, controller);
        }
        for controller in (visible - old_visible).iter() {
            let maker = &mut self.cgroups[index].makers[controller as usize];
            *maker = Maker { uid: who.uid, gid: who.gid, epoch: maker.epoch };
        }
    }

    /// The files of a controller go: open descriptors are dead, changed owners forgotten.
    fn forget_files(&mut self, index: u32, controller: Controller) {
        let cgroup = &mut self.cgroups[index];
        cgroup.makers[controller as usize].epoch += 1;
        cgroup.changed.retain(|file, _| file.spec().part != Part::Of(controller));
        if let Some(xattrs) = &mut cgroup.xattrs {
            xattrs.forget(controller);
        }
    }

    fn controller_on(&mut self, index: u32, controller: Controller) {
        match controller {
            Controller::Pids => self.pids_on(index),
            Controller::Memory => self.memory_on(index),
            Controller::Cpuset => self.cpuset_on(index),
            Controller::Cpu => self.cgroups[index].cpu = super::cpu::Cpu::default(),
            Controller::Io => self.cgroups[index].io = super::io::Io::default(),
            Controller::Hugetlb => self.cgroups[index].hugetlb = super::hugetlb::Hugetlb::default(),
            Controller::Rdma | Controller::Misc => {}
        }
    }

    fn controller_off(&mut self, index: u32, controller: Controller) {
        match controller {
            Controller::Pids => self.pids_off(index),
            Controller::Memory => self.memory_off(index),
            Controller::Cpuset => self.cpuset_off(index),
            Controller::Cpu | Controller::Io | Controller::Hugetlb | Controller::Rdma | Controller::Misc => {}
        }
    }

    /// A new cgroup starts with what its parent hands down; its files belong to its maker.
    pub(super) fn inherit_controllers(&mut self, parent: u32, child: u32) {
        let (visible, active) = (self.cgroups[parent].subtree_control, self.cgroups[parent].subtree_active);
        self.cgroups[child].visible = visible;
        self.cgroups[child].active = active;
        for controller in active.iter() {
            self.controller_on(child, controller);
        }
    }

    /// A cgroup is about to be removed.
    pub(super) fn drop_controllers(&mut self, index: u32) {
        for controller in self.cgroups[index].active.iter() {
            self.controller_off(index, controller);
        }
        self.cgroups[index].active = ControllerSet::NONE;
        self.cgroups[index].visible = ControllerSet::NONE;
    }

    pub(super) fn is_threaded(&self, index: u32) -> bool {
        self.cgroups[index].domain != index
    }

    /// Has threaded children, or processes beside a threaded controller handed down.
    pub(super) fn is_thread_root(&self, index: u32) -> bool {
        let cgroup = &self.cgroups[index];
        let hands_down = !(cgroup.subtree_control & ControllerSet::THREADED).is_empty();
        !self.is_threaded(index) && (cgroup.threaded_children > 0 || (!cgroup.tasks.is_empty() && hands_down))
    }

    /// No populated domain child, no domain controller handed down. The root always can.
    pub(super) fn can_be_thread_root(&self, index: u32) -> bool {
        let cgroup = &self.cgroups[index];
        let free =
            cgroup.populated_domain_children == 0 && (cgroup.subtree_control - ControllerSet::THREADED).is_empty();
        cgroup.is_root() || (!self.is_threaded(index) && free)
    }

    /// Not threaded, and below neither a threaded cgroup nor a thread root other than the root.
    pub(super) fn is_valid_domain(&self, index: u32) -> bool {
        if self.is_threaded(index) {
            return false;
        }
        let mut above = self.cgroups[index].parent;
        while let Some(ancestor) = above {
            let cgroup = &self.cgroups[ancestor];
            if self.is_threaded(ancestor) || (!cgroup.is_root() && self.is_thread_root(ancestor)) {
                return false;
            }
            above = cgroup.parent;
        }
        true
    }

    pub(super) fn type_name(&self, index: u32) -> &'static str {
        if self.is_threaded(index) {
            "threaded"
        } else if !self.is_valid_domain(index) {
            "domain invalid"
        } else if self.is_thread_root(index) {
            "domain threaded"
        } else {
            "domain"
        }
    }

    pub(super) fn write_type(&mut self, who: &Caller, index: u32, text: &[u8]) -> Result<(), Errno> {
        if strip(text) != b"threaded" {
            return Err(Errno::EINVAL);
        }
        if self.is_threaded(index) {
            return Ok(());
        }
        let cgroup = &self.cgroups[index];
        let parent = cgroup.parent.expect("the root has no such file");
        let domain = self.cgroups[parent].domain;
        let hands_domain_down = !(cgroup.subtree_control - ControllerSet::THREADED).is_empty();
        if cgroup.populated() || hands_domain_down {
            return Err(Errno::EOPNOTSUPP);
        }
        if !self.is_valid_domain(domain) || !self.can_be_thread_root(domain) {
            return Err(Errno::EOPNOTSUPP);
        }
        self.for_each_below(index, &mut |kernel, below| {
            if below == index || kernel.is_threaded(below) {
                kernel.cgroups[below].domain = domain;
            }
        });
        self.cgroups[parent].threaded_children += 1;
        // Leaders that died here before are not carried over to the new domain, whose lists lack them.
        self.cgroups[index].dead_leaders.clear();
        self.update_controllers(who, index);
        Ok(())
    }
}
