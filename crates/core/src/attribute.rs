//! One value that should stand in a cgroup's interface file, as the realizer compares and writes it. Which values
//! follow from which settings is decided in `resources.rs`.

use crate::controllers::Controller;
use crate::names::CgroupPath;
use crate::plan::Op;
use alloc::borrow::Cow;
use alloc::string::String;

/// A value for an interface file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// The controller that the file belongs to.
    pub controller: Controller,
    /// The file, e.g. `memory.max`.
    pub file: &'static str,
    /// The device a line is about, as the path that was configured; empty for files that are not by device. The backend
    /// resolves it when it writes, and puts `MAJ:MIN ` in front of the value.
    pub device: String,
    /// The text to write, without a newline.
    pub value: Cow<'static, str>,
    /// Whether a fresh cgroup holds this value without our writing it.
    pub is_default: bool,
    /// Whether a refusal fails nothing: the file is one that many kernels lack, or the line is about a device that may
    /// not be there. It is still reported.
    pub optional: bool,
}

impl Attribute {
    /// A value for a whole file, where a fresh cgroup holds `default`.
    #[must_use]
    pub fn new(controller: Controller, file: &'static str, value: impl Into<Cow<'static, str>>, default: &str) -> Self {
        let value = value.into();
        let is_default = value == default;
        Self { controller, file, device: String::new(), value, is_default, optional: false }
    }

    /// A line about one device.
    #[must_use]
    pub fn of_device(controller: Controller, file: &'static str, device: &str, value: String) -> Self {
        Self { controller, file, device: device.into(), value: value.into(), is_default: false, optional: true }
    }

    /// The operation that writes it.
    #[must_use]
    pub fn into_op(self, cgroup: CgroupPath) -> Op {
        if self.device.is_empty() {
            Op::Write { cgroup, file: self.file, value: self.value.into_owned() }
        } else {
            Op::WriteDevice { cgroup, file: self.file, device: self.device, value: self.value.into_owned() }
        }
    }
}

/// What the slices above hand down to units that do not say otherwise (reference 04.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inherited {
    /// `DefaultMemoryMin` of the nearest slice that sets it.
    pub memory_min: Option<u64>,
    /// `DefaultMemoryLow` likewise.
    pub memory_low: Option<u64>,
}
