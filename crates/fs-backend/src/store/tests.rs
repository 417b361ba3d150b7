//! The store on a real file system, below a temporary directory.

use super::*;
use std::fs;

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = Store::open(dir.path()).expect("opens");
    (dir, store)
}

/// A directory that was used last may be another one by now.
#[test]
fn a_directory_that_somebody_replaced_is_found_again() {
    let (dir, store) = store();
    let (file, here) = ("/run/x/transient/a.scope", dir.path().join("run/x/transient"));
    store.write(file, "old").expect("written");
    fs::rename(&here, dir.path().join("run/x/elsewhere")).expect("moved");
    fs::remove_file(dir.path().join("run/x/elsewhere/a.scope")).expect("removed");
    fs::create_dir(&here).expect("made");
    fs::write(here.join("a.scope"), "new").expect("written");
    assert_eq!(store.read(file).expect("read"), "new");
    store.write("/run/x/transient/b.scope", "b").expect("written");
    store.remove(file, false).expect("removed");
    assert_eq!(fs::read_dir(&here).expect("there").count(), 1);
    fs::remove_dir_all(&here).expect("removed");
    store.remove("/run/x/transient/b.scope", false).expect("one that has gone is fine");
    assert!(store.read(file).is_err());
}

#[test]
fn a_record_is_written_over_and_removed() {
    let (dir, store) = store();
    let file = "/run/x/transient/a.scope";
    for content in ["[Unit]\n", "[Unit]\nDescription=b\n", ""] {
        store.write(file, content).expect("written");
        let path = dir.path().join(&file[1..]);
        assert_eq!(fs::read_to_string(path).expect("there"), content);
    }
    store.write("/etc/x/control/a.slice.d/50-CPUWeight.conf", "[Slice]\n").expect("written");
    let names = fs::read_dir(dir.path().join("run/x/transient")).expect("there").count();
    assert_eq!(names, 1, "nothing is left aside");
    store.remove(file, false).expect("removed");
    store.remove(file, false).expect("a missing one is fine");
    store.remove("/run/y/z/a.scope", false).expect("a missing directory is fine");
    store.remove("/etc/x/control/a.slice.d", true).expect("removed");
    store.remove("/etc/x/control/a.slice.d", true).expect("a missing one is fine");
    assert!(!dir.path().join("etc/x/control/a.slice.d").exists());
}

/// What somebody else has put there, in each form it may have.
#[test]
fn a_first_record_replaces_records_and_nothing_else() {
    let (dir, store) = store();
    let (file, path) = ("/run/x/transient/a.scope", dir.path().join("run/x/transient/a.scope"));
    let record = |settings: &str| persist::write(settings, "Version=1\n");
    for settings in ["", "[Scope]\nTasksMax=1\n"] {
        store.write_first(file, &record(settings)).expect("nothing is there, then one of ours");
        assert_eq!(fs::read_to_string(&path).expect("there"), record(settings));
    }
    let refused = || {
        let error = store.write_first(file, &record("")).expect_err("refused");
        assert_eq!(error.errno.raw(), Errno::EEXIST as i32, "{error}");
        assert!(error.file.ends_with(file), "{error}");
        let inside = fs::read_dir(path.parent().expect("it has one")).expect("there").count();
        assert_eq!(inside, 1, "nothing is left aside");
    };
    let too_much = vec![b'x'; RENEWED_MAX as usize + 1];
    for text in [&b"[Scope]\n"[..], b"", b"\xff", &too_much] {
        fs::write(&path, text).expect("written");
        refused();
        assert_eq!(fs::read(&path).expect("there"), text);
    }
    fs::remove_file(&path).expect("removed");
    std::os::unix::fs::symlink("nowhere", &path).expect("made");
    refused();
    fs::remove_file(&path).expect("removed");
    fs::create_dir(&path).expect("made");
    refused();
    fs::remove_dir(&path).expect("removed");
    store.write_first(file, &record("")).expect("the way is free");
}

#[test]
fn a_file_of_somebody_else_is_named_whatever_else_stands_in_the_way() {
    let (dir, store) = store();
    let (file, path) = ("/run/t/a.scope", dir.path().join("run/t/a.scope"));
    let too_large = "x".repeat(RECORD_MAX as usize + 1);
    let errno = || store.write_first(file, &too_large).expect_err("refused").errno.raw();
    assert_eq!(errno(), Errno::EFBIG as i32);
    fs::create_dir_all(path.parent().expect("it has one")).expect("made");
    fs::write(&path, "[Scope]\n").expect("written");
    assert_eq!(errno(), Errno::EEXIST as i32);
    fs::write(&path, persist::write("", "Version=1\n")).expect("written");
    assert_eq!(errno(), Errno::EFBIG as i32, "a record is in nobody's way");
}

/// What file systems get that cannot do it in one step.
#[test]
fn a_name_is_looked_at_before_it_is_given() {
    let (dir, store) = store();
    for (name, text) in [("a", "new"), ("b", "old")] {
        fs::write(dir.path().join(name), text).expect("written");
    }
    assert_eq!(rename_if_free(&store.root, "a", "b"), Err(Errno::EEXIST));
    assert_eq!(fs::read_to_string(dir.path().join("b")).expect("there"), "old");
    rename_if_free(&store.root, "a", "c").expect("nothing is there");
    assert_eq!(fs::read_to_string(dir.path().join("c")).expect("there"), "new");
}

