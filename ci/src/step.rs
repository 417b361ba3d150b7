//! One step of a chore: a command whose output goes to a file, and one line that says how it went and how long it took.

use crate::{Outcome, files};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

/// How much of a failed step's output is shown.
const TAIL_LINES: usize = 60;

/// Runs the command, prints `ok NAME 1.2s` or `FAIL NAME 1.2s` with the end of its output, and returns the log's path.
pub(crate) fn run(name: &str, command: &mut Command) -> Outcome<PathBuf> {
    run_in(&files::workspace(), name, command)
}

/// The same, in another directory than the work tree.
pub(crate) fn run_in(place: &Path, name: &str, command: &mut Command) -> Outcome<PathBuf> {
    let directory = files::target().join("ci");
    files::directory(&directory)?;
    let log = directory.join(format!("{}.log", name.replace(' ', "-")));
    let out = File::create(&log).map_err(|e| format!("make {}: {e}", log.display()))?;
    let err = out.try_clone().map_err(|e| format!("share {}: {e}", log.display()))?;
    let start = Instant::now();
    let status = command
        .current_dir(place)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .status()
        .map_err(|e| format!("{name}: start {}: {e}", command.get_program().display()))?;
    let seconds = start.elapsed().as_secs_f64();
    if status.success() {
        println!("ok {name} {seconds:.1}s");
        return Ok(log);
    }
    println!("FAIL {name} {seconds:.1}s ({status}; all of its output is in {})", log.display());
    let bytes = std::fs::read(&log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    for line in &lines[lines.len().saturating_sub(TAIL_LINES)..] {
        println!("    {line}");
    }
    Err(format!("{name} failed"))
}

/// A command from its words.
pub(crate) fn command(words: &[&str]) -> Command {
    assert!(!words.is_empty(), "a command has a program");
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}

/// Runs a command that is not worth a line; its output is shown only when it fails.
pub(crate) fn quiet(command: &mut Command) -> Outcome {
    let program = command.get_program().display().to_string();
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("start {program}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{program} failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim()))
}

/// The program of a target, from cargo's messages (`--message-format=json`).
pub(crate) fn executable(log: &str, target: &str) -> Option<PathBuf> {
    let messages = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut found = messages.filter(|message| message["target"]["name"] == target);
    found.find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::executable;

    #[test]
    fn the_program_is_found_among_other_messages() {
        let log = "   Compiling x v0.1.0\n\
            {\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"lib\"},\"executable\":null}\n\
            {\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"history\"},\"executable\":\"/t/history-1\"}\n";
        assert_eq!(executable(log, "history").as_deref(), Some(std::path::Path::new("/t/history-1")));
        assert_eq!(executable(log, "lib"), None);
    }
}
