//! What is wrong in unit files is told once, with the unit.

mod support;

use cgarbiter_core::Request;
use cgarbiter_core::request::JobVerb;
use cgarbiter_core::unit_files::UnitFile;
use support::{Machine, job, root};

const NAMES: [&str; 2] = ["a.slice", "b.slice"];

/// Everything that is told when the files are read anew.
fn told(machine: &mut Machine) -> Vec<String> {
    machine.ask(root(), Request::Reload);
    std::mem::take(&mut machine.told)
}

fn about(told: &[String], name: &str) -> usize {
    told.iter().filter(|line| line.starts_with(&format!("{name}: "))).count()
}

#[test]
fn a_reload_repeats_nothing_about_files_that_are_the_same() {
    let file = |name: &str, line: &str| (name.to_owned(), format!("[Slice]\n{line}\n"));
    let mut machine = Machine::with_files([file(NAMES[0], "Nonsense=1"), file(NAMES[1], "MemoryMax=x")]);
    for name in NAMES {
        machine.ask(root(), job(name, JobVerb::Start));
        machine.settle();
    }
    let first = std::mem::take(&mut machine.told);
    assert_eq!((about(&first, NAMES[0]), about(&first, NAMES[1]), first.len()), (1, 1, 2), "{first:?}");
    assert_eq!(told(&mut machine), Vec::<String>::new());
    let path = machine.files[0].path.clone();
    machine.files[0] = UnitFile::text(path, "[Slice]\nNonsense=2\n");
    let again = told(&mut machine);
    assert_eq!((about(&again, NAMES[0]), again.len()), (1, 1), "{again:?}");
}
