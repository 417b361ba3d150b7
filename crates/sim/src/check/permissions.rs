//! Who may not, does not: of a request without permission nothing comes but a refusal.

use super::{Next, Oracle, Past, Verdict, View};
use crate::reference::Reference;
use crate::world::Visible;
use cgarbiter_core::client::Client;
use cgarbiter_core::request::{CallId, Request, UnitRef};
use std::collections::BTreeSet;

#[derive(Clone, Default)]
pub(super) struct Permissions {
    /// Calls that must be refused.
    forbidden: BTreeSet<CallId>,
}

impl Oracle for Permissions {
    fn name(&self) -> &'static str {
        "permissions"
    }

    fn before(&mut self, view: &View<'_>, next: &Next<'_>) -> Verdict {
        if let Next::Request(call, client, request) = next
            && client.uid != 0
            && !may(view.reference, client, request)
        {
            self.forbidden.insert(*call);
        }
        Ok(())
    }

    fn after(&mut self, _view: &View<'_>, past: &Past<'_>) -> Verdict {
        let Past::Told(Visible::Reply { call, result }) = past else { return Ok(()) };
        if self.forbidden.remove(call) && result.is_ok() {
            return Err(format!("call {} was carried out for somebody who may not", call.0));
        }
        Ok(())
    }

    fn crashed(&mut self) {
        *self = Self::default();
    }

    fn size(&self) -> usize {
        self.forbidden.len()
    }
}

/// What others than root may do: look, listen, and bring their own processes into a unit of their own.
fn may(reference: &Reference, client: &Client, request: &Request) -> bool {
    match request {
        Request::StartTransient { .. }
        | Request::Job { .. }
        | Request::EnqueueJob { .. }
        | Request::Kill { .. }
        | Request::Freeze { .. }
        | Request::Thaw { .. }
        | Request::ResetFailed { .. }
        | Request::ResetFailedAll
        | Request::SetProperties { .. }
        | Request::Ref { .. }
        | Request::Abandon { .. }
        | Request::ClearJobs
        | Request::Reload
        | Request::Reexecute
        | Request::SetEnvironment { .. }
        | Request::ChangeUnitFiles { .. }
        | Request::Set { .. }
        | Request::NotServed(_) => false,
        Request::Plan(request) => may(reference, client, request),
        Request::Attach { unit: UnitRef::Name(unit) | UnitRef::Object(unit), pids, .. } => {
            let own = |pid: &u32| {
                let home = crate::kernel::Pid::try_from(*pid).ok().and_then(|pid| reference.home(pid));
                home.is_none_or(|home| home.uid == client.uid)
            };
            reference.unit(unit).is_none_or(|unit| unit.owner == client.uid) && pids.iter().all(own)
        }
        Request::Unref { .. }
        | Request::Processes { .. }
        | Request::GetUnit { .. }
        | Request::LoadUnit { .. }
        | Request::UnitByPid { .. }
        | Request::UnitByPidFd { .. }
        | Request::UnitByControlGroup { .. }
        | Request::UnitByInvocationId { .. }
        | Request::UnitFileState { .. }
        | Request::UnitFiles { .. }
        | Request::UnitFileLinks { .. }
        | Request::ListUnits { .. }
        | Request::ListUnitsByNames { .. }
        | Request::ListJobs
        | Request::GetJob { .. }
        | Request::JobNeighbours { .. }
        | Request::Subscribe
        | Request::Unsubscribe
        | Request::Get { .. }
        | Request::GetAll { .. }
        | Request::Introspect { .. }
        | Request::Dump { .. } => true,
        // Nobody but root may make jobs, so that none is anybody else's to cancel.
        Request::CancelJob { .. } => false,
    }
}
