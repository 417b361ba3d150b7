//! `cargo run --example seeds`: writes the part of the corpora that comes from a generator, the same each time:
//! `corpus/TARGET/seed-NN`. To be run again when a change of a decoder has given the bytes another meaning.

use cgarbiter_fuzz::TARGETS;
use cgarbiter_fuzz::explore::Random;
use std::error::Error;
use std::fs;

/// How many there are of each length.
const EACH: usize = 6;
const LENGTHS_MAX: [usize; 4] = [16, 64, 256, 1024];

fn main() -> Result<(), Box<dyn Error>> {
    for (name, _) in TARGETS {
        let directory = format!("{}/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
        fs::create_dir_all(&directory)?;
        let mut random = Random::new(name.len() as u64);
        for number in 0..EACH * LENGTHS_MAX.len() {
            let bytes = random.bytes(LENGTHS_MAX[number / EACH]);
            fs::write(format!("{directory}/seed-{number:02}"), bytes)?;
        }
    }
    Ok(())
}
