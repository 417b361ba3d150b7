//! What systemd answered, replayed: no group falls below its floor, and every difference on purpose is still there.

use cgarbiter_sim::vectors::systemd::{Expected, Options, Score};
use cgarbiter_sim::vectors::{self, Played};
use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/systemd")
}

fn recordings() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).expect("the folder of the vectors").flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.to_string_lossy().contains(".jsonl")).collect();
    files.sort();
    files
}

#[test]
fn no_group_falls_below_its_floor() {
    let text = fs::read_to_string(folder().join("expected.toml")).expect("the floors");
    let expected: Expected = toml::from_str(&text).expect("floors and reasons");
    let mut score = Score::default();
    for path in recordings() {
        match vectors::play_file(&path) {
            Ok(Played::Systemd(file)) => file.replay(&Options::default(), &mut score),
            _ => panic!("{} is no recording of systemd", path.display()),
        }
    }
    let groups: Vec<String> = score.groups.iter().map(|(group, count)| format!("{group:<20} {count}")).collect();
    assert!(expected.below_floor(&score).is_empty(), "{:#?}\n{}", expected.below_floor(&score), groups.join("\n"));
    assert!(expected.stale(&score).is_empty(), "no longer different: {:#?}", expected.stale(&score));
    let unnamed: Vec<&String> = score.groups.keys().filter(|group| !expected.floors.contains_key(*group)).collect();
    assert!(unnamed.is_empty(), "groups without a floor: {unnamed:?}");
}
