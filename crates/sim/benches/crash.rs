//! How many crashes the explorer survives in a second: a world cloned, an arbiter killed, a recovery, the verdict.

use cgarbiter_sim::crash::{Occasion, Options, explore};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

fn crashes(criterion: &mut Criterion) {
    // A stop has steps of every sort; the second cuts are most of the work.
    let scenario = Occasion::Stop.scenarios().swap_remove(0);
    let options = Options { sample: 10, ..Options::default() };
    let row = explore(&scenario, options);
    let mut group = criterion.benchmark_group("crash");
    group.sample_size(10).throughput(Throughput::Elements(row.cuts + row.second_cuts));
    group.bench_function("cuts of the stop of a scope", |bencher| {
        bencher.iter(|| black_box(explore(&scenario, options)));
    });
    group.finish();
}

criterion_group!(benches, crashes);
criterion_main!(benches);
