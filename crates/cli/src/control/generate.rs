//! `completions` and `man`: made from the command lines of all programs.

use std::fs;
use std::io;
use std::path::Path;

use clap_mangen::Man as Page;
use clap_mangen::roff::{Roff, roman};

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
    render(command, &page, &mut text).and_then(|()| fs::write(&path, text)).map_err(|e| failed(&path, e))?;
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        pages(subcommand, directory)?;
    }
    Ok(())
}

/// As `Man::render`, but with proper sections out of what follows the options in the long help.
fn render(command: &clap::Command, page: &Page, out: &mut Vec<u8>) -> io::Result<()> {
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    if command.has_subcommands() {
        page.render_subcommands_section(out)?;
    }
    match command.get_after_long_help() {
        Some(text) => sections(&text.to_string()).to_writer(out),
        None => Ok(()),
    }
}

/// A block that opens with `Heading:` becomes a section of its indented `KEY  TEXT` lines; others become notes.
fn sections(text: &str) -> Roff {
    let mut roff = Roff::new();
    let mut in_notes = false;
    for block in text.split("\n\n") {
        let (first, rest) = block.split_once('\n').unwrap_or((block, ""));
        if let Some(heading) = first.strip_suffix(':').filter(|_| !rest.is_empty()) {
            roff.control("SH", [heading.to_uppercase().as_str()]);
            rest.lines().for_each(|line| entry(&mut roff, line));
            in_notes = false;
            continue;
        }
        roff.control(if in_notes { "PP" } else { "SH" }, (!in_notes).then_some("NOTES"));
        roff.text([roman(block)]);
        in_notes = true;
    }
    roff
}

fn entry(roff: &mut Roff, line: &str) {
    let (key, meaning) = line.trim().split_once("  ").unwrap_or((line.trim(), ""));
    roff.control("TP", []);
    roff.text([roman(key)]);
    roff.text([roman(meaning.trim())]);
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
        assert!(text.contains("CGARBITER_ADDRESS") && text.contains("EXIT STATUS") && text.contains("ENVIRONMENT"));
        assert!(directory.path().join("man/cgarbiter-run.1").exists());
    }
}
