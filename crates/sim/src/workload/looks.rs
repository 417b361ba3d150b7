//! What clients look at, and what they change that is no unit: files, jobs, the environment.

use super::calls;
use super::requests::Asker;
use crate::choice::pick;
use crate::kernel::Pid;
use cgarbiter_core::systemd1::MethodCall;
use cgarbiter_core::value::Value;

impl Asker<'_> {
    /// As a rule one that is up.
    fn known_unit(&mut self) -> String {
        let known: Vec<String> = self.reference.units().map(|(name, _)| name.to_owned()).collect();
        match self.choice.below(4) {
            3 => self.any_unit(),
            _ => pick(self.choice, &known).cloned().unwrap_or_else(|| self.any_unit()),
        }
    }

    /// At what is measured, and at lists: what clients do all the time.
    pub(super) fn look(&mut self) -> MethodCall {
        let unit = self.known_unit();
        let interface = match unit.rsplit('.').next() {
            Some("scope") => "org.freedesktop.systemd1.Scope",
            Some("slice") => "org.freedesktop.systemd1.Slice",
            _ => "org.freedesktop.systemd1.Service",
        };
        match self.choice.below(12) {
            0 | 8..=11 => calls::get(&unit, interface, "CPUUsageNSec"),
            1 => calls::manager("ListUnits", Vec::new()),
            2 => calls::get_all(&unit, interface),
            3 => calls::get_all(&unit, "org.freedesktop.systemd1.Unit"),
            4 => calls::manager("GetUnitProcesses", vec![Value::str(unit)]),
            5 => calls::manager("GetUnitByPID", vec![Value::U32(self.process())]),
            6 => calls::manager("ListJobs", Vec::new()),
            _ => calls::get(&unit, interface, "MemoryCurrent"),
        }
    }

    /// At whatever else there is to be seen.
    pub(super) fn glance(&mut self) -> MethodCall {
        let unit = self.known_unit();
        let name = |member: &str, unit: String| calls::manager(member, vec![Value::str(unit)]);
        let number = Value::U32(1 + self.choice.below(50));
        match self.choice.below(17) {
            0 => name("GetUnit", unit),
            1 => name("LoadUnit", unit),
            2 => name("GetUnitFileState", unit),
            3 => calls::manager("ListUnitFiles", Vec::new()),
            4 => calls::manager("GetUnitFileLinks", vec![Value::str(unit), Value::Bool(true)]),
            5 => calls::manager("ListUnitsByNames", vec![Value::strings(vec![unit])]),
            6 => calls::manager("GetJob", vec![number]),
            7 => calls::manager("GetJobAfter", vec![number]),
            8 => calls::manager("GetJobBefore", vec![number]),
            9 => calls::manager("Dump", Vec::new()),
            10 => self.by_cgroup(&unit),
            11 => self.by_invocation(&unit),
            12 => self.by_descriptor(),
            13 => MethodCall {
                interface: Some("org.freedesktop.DBus.Introspectable".into()),
                ..calls::manager("Introspect", Vec::new())
            },
            14 => self.rehearsal(&unit),
            15 => self.rehearsed_change(&unit),
            _ => calls::get(&unit, "org.freedesktop.systemd1.Unit", "ActiveState"),
        }
    }

    fn by_descriptor(&mut self) -> MethodCall {
        let pid = Pid::try_from(self.process()).unwrap_or_default();
        let pin = self.world.backend_mut().take_descriptor(pid);
        calls::manager("GetUnitByPIDFD", vec![Value::Handle(pin.map_or(0, |pin| pin.0))])
    }

    fn by_cgroup(&mut self, unit: &str) -> MethodCall {
        let cgroup = self.reference.unit(unit).map(|promise| promise.cgroup.clone()).unwrap_or_default();
        calls::manager("GetUnitByControlGroup", vec![Value::str(cgroup)])
    }

    fn by_invocation(&mut self, unit: &str) -> MethodCall {
        let graph = self.world.manager().graph();
        let id = graph.find(unit).and_then(|id| graph.unit(id).invocation_id).unwrap_or([7; 16]);
        calls::manager("GetUnitByInvocationID", vec![calls::bytes(id)])
    }

    /// What a job would come to, without its being done.
    fn rehearsal(&mut self, unit: &str) -> MethodCall {
        let verb = ["start", "stop", "restart"][self.choice.below(3) as usize];
        calls::planned("PlanUnitJob", vec![Value::str(unit), Value::str(verb), Value::str("replace")])
    }

    fn rehearsed_change(&mut self, unit: &str) -> MethodCall {
        let list = self.limits();
        calls::planned("PlanSetUnitProperties", vec![Value::str(unit), Value::Bool(true), calls::properties(list)])
    }

    /// A job by the word for its type.
    pub(super) fn enqueue(&mut self) -> MethodCall {
        let kind = ["start", "stop", "restart", "try-restart", "verify-active", "reload-or-start"];
        let kind = kind[self.choice.below(6) as usize];
        let (unit, mode) = (self.any_unit(), self.mode());
        calls::manager("EnqueueUnitJob", vec![Value::str(unit), Value::str(kind), Value::str(mode)])
    }

    /// Which files count. A service of that name that is made is refused then.
    pub(super) fn install(&mut self) -> MethodCall {
        let files = Value::strings(vec![self.service()]);
        let runtime = Value::Bool(self.choice.below(2) == 1);
        match self.choice.below(3) {
            0 => calls::manager("MaskUnitFiles", vec![files, runtime, Value::Bool(false)]),
            1 => calls::manager("RevertUnitFiles", vec![files]),
            _ => calls::manager("UnmaskUnitFiles", vec![files, runtime]),
        }
    }
}
