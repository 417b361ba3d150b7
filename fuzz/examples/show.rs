//! `cargo run --example show -- TARGET FILE`: one input, so that its panic is seen with the place where it happened.

use std::error::Error;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [name, file] = arguments.as_slice() else { return Err("TARGET FILE".into()) };
    cgarbiter_fuzz::target(name).ok_or("no target has such a name")?(&fs::read(file)?);
    Ok(())
}