#[test]
fn links_replace_what_was_there_and_empty_directories_go() {
    let (dir, store) = store();
    let path = dir.path().join("etc/u/a.target.wants/b.service");
    for target in ["/usr/u/b.service", "/dev/null"] {
        store.link("/etc/u/a.target.wants/b.service", target).expect("made");
        assert_eq!(fs::read_link(&path).expect("a link"), Path::new(target));
    }
    store.remove_empty("/etc/u/a.target.wants").expect("one that is not empty stays");
    assert_eq!(fs::read_dir(path.parent().expect("it has one")).expect("there").count(), 1, "nothing is left aside");
    store.remove("/etc/u/a.target.wants/b.service", false).expect("removed");
    for _ in 0..2 {
        store.remove_empty("/etc/u/a.target.wants").expect("a missing one is fine");
        assert!(!path.parent().expect("it has one").exists());
    }
    fs::create_dir_all(&path).expect("made");
    let error = store.link("/etc/u/a.target.wants/b.service", "/dev/null").expect_err("a directory is in the way");
    assert!(error.file.ends_with("/etc/u/a.target.wants/b.service"), "{error}");
    assert_eq!(fs::read_dir(path.parent().expect("it has one")).expect("there").count(), 1, "nothing is left aside");
}

#[test]
fn a_directory_that_vanished_is_made_again() {
    let (dir, store) = store();
    store.write("/run/t/a.scope", "1").expect("written");
    fs::remove_dir_all(dir.path().join("run")).expect("removed");
    store.write("/run/t/a.scope", "2").expect("written");
    assert_eq!(fs::read_to_string(dir.path().join("run/t/a.scope")).expect("there"), "2");
}

#[test]
fn whatever_becomes_of_an_entry_outside_of_run_is_on_the_disk() {
    let (_dir, store) = store();
    let kept = || std::mem::take(&mut *store.kept.lock().expect("not poisoned"));
    store.write("/etc/x/a.slice.d/50-TasksMax.conf", "[Slice]\n").expect("written");
    assert_eq!(kept(), ["/etc", "/etc/x", "/etc/x/a.slice.d"], "directories that were made, from the top down");
    store.rename("/etc/x/a.slice.d/50-TasksMax.conf", "/etc/y/a.conf").expect("moved");
    assert_eq!(kept(), ["/etc/y", "/etc/y/a.conf", "/etc/x/a.slice.d/50-TasksMax.conf"], "there, then not here");
    store.link("/etc/x/b.slice", "/dev/null").expect("made");
    store.remove("/etc/x/b.slice", false).expect("removed");
    store.remove_empty("/etc/x/a.slice.d").expect("removed");
    store.remove("/etc/y", true).expect("removed");
    assert_eq!(kept(), ["/etc/x/b.slice", "/etc/x/b.slice", "/etc/x/a.slice.d", "/etc/y"]);
    store.write("/run/x/a.scope", "").expect("written");
    store.remove("/run/x/a.scope", false).expect("removed");
    assert_eq!(kept(), ["/run"], "nothing below it outlives a boot");
}

#[test]
fn no_link_leads_out() {
    let (dir, store) = store();
    let outside = tempfile::tempdir().expect("a temporary directory");
    std::os::unix::fs::symlink(outside.path(), dir.path().join("etc")).expect("made");
    // The link's target is looked for inside of the prefix, where it is missing.
    let _ = store.write("/etc/a.scope", "x");
    assert_eq!(fs::read_dir(outside.path()).expect("there").count(), 0);
    fs::create_dir(dir.path().join("run")).expect("made");
    let victim = outside.path().join("victim");
    fs::write(&victim, "old").expect("written");
    std::os::unix::fs::symlink(&victim, dir.path().join("run/a.scope")).expect("made");
    store.write("/run/a.scope", "new").expect("the link itself is replaced");
    assert_eq!(fs::read_to_string(&victim).expect("there"), "old");
}

#[test]
fn no_record_is_written_that_could_not_be_read() {
    let (_dir, store) = store();
    let largest = "x".repeat(RECORD_MAX as usize);
    store.write("/run/t/a.scope", &largest).expect("written");
    let error = store.write("/run/t/a.scope", &format!("{largest}x")).expect_err("refused");
    assert_eq!(error.errno.raw(), Errno::EFBIG as i32);
    store.renew("/run/t/a.scope", &format!("{largest}State=stop")).expect("its state has more to say");
    assert_eq!(store.read("/run/t/a.scope").expect("read").len(), largest.len() + 10);
}

#[test]
fn errors_name_the_file() {
    let (dir, store) = store();
    fs::write(dir.path().join("run"), "a file in the way").expect("written");
    let error = store.write("/run/t/a.scope", "x").expect_err("refused");
    assert!(error.file.ends_with("/run/t"), "{error}");
}
