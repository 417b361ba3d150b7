//! Pass 2: a checked property becomes part of the settings. Nothing can fail here.

use super::kind::{Kind, Memory};
use super::property::{Property, Setting};
use super::values::{Checked, OtherControllers};
use super::{devices, exec, markers};
use crate::controllers::ControllerMask;
use crate::names::UnitName;
use crate::settings::{Dependency, Resources, Settings, StatusSet, StreamKind, StreamSettings, TasksMax};

impl Property {
    /// Pass 2: makes it so in the settings. What concerns more than the settings (moving processes, the place in the
    /// tree, references, edges of the graph) is the manager's.
    pub fn apply(&self, settings: &mut Settings) {
        match self {
            Self::Slice(name) => settings.slice.clone_from(name),
            Self::Dependencies(kind, names) => add_dependencies(settings, *kind, names),
            Self::Markers(change) => markers::apply(change, &mut settings.rare_mut().markers),
            Self::Setting(setting) => setting.apply(settings),
            Self::Pids(_) | Self::PidFds(_) | Self::AddRef(_) | Self::Controller(_) => {}
        }
    }
}

fn add_dependencies(settings: &mut Settings, kind: Dependency, names: &[UnitName]) {
    for name in names {
        if !settings.dependencies.iter().any(|(k, n)| *k == kind && n == name) {
            settings.dependencies.push((kind, name.clone()));
        }
    }
}

impl Setting {
    fn apply(&self, s: &mut Settings) {
        match (&self.row.kind, &self.value) {
            (Kind::Flag(field), Checked::Flag(flag)) => *(field.get_mut)(s) = *flag,
            (Kind::OptionalFlag(field), Checked::Flag(flag)) => *(field.get_mut)(s) = Some(*flag),
            (Kind::Text(field, _), Checked::Text(text)) => *(field.get_mut)(s) = text.as_deref().map(Into::into),
            (Kind::Principal(field), Checked::Text(text)) => (field.get_mut)(s).clone_from(text),
            (Kind::Description, Checked::Text(text)) => {
                s.description = text.clone().filter(|text| !text.is_empty());
            }
            (Kind::Choice(choice), Checked::Choice(index)) => (choice.set)(s, *index),
            (Kind::Signal(_, set), Checked::Signal(number)) => set(s, *number),
            (Kind::Patience(field), Checked::Number(usec)) => {
                *(field.get_mut)(s) = Some(*usec).filter(|usec| !matches!(*usec, 0 | u64::MAX));
            }
            (Kind::OptionalTime(field, true), Checked::Number(0)) => *(field.get_mut)(s) = Some(u64::MAX),
            (Kind::OptionalTime(field, _), Checked::Number(usec)) => *(field.get_mut)(s) = Some(*usec),
            (Kind::Count(field), Checked::Number(count)) => {
                *(field.get_mut)(s) = u32::try_from(*count).unwrap_or(u32::MAX);
            }
            (Kind::OptionalCount(field), Checked::Number(count)) => {
                *(field.get_mut)(s) = Some(u32::try_from(*count).unwrap_or(u32::MAX));
            }
            (Kind::Statuses(field), Checked::Statuses(None)) => *(field.get_mut)(s) = StatusSet::NONE,
            (Kind::Statuses(field), Checked::Statuses(Some(more))) => (field.get_mut)(s).add(more),
            (
                Kind::Time(field)
                | Kind::StopTime(field)
                | Kind::Weight(field, ..)
                | Kind::Quota(field)
                | Kind::Period(field),
                Checked::Number(number),
            ) => *(field.get_mut)(s) = *number,
            (Kind::Memory(memory), Checked::Number(bytes)) | (Kind::MemoryScale(memory), Checked::Share(_, bytes)) => {
                set_memory(memory, s, *bytes)
            }
            (Kind::TasksMax, Checked::Number(count)) => s.resources.tasks_max = tasks_max(*count),
            (Kind::TasksMax | Kind::TasksMaxScale, Checked::Fraction(fraction)) => {
                s.resources.tasks_max = TasksMax::Scale(*fraction);
            }
            (Kind::Fraction(field), Checked::Fraction(fraction)) => *(field.get_mut)(s) = *fraction,
            (Kind::CpuSet(field), Checked::Set(set)) => (field.get_mut)(s).clone_from(set),
            (Kind::Delegate, Checked::Flag(flag)) => delegate(&mut s.resources, *flag),
            (Kind::Delegate | Kind::DelegateControllers, Checked::Controllers(mask, _)) => {
                delegate_to(&mut s.resources, *mask)
            }
            (Kind::DisableControllers, Checked::Controllers(mask, others)) => {
                disable(&mut s.resources, *mask, *others);
            }
            (_, value) => self.apply_list(s, value),
        }
    }

