//! `cargo run --release --example explore -- TARGET SECONDS [SEED]`: random inputs until the time is up. Each new
//! complaint is printed with its input, shortened and written to `artifacts/TARGET/`; known inputs are the start.

use cgarbiter_fuzz::explore::{Random, complaint, kind, shorten};
use std::collections::BTreeSet;
use std::error::Error;
use std::time::{Duration, Instant};
use std::{env, fs, panic, process};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [name, seconds, seed @ ..] = arguments.as_slice() else { return Err("TARGET SECONDS [SEED]".into()) };
    let target = cgarbiter_fuzz::target(name).ok_or("no target has such a name")?;
    let until = Instant::now() + Duration::from_secs(seconds.parse()?);
    let seed: u64 = seed.first().map_or(Ok(1), |seed| seed.parse())?;
    let known: Vec<Vec<u8>> =
        cgarbiter_fuzz::corpus(name).unwrap_or_default().into_iter().map(|(_, text)| text).collect();
    let (mut random, mut seen, mut count) = (Random::new(seed), BTreeSet::new(), 0_u64);
    panic::set_hook(Box::new(|_| {}));
    while Instant::now() < until {
        let input = random.input(&known);
        count += 1;
        let Some(text) = complaint(target, &input) else { continue };
        let kind = kind(&text);
        if seen.insert(kind.clone()) {
            let short = shorten(target, &input, &kind);
            let text = complaint(target, &short).unwrap_or(text);
            println!("{name}: {text}\n  {}", short.escape_ascii());
            let directory = format!("{}/artifacts/{name}", env!("CARGO_MANIFEST_DIR"));
            fs::create_dir_all(&directory)?;
            fs::write(format!("{directory}/seed-{seed}-{}", seen.len()), &short)?;
        }
    }
    println!("{name}: {count} inputs, {} complaints", seen.len());
    process::exit(i32::from(!seen.is_empty()));
}
