//! May this client do that? Root and the arbiter's own user may do everything; others may look, and may cancel their
//! own jobs (reference 07.2; there is no polkit to ask).

use crate::error::{Refusal, RefusalKind};
use crate::request::Request;

/// Who is asking, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// Root, or the arbiter's own user.
    Full,
    /// Anybody else.
    None,
}

/// Whether a request may go on. Requests that have checks of their own (attaching processes, canceling a job) pass
/// here.
///
/// # Errors
/// `AccessDenied`.
pub fn check(privilege: Privilege, request: &Request) -> Result<(), Refusal> {
    if privilege == Privilege::Full || is_open_to_all(request) {
        return Ok(());
    }
    Err(Refusal::new(RefusalKind::AccessDenied, "Permission denied"))
}

fn is_open_to_all(request: &Request) -> bool {
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
        Request::Plan(request) => is_open_to_all(request),
        Request::Attach { .. }
        | Request::Unref { .. }
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
        | Request::CancelJob { .. }
        | Request::Subscribe
        | Request::Unsubscribe
        | Request::Get { .. }
        | Request::GetAll { .. }
        | Request::Introspect { .. }
        | Request::Dump { .. } => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::UnitRef;
    use alloc::boxed::Box;

    fn unit() -> UnitRef {
        UnitRef::Name("a.scope".into())
    }

    #[test]
    fn who_has_all_rights_may_do_everything() {
        assert_eq!(check(Privilege::Full, &Request::Kill { unit: unit(), whom: "all".into(), signal: 9 }), Ok(()));
        assert_eq!(check(Privilege::Full, &Request::Reexecute), Ok(()));
    }

    #[test]
    fn others_may_look_and_change_nothing() {
        let changes = [
            Request::Freeze { unit: unit() },
            Request::SetProperties { unit: unit(), runtime: true, properties: Default::default() },
            Request::ClearJobs,
            Request::Reload,
        ];
        for request in changes {
            let refusal = check(Privilege::None, &request).expect_err("refused");
            assert_eq!(refusal.kind, RefusalKind::AccessDenied, "{request:?}");
            // Nor may they find out what would come of it.
            assert!(check(Privilege::None, &Request::Plan(Box::new(request))).is_err());
        }
        for request in [Request::ListJobs, Request::GetUnit { name: "a.scope".into() }, Request::Subscribe] {
            assert_eq!(check(Privilege::None, &request), Ok(()), "{request:?}");
        }
    }
}
