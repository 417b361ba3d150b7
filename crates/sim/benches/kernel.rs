//! How fast the imagined kernel answers, in a world of 100 cgroups with memory and pids handed down.

use cgarbiter_sim::kernel::{Caller, CgroupId, Config, File, Fork, Kernel, Pid};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

const ROOT: Caller = Caller::INIT;

struct World {
    kernel: Kernel,
    slices: Vec<CgroupId>,
    scopes: Vec<CgroupId>,
    pids: Vec<Pid>,
}

/// Ten slices of nine scopes, a process in each scope.
fn world() -> World {
    let mut kernel = Kernel::new(Config::default());
    kernel.write(&ROOT, CgroupId::ROOT, File::CgroupSubtreeControl, b"+memory +pids").expect("handed down");
    let (mut slices, mut scopes, mut pids) = (vec![], vec![], vec![]);
    for slice in 0..10 {
        let name = format!("app-{slice}.slice");
        let slice = kernel.mkdir(&ROOT, CgroupId::ROOT, name.as_bytes()).expect("made");
        kernel.write(&ROOT, slice, File::CgroupSubtreeControl, b"+memory +pids").expect("handed down");
        for scope in 0..9 {
            let scope = kernel.mkdir(&ROOT, slice, format!("run-{scope}.scope").as_bytes()).expect("made");
            pids.push(kernel.fork(&ROOT, &Fork { into: Some(scope), ..Fork::default() }).expect("started"));
            scopes.push(scope);
        }
        slices.push(slice);
    }
    World { kernel, slices, scopes, pids }
}

/// One life of a scope: eleven calls.
fn life(kernel: &mut Kernel, slice: CgroupId, text: &mut String) {
    let scope = kernel.mkdir(&ROOT, slice, b"new.scope").expect("made");
    kernel.write(&ROOT, scope, File::MemoryMax, b"64M\n").expect("written");
    kernel.write(&ROOT, scope, File::PidsMax, b"16\n").expect("written");
    let pid = kernel.fork(&ROOT, &Fork::default()).expect("started");
    kernel.write(&ROOT, scope, File::CgroupProcs, pid.to_string().as_bytes()).expect("moved");
    text.clear();
    kernel.read_into(&ROOT, scope, File::CgroupEvents, text).expect("read");
    kernel.write(&ROOT, scope, File::CgroupKill, b"1\n").expect("killed");
    kernel.reap(Kernel::INIT, pid).expect("a zombie");
    kernel.read_into(&ROOT, scope, File::MemoryEvents, text).expect("read");
    black_box(kernel.take_notices());
    kernel.rmdir(&ROOT, scope).expect("removed");
}

fn lives(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lives");
    let World { mut kernel, slices, .. } = world();
    let mut text = String::new();
    group.throughput(Throughput::Elements(11));
    group.bench_function("100 cgroups", |bencher| bencher.iter(|| life(&mut kernel, slices[3], &mut text)));
    for sibling in 0..10_000 {
        kernel.mkdir(&ROOT, slices[3], format!("sibling-{sibling}.scope").as_bytes()).expect("made");
    }
    group.bench_function("10000 siblings", |bencher| bencher.iter(|| life(&mut kernel, slices[3], &mut text)));
    group.finish();
}

fn single_calls(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("calls");
    let World { mut kernel, scopes, pids, .. } = world();
    group.throughput(Throughput::Elements(1));
    let mut text = String::new();
    group.bench_function("read cgroup.events", |bencher| {
        bencher.iter(|| {
            text.clear();
            kernel.read_into(&ROOT, scopes[40], File::CgroupEvents, &mut text).expect("read");
        });
    });
    group.bench_function("write memory.max", |bencher| {
        bencher.iter(|| kernel.write(&ROOT, scopes[40], File::MemoryMax, b"64M\n").expect("written"));
    });
    let (number, mut turn) = (pids[40].to_string(), 0);
    group.bench_function("move a process", |bencher| {
        bencher.iter(|| {
            turn += 1;
            kernel.write(&ROOT, scopes[40 + turn % 2 * 20], File::CgroupProcs, number.as_bytes()).expect("moved");
        });
    });
    group.bench_function("look a path up", |bencher| {
        bencher.iter(|| kernel.lookup(&ROOT, black_box(b"/app-4.slice/run-4.scope")).expect("there"));
    });
    drop(kernel.take_notices());
    group.bench_function("clone the world", |bencher| bencher.iter(|| black_box(kernel.clone())));
    group.finish();
}

criterion_group!(benches, lives, single_calls);
criterion_main!(benches);
