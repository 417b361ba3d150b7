//! The power is cut at every point of a change that is to stay: the old value or the new one is there afterwards, as a
//! whole, and the unit has it; once it was answered, the new one.

use cgarbiter_core::Config;
use cgarbiter_core::systemd1::MethodCall;
use cgarbiter_core::value::Value;
use cgarbiter_sim::kernel;
use cgarbiter_sim::world::{Visible, World};

const FILE: &str = "/etc/systemd/system.control/a.slice.d/50-MemoryMax.conf";
const OLD: u64 = 1 << 20;
const NEW: u64 = 3 << 20;

fn call(world: &mut World, path: &str, member: &str, args: Vec<Value>) {
    let (interface, member) = member.rsplit_once('.').expect("an interface and a member");
    let client = world.connect(0, None);
    let call = MethodCall { path: path.into(), interface: Some(interface.into()), member: member.into(), args };
    world.call(client, call);
}

fn set(world: &mut World, memory_max: u64) {
    let value = Value::Variant(Box::new(Value::U64(memory_max)));
    let list = Value::Array("(sv)".into(), vec![Value::Struct(vec![Value::str("MemoryMax"), value])]);
    let args = vec![Value::str("a.slice"), Value::Bool(false), list];
    call(world, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager.SetUnitProperties", args);
}

/// What the unit has, as its property says.
fn memory_max(world: &mut World) -> u64 {
    let args = vec![Value::str("org.freedesktop.systemd1.Slice"), Value::str("MemoryMax")];
    let path = "/org/freedesktop/systemd1/unit/a_2eslice";
    call(world, path, "org.freedesktop.DBus.Properties.Get", args);
    world.run_until_quiet();
    let mut visible = std::iter::from_fn(|| world.take_visible());
    let value = visible.find_map(|visible| match visible {
        Visible::Reply { result: Ok(body), .. } => Some(body),
        _ => None,
    });
    match value.as_deref() {
        Some([Value::Variant(value)]) if matches!(**value, Value::U64(_)) => {
            let Value::U64(number) = **value else { unreachable!() };
            number
        }
        other => panic!("{other:?}"),
    }
}

/// Cuts the power after so many parts of the next step, and looks at what is left.
fn after_a_cut(world: &World, parts: usize, is_lost: bool) -> u64 {
    let mut world = world.clone();
    world.make_partly(parts);
    while world.take_visible().is_some() {}
    world.cut_power(|_| is_lost);
    let found = memory_max(&mut world);
    let text = world.backend().store().read(FILE).expect("it has been there all the time").to_owned();
    assert!(text.ends_with(&format!("[Slice]\nMemoryMax={found}\n\n")), "{text:?}, and the unit has {found}");
    found
}

#[test]
fn a_setting_that_is_to_stay_is_the_old_or_the_new_one_at_every_point() {
    let mut world = World::new(Config::example(), kernel::Config::default());
    set(&mut world, OLD);
    world.run_until_quiet();
    while world.take_visible().is_some() {}
    set(&mut world, NEW);
    let (mut found, mut is_answered) = (Vec::new(), false);
    loop {
        for (parts, is_lost) in (0..=world.cuts_in_move()).flat_map(|parts| [(parts, false), (parts, true)]) {
            found.push(after_a_cut(&world, parts, is_lost));
            assert!(!is_answered || found.ends_with(&[NEW]), "it was answered, and {found:?}");
        }
        if !world.step() {
            break;
        }
        while let Some(visible) = world.take_visible() {
            is_answered |= matches!(visible, Visible::Reply { result: Ok(_), .. });
        }
    }
    assert!(is_answered && found.first() == Some(&OLD) && found.contains(&NEW), "{found:?}");
    let (lost, kept) = (found.iter().step_by(2), found.iter().skip(1).step_by(2));
    assert!(lost.ne(kept), "between the renaming and the syncing it depends on the disk: {found:?}");
}
