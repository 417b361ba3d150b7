//! What an arbiter finds when it starts, as text.

use crate::tables::{choice, record};
use cgarbiter_core::OpError;
use cgarbiter_core::found::{Found, FoundCgroup, FoundDescriptor, FoundFile};

record!(Found { cgroups, files, unit_files, descriptors });
record!(FoundDescriptor { unit, pin, name, polled });
record!(FoundCgroup { path, id, enabled, invocation, delegated, populated, freeze, frozen, pids });
record!(FoundFile { path, content });
choice!(Result<String, OpError> { Ok(text), Err(error) });
