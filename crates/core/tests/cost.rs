//! What a request costs, counted instead of timed: allocations and steps must not depend on how many units there are,
//! and memory for each unit has a bound.

#![allow(clippy::print_stdout, reason = "the figures are worth reading")]

#[path = "support/counting.rs"]
mod counting;
mod support;

use cgarbiter_core::request::JobVerb;
use cgarbiter_core::unit::{ActiveState, LoadState};
use counting::{ALLOCATIONS, Counting, LIVE};
use support::{Machine, job, like_runc, root, scope};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often start and stop are repeated; what the tables allocate to grow is spread over them.
const REPEATS: u64 = 50;

fn present(count: u32, start: fn(&mut Machine, u32)) -> Machine {
    let mut machine = Machine::with_room_for(count as usize + 16);
    machine.start("bench.slice", Vec::new());
    for n in 0..count {
        start(&mut machine, n);
        machine.replies.clear();
    }
    machine
}

fn a_scope(machine: &mut Machine, n: u32) {
    machine.start(&format!("libpod-{n:024x}.scope"), scope("bench.slice", 20_000 + n));
}

fn a_container(machine: &mut Machine, n: u32) {
    machine.start(&format!("libpod-{n:024x}.scope"), like_runc("bench.slice", 20_000 + n));
}

fn a_slice(machine: &mut Machine, n: u32) {
    machine.start(&format!("present{n:010}.slice"), Vec::new());
}

/// Allocations and steps of a start and a stop.
fn cost_of_a_scope(machine: &mut Machine) -> (u64, u64) {
    let once = |machine: &mut Machine| {
        machine.start("one.scope", scope("bench.slice", 7));
        machine.stop("one.scope");
        machine.replies.clear();
    };
    once(machine);
    let (allocations, steps) = (ALLOCATIONS.get(), machine.steps);
    (0..REPEATS).for_each(|_| once(machine));
    ((ALLOCATIONS.get() - allocations) / REPEATS, (machine.steps - steps) / REPEATS)
}

#[test]
fn a_start_costs_the_same_however_many_units_there_are() {
    for start in [a_scope, a_slice] {
        let (few, steps_few) = cost_of_a_scope(&mut present(10, start));
        let (many, steps_many) = cost_of_a_scope(&mut present(10_000, start));
        println!("{few} or {many} allocations, {steps_few} or {steps_many} steps");
        assert!(many <= few + 8, "{few} allocations with 10 units, {many} with 10,000");
        assert_eq!(steps_few, steps_many);
        assert!(few <= ALLOCATIONS_MAX, "{few} allocations for a start and a stop");
    }
}

/// So many allocations for a start and a stop, machine and requests included: a ratchet.
const ALLOCATIONS_MAX: u64 = 180;

#[test]
fn a_start_costs_the_same_however_many_listeners_there_are() {
    let cost = |listeners: u64| {
        let mut machine = present(10, a_scope);
        for n in 0..listeners {
            let id = cgarbiter_core::client::ClientId(100 + n);
            let transport = cgarbiter_core::client::Transport::Bus(format!(":1.{n}").into());
            let client = cgarbiter_core::client::Client { id, transport, ..root() };
            machine.ask(client, cgarbiter_core::Request::Subscribe);
        }
        cost_of_a_scope(&mut machine)
    };
    let (few, many) = (cost(1), cost(5_000));
    assert_eq!(few, many);
}

/// Bytes that a unit may take, and one with as many settings as runc gives its containers.
const BYTES_MAX: i64 = 1_500;
const BYTES_OF_A_CONTAINER_MAX: i64 = 2_400;
/// Of a unit that is loaded and down.
const BYTES_OF_A_SERVICE_MAX: i64 = 1_900;

#[test]
fn a_unit_takes_no_more_memory_than_it_may() {
    bytes_of("scope", a_scope, BYTES_MAX);
    bytes_of("container", a_container, BYTES_OF_A_CONTAINER_MAX);
    bytes_of("slice", a_slice, BYTES_MAX);
}

/// What is loaded because somebody names it, and is down: its settings, its names, its ties; not the text of its file.
#[test]
fn a_unit_that_is_down_takes_no_more_memory_than_it_may() {
    let units = 10_000;
    let named = |n: u32| format!("named-{n:016x}.service");
    let text = |n: u32| {
        format!(
            "[Unit]\nDescription=The named one with the number {n}\nAfter=network.target\n[Service]\nType=simple\n\
             ExecStart=/usr/sbin/named --foreground --number {n}\nRestart=on-failure\nMemoryMax=64M\nTasksMax=32\n"
        )
    };
    let all: String = (0..units).map(|n| format!("After={}\n", named(n))).collect();
    let names = ("names.service".to_owned(), format!("[Unit]\n{all}[Service]\nExecStart=/bin/sleep infinity\n"));
    let mut machine = Machine::with_files((0..units).map(|n| (named(n), text(n))).chain([names]));
    machine.replies.clear();
    let before = LIVE.get();
    machine.ask(root(), job("names.service", JobVerb::Start));
    machine.settle();
    assert!(machine.manager.graph().len() > units as usize);
    assert!(machine.manager.graph().find(&named(units - 1)).is_some_and(|id| {
        let unit = machine.manager.graph().unit(id);
        unit.load == LoadState::Loaded && unit.active() == ActiveState::Inactive
    }));
    let each = (LIVE.get() - before) / i64::from(units);
    println!("service that is down: {each} bytes");
    assert!(each <= BYTES_OF_A_SERVICE_MAX, "{each} bytes for each");
}

fn bytes_of(kind: &str, start: fn(&mut Machine, u32), bytes_max: i64) {
    let mut machine = present(1_000, start);
    let units = 10_000;
    machine.make_room_for(units as usize);
    let before = LIVE.get();
    (1_000..1_000 + units).for_each(|n| {
        start(&mut machine, n);
        machine.replies.clear();
    });
    let each = (LIVE.get() - before) / i64::from(units);
    println!("{kind}: {each} bytes");
    assert!(each <= bytes_max, "{each} bytes for each {kind}");
}