    fn apply_list(&self, s: &mut Settings, value: &Checked) {
        match (&self.row.kind, value) {
            (Kind::DeviceWeights(field, ..), Checked::Devices(list)) => devices::merge((field.get_mut)(s), list),
            (Kind::DeviceLatency, Checked::Devices(list)) => {
                devices::merge(&mut s.resources.extra_mut().io_device_latency, list);
            }
            (Kind::DeviceLimit(column), Checked::Devices(list)) => {
                devices::merge_column(&mut s.resources.extra_mut().io_device_limits, *column, list);
            }
            (Kind::DeviceBandwidth(column), Checked::Devices(list)) => {
                devices::merge_column(&mut s.resources.extra_mut().block_io_device_bandwidth, *column, list);
            }
            (Kind::DeviceAllow, Checked::Allow(list)) => {
                devices::merge_allow(&mut s.resources.extra_mut().device_allow, list);
            }
            (Kind::DeviceAllow, Checked::AllowLast(list)) => {
                devices::append_allow(&mut s.resources.extra_mut().device_allow, list);
            }
            (Kind::IpPrefixes(field), Checked::Prefixes(list)) => devices::merge_prefixes((field.get_mut)(s), list),
            (Kind::Strings(field, ..), Checked::Strings(list)) => append((field.get_mut)(s), list),
            (Kind::EnvironmentFiles, Checked::Files(list)) => append(&mut s.exec_mut().environment_files, list),
            (Kind::Environment, Checked::Strings(list)) => {
                exec::merge_environment(&mut s.service_mut().environment, list);
            }
            (Kind::Commands(step) | Kind::CommandsEx(step), Checked::Commands(list)) => {
                append(&mut s.service_mut().commands[*step as usize], list);
            }
            (_, value) => self.apply_context(s, value),
        }
    }

    fn apply_context(&self, s: &mut Settings, value: &Checked) {
        match (&self.row.kind, value) {
            (Kind::Integer(integer), Checked::Integer(number)) => (integer.set)(s, *number),
            (Kind::Mode(field), Checked::Fraction(mode)) => *(field.get_mut)(s) = *mode,
            (Kind::Capabilities(field), Checked::Number(set)) => *(field.get_mut)(s) = *set,
            (Kind::Limit(index, _), Checked::Limits(soft, hard)) => s.exec_mut().limits[*index] = Some((*soft, *hard)),
            (Kind::Limit(index, is_soft), Checked::Number(number)) => {
                let (soft, hard) = s.exec().limits[*index].unwrap_or((*number, *number));
                // One that is given alone is both; the other may follow.
                let both = if *is_soft { (*number, hard.max(*number)) } else { (soft.min(*number), *number) };
                s.exec_mut().limits[*index] = Some(both);
            }
            (Kind::Stream(number), Checked::Stream(kind)) => {
                s.exec_mut().streams[*number] = StreamSettings { kind: *kind, file: None, handle: None };
            }
            (Kind::Stream(number), Checked::StreamAt(kind, file)) => {
                s.exec_mut().streams[*number] = StreamSettings { kind: *kind, file: file.clone(), handle: None };
            }
            (Kind::StreamFile(number, mode), Checked::Text(file)) => {
                let file = file.as_deref().map(Into::into);
                s.exec_mut().streams[*number] = StreamSettings { kind: StreamKind::File(*mode), file, handle: None };
            }
            (Kind::StreamHandle(number), Checked::Number(handle)) => {
                s.exec_mut().streams[*number].handle = Some(*handle);
            }
            _ => unreachable!("the check of {:?} gives no such value", self.row),
        }
    }
}

fn set_memory(memory: &Memory, settings: &mut Settings, bytes: u64) {
    *(memory.field.get_mut)(settings) = bytes;
    if let Some(set) = memory.set {
        *(set.get_mut)(settings) = true;
    }
}

fn tasks_max(count: u64) -> TasksMax {
    if count == u64::MAX { TasksMax::Infinity } else { TasksMax::Count(count) }
}

fn delegate(resources: &mut Resources, flag: bool) {
    resources.delegate = flag;
    resources.delegate_controllers = if flag { ControllerMask::all() } else { ControllerMask::empty() };
}

fn delegate_to(resources: &mut Resources, mask: ControllerMask) {
    resources.delegate = true;
    resources.delegate_controllers = if mask.is_empty() { mask } else { resources.delegate_controllers | mask };
}

fn disable(resources: &mut Resources, mask: ControllerMask, others: OtherControllers) {
    let reset = mask.is_empty() && others == OtherControllers::default();
    resources.disable_controllers = if reset { mask } else { resources.disable_controllers | mask };
    let known = if reset { 0 } else { resources.extra().disable_other | others.0 };
    if known != resources.extra().disable_other {
        resources.extra_mut().disable_other = known;
    }
}

/// The list rule: nothing at all empties it, anything else is appended.
fn append<T: Clone>(list: &mut alloc::vec::Vec<T>, given: &[T]) {
    if given.is_empty() {
        list.clear();
    }
    list.extend_from_slice(given);
}
