//! `completions` and `man`: made from the command lines of all programs.

use std::fs;
use std::io;
use std::path::Path;

use clap_mangen::Man as Page;

use crate::args;
use crate::args::client::{Completions, Man};

use super::error::{Error, Result};
use super::output::Output;

pub(super) fn completions(wanted: &Completions, out: &mut Output) -> Result<()> {
    let programs = args::all();
    let known = programs.iter().map(|program| program.get_name().to_owned()).collect::<Vec<_>>().join(", ");
    let Some(mut program) = programs.into_iter().find(|program| program.get_name() == wanted.program) else {
        return Err(Error::Usage(format!("there is no program {}, only {known}", wanted.program)));
    };
    let mut script = Vec::new();
    clap_complete::generate(wanted.shell, &mut program, &wanted.program, &mut script);
    let script = String::from_utf8_lossy(&script);
    if out.is_json() {
        return out.json(&script);
    }
    out.text(script);
    Ok(())
}

pub(super) fn man(wanted: &Man) -> Result<()> {
    fs::create_dir_all(&wanted.directory).map_err(|e| failed(&wanted.directory, e))?;
    for mut program in args::all() {
        program.build();
        pages(&program, &wanted.directory)?;
    }
    Ok(())
}

/// A page for the command and one for each of its subcommands.
fn pages(command: &clap::Command, directory: &Path) -> Result<()> {
    let page = Page::new(command.clone());
    let path = directory.join(page.get_filename());
    let mut text = Vec::new();
    page.render(&mut text).and_then(|()| fs::write(&path, text)).map_err(|e| failed(&path, e))?;
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        pages(subcommand, directory)?;
    }
    Ok(())
}

fn failed(path: &Path, error: io::Error) -> Error {
    Error::io(format!("cannot write {}", path.display()), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_lines_are_sound() {
        for program in args::all() {
            program.debug_assert();
        }
    }

    #[test]
    fn every_subcommand_has_a_page() {
        let directory = tempfile::tempdir().unwrap();
        man(&Man { directory: directory.path().join("man") }).unwrap();
        let text = fs::read_to_string(directory.path().join("man/cgarbiter.1")).unwrap();
        assert!(text.contains("CGARBITER_ADDRESS") && text.contains("Exit status"));
        assert!(directory.path().join("man/cgarbiter-run.1").exists());
    }
}
