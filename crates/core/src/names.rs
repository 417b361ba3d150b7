//! Names: unit names, slices and the tree they span, cgroup paths, object-path labels. Parsed once at the door, valid
//! for ever after. Rules: reference 01.

mod escape;
mod label;
mod path;
mod slice;
mod unit_name;

pub use escape::{escape, path_escape, unescape};
pub use label::{UNIT_PREFIX, label_escape, label_unescape, unit_object_path};
pub use path::{CgroupPath, cgroup_escape, cgroup_unescape};
pub use slice::{default_slice, is_default_slice, slice_parent};
pub use unit_name::{NameError, NameForm, UnitName, UnitType};
