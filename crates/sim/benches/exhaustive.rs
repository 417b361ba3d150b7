//! How many worlds the exhaustive search visits in a second: everything it does, and its parts.

use cgarbiter_sim::exhaustive::{Limits, Scene, Size, explore};
use cgarbiter_sim::run::Options;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

const WORLDS: u64 = 2_000;

fn search(criterion: &mut Criterion) {
    let limits = Limits { worlds: WORLDS, ..Limits::default() };
    let mut group = criterion.benchmark_group("exhaustive");
    group.sample_size(10).throughput(Throughput::Elements(WORLDS));
    group.bench_function("worlds", |bencher| bencher.iter(|| black_box(explore(&limits, &|_| {})).worlds));
    group.finish();
}

fn parts(criterion: &mut Criterion) {
    let options = Options { faultless: true, ..Options::default() };
    let scene = Scene::new(Size::FULL, true, &options).expect("a world to begin with");
    let mut group = criterion.benchmark_group("exhaustive");
    group.throughput(Throughput::Elements(1));
    group.bench_function("copy", |bencher| bencher.iter(|| black_box(scene.clone())));
    group.bench_function("fingerprint", |bencher| bencher.iter(|| black_box(scene.fingerprint())));
    group.bench_function("deeds", |bencher| bencher.iter(|| black_box(scene.deeds())));
    let deed = *scene.deeds().last().expect("something can happen");
    group.bench_function("crash", |bencher| {
        bencher.iter_batched(|| scene.clone(), |mut scene| scene.take(deed), BatchSize::SmallInput);
    });
    group.finish();
}

criterion_group!(benches, search, parts);
criterion_main!(benches);
