//! What the core costs: starts and stops with few and with many units present, the diff, names, properties, large
//! transactions. Nothing of it may depend on how many units, siblings or listeners there are.

#[path = "../tests/support/mod.rs"]
mod support;

use cgarbiter_core::client::Transport;
use cgarbiter_core::names::{UnitName, UnitType, label_escape};
use cgarbiter_core::properties::{self, Context};
use cgarbiter_core::request::JobVerb;
use cgarbiter_core::{Config, Event, Request};
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use support::{Machine, job, like_runc, root, scope};

/// A machine with so many scopes in one slice.
fn with_scopes(count: u32) -> Machine {
    let mut machine = Machine::new();
    machine.start("bench.slice", Vec::new());
    for n in 0..count {
        machine.start(&format!("present-{n}.scope"), scope("bench.slice", 20_000 + n));
        machine.replies.clear();
    }
    machine
}

/// A machine with so many slices.
fn with_slices(count: u32) -> Machine {
    let mut machine = Machine::new();
    machine.start("bench.slice", Vec::new());
    for n in 0..count {
        machine.start(&format!("present{n}.slice"), Vec::new());
        machine.replies.clear();
    }
    machine
}

fn start_and_stop(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("start and stop");
    for kind in ["siblings", "slices"] {
        for count in [0, 1_000, 100_000] {
            let mut machine = if kind == "siblings" { with_scopes(count) } else { with_slices(count) };
            let before = machine.events;
            machine.start("one.scope", scope("bench.slice", 7));
            machine.stop("one.scope");
            let events = machine.events - before;
            group.throughput(criterion::Throughput::Elements(events));
            group.bench_function(BenchmarkId::new(kind, count), |bencher| {
                bencher.iter(|| {
                    machine.start("one.scope", scope("bench.slice", 7));
                    machine.stop("one.scope");
                    machine.replies.clear();
                });
            });
            assert!(machine.manager.graph().find("one.scope").is_none());
        }
    }
    group.finish();
}

/// A unit that is as it should be is compared with its cgroup: a start job for a slice that is up.
fn diff(criterion: &mut Criterion) {
    let mut machine = with_scopes(1_000);
    criterion.bench_function("diff of a slice that is up", |bencher| {
        bencher.iter(|| {
            machine.ask(root(), job("bench.slice", JobVerb::Start));
            assert!(machine.plan.is_none());
            machine.replies.clear();
        });
    });
}

fn names(criterion: &mut Criterion) {
    criterion.bench_function("parse a name", |bencher| {
        bencher.iter(|| UnitName::parse(black_box("run-r4ac9f0d3b2a14d6fa1.scope")));
    });
    criterion.bench_function("escape a name for its object", |bencher| {
        bencher.iter(|| label_escape(black_box("run-r4ac9f0d3b2a14d6fa1.scope")));
    });
}

fn property_list(criterion: &mut Criterion) {
    let config = Config::example();
    let list = like_runc("bench.slice", 7);
    criterion.bench_function("check the properties that runc sets", |bencher| {
        let transport = Transport::Private;
        let context = Context { unit_type: UnitType::Scope, creating: true, transport: &transport, config: &config };
        bencher.iter(|| {
            for (name, value) in black_box(&list) {
                let _ = black_box(properties::parse(name, value, &context));
            }
        });
    });
}

/// The request to stop a slice with many members, up to and without the plan's execution.
fn large_transaction(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("stop a slice");
    for count in [100_u32, 1_000] {
        let machine = with_scopes(count);
        group.throughput(criterion::Throughput::Elements(u64::from(count)));
        group.bench_function(BenchmarkId::new("members", count), |bencher| {
            let setup = || machine.clone();
            let stop = |machine: &mut Machine| {
                machine.ask(root(), job("bench.slice", JobVerb::Stop));
            };
            bencher.iter_batched_ref(setup, stop, BatchSize::LargeInput);
        });
    }
    group.finish();
}

/// So many services, each of which names the next.
fn row(count: u32, tie: &str) -> Machine {
    let file = |n: u32| {
        let next = if n + 1 < count {
            format!("{tie}=row-{}.service\nAfter=row-{}.service\n", n + 1, n + 1)
        } else {
            String::new()
        };
        (format!("row-{n}.service"), format!("[Unit]\n{next}[Service]\nExecStart=/bin/sleep infinity\n"))
    };
    Machine::with_files((0..count).map(file))
}

/// A job that pulls in a row of units, and a row that is loaded, and goes again because nobody needs it.
fn long_rows(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("row of units");
    for count in [100, 1_000] {
        let machine = row(count, "Requires");
        group.throughput(criterion::Throughput::Elements(u64::from(count)));
        group.bench_function(BenchmarkId::new("start", count), |bencher| {
            let start = |machine: &mut Machine| machine.ask(root(), job("row-0.service", JobVerb::Start));
            bencher.iter_batched_ref(|| machine.clone(), start, BatchSize::LargeInput);
        });
    }
    for count in [1_000, 4_000] {
        let mut machine = row(count, "Wants");
        group.throughput(criterion::Throughput::Elements(u64::from(count)));
        group.bench_function(BenchmarkId::new("load and forget", count), |bencher| {
            bencher.iter(|| machine.ask(root(), Request::LoadUnit { name: "row-0.service".into() }));
        });
        assert!(machine.manager.graph().find("row-0.service").is_none());
    }
    group.finish();
}

/// A reload that finds every file as it was, with a unit loaded from each.
fn reload(criterion: &mut Criterion) {
    let mut machine = row(5_000, "Wants");
    machine.ask(root(), job("row-0.service", JobVerb::Start));
    machine.settle();
    assert!(machine.manager.graph().len() > 5_000);
    criterion.bench_function("reload of 5,000 files that are as they were", |bencher| {
        bencher.iter(|| {
            machine.ask(root(), Request::Reload);
            assert!(machine.plan.is_none());
            machine.replies.clear();
        });
    });
}

/// Notices about cgroups that have gone.
fn late_notice(criterion: &mut Criterion) {
    let mut machine = with_scopes(1_000);
    criterion.bench_function("a notice of a watch that has gone", |bencher| {
        let watch = cgarbiter_core::plan::WatchId(u64::MAX);
        bencher.iter(|| machine.hand_in(Event::CgroupChanged { watch }));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(30)
        .measurement_time(std::time::Duration::from_secs(2))
        .warm_up_time(std::time::Duration::from_millis(500));
    targets = start_and_stop, diff, names, property_list, large_transaction, long_rows, reload, late_notice
}
criterion_main!(benches);
