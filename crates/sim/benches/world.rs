//! How many steps of plans the whole world takes in a second: requests, manager, plans, kernel, notices.

mod busy;

use busy::Busy;
use cgarbiter_core::Config;
use cgarbiter_core::client::ClientId;
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::systemd1::MethodCall;
use cgarbiter_core::value::Value;
use cgarbiter_sim::kernel::{self, Caller, Fork};
use cgarbiter_sim::world::{Move, World};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// So many rounds, and everything is as large as it will be.
const WARM_UP: u64 = 100;

fn world() -> (World, ClientId) {
    let mut config = Config::example();
    config.root_enabled = ControllerMask::MEMORY | ControllerMask::PIDS;
    let mut world = World::new(config, kernel::Config::default());
    let client = world.connect(0, None);
    (world, client)
}

fn start(pid: i32) -> MethodCall {
    let property = |name: &str, value| Value::Struct(vec![Value::str(name), Value::Variant(Box::new(value))]);
    let pids = Value::Array("u".into(), vec![Value::U32(u32::try_from(pid).expect("a pid"))]);
    let properties = vec![
        property("Slice", Value::str("app-bench.slice")),
        property("MemoryMax", Value::U64(1 << 20)),
        property("PIDs", pids),
    ];
    MethodCall {
        path: "/org/freedesktop/systemd1".into(),
        interface: Some("org.freedesktop.systemd1.Manager".into()),
        member: "StartTransientUnit".into(),
        args: vec![
            Value::str("run.scope"),
            Value::str("fail"),
            Value::Array("(sv)".into(), properties),
            Value::Array("(sa(sv))".into(), Vec::new()),
        ],
    }
}

/// A scope from its request until nothing is left of it; how many steps its plans had.
fn life(world: &mut World, client: ClientId) -> u64 {
    let kernel = world.backend_mut().kernel_mut();
    let pid = kernel.fork(&Caller::INIT, &Fork::default()).expect("there is room");
    world.call(client, start(pid));
    let before = until_quiet(world);
    let kernel = world.backend_mut().kernel_mut();
    kernel.exit(pid, 0).expect("it lives");
    kernel.reap(kernel::Kernel::INIT, pid).expect("it is over");
    let after = until_quiet(world);
    while world.take_visible().is_some() {}
    before + after
}

fn until_quiet(world: &mut World) -> u64 {
    let mut steps = 0;
    while let Some(next) = world.moves().next() {
        steps += u64::from(next == Move::Plan);
        world.make(next);
    }
    steps
}

fn lives(criterion: &mut Criterion) {
    let (mut world, client) = world();
    life(&mut world, client);
    let steps = life(&mut world, client);
    let mut group = criterion.benchmark_group("world");
    group.throughput(Throughput::Elements(steps));
    group
        .bench_function("steps of the life of a scope", |bencher| bencher.iter(|| black_box(life(&mut world, client))));
    group.finish();
}

/// The figure by which the simulator is measured: what goes on among a hundred units, in steps of plans. A step is one
/// operation on kernel or store that a plan asks for ([`cgarbiter_core::Step`]); the events, questions, replies and
/// signals that belong to it are not counted, but cost.
fn hundred_units(criterion: &mut Criterion) {
    let mut busy = Busy::new();
    (0..WARM_UP).for_each(|_| busy.round());
    let before = busy.steps();
    (0..WARM_UP).for_each(|_| busy.round());
    let steps = (busy.steps() - before) / WARM_UP;
    let mut group = criterion.benchmark_group("world");
    group.throughput(Throughput::Elements(steps));
    group.bench_function("steps among a hundred units", |bencher| bencher.iter(|| busy.round()));
    group.finish();
}

criterion_group!(benches, lives, hundred_units);
criterion_main!(benches);
