//! Which files count, and in which order.

use super::*;
use alloc::format;

fn name(text: &str) -> UnitName {
    UnitName::parse(text).expect("a name")
}

fn link(path: &str, target: &str) -> UnitFile {
    UnitFile { link: Some(target.into()), ..UnitFile::text(path, "linked") }
}

fn index(files: impl IntoIterator<Item = UnitFile>) -> UnitFiles {
    let mut index = UnitFiles::new(["/control", "/etc", "/run", "/usr"].map(Arc::from).to_vec());
    index.replace(files);
    index
}

fn texts(paths: &[&str]) -> UnitFiles {
    index(paths.iter().map(|path| UnitFile::text(*path, *path)))
}

fn fragment(index: &UnitFiles, unit: &str) -> String {
    match index.fragment(&name(unit)) {
        None => "none".into(),
        Some(Fragment::File(file)) => (&*file.path).into(),
        Some(Fragment::Masked(file)) => format!("masked by {}", file.path),
    }
}

fn drop_ins(index: &UnitFiles, unit: &str) -> Vec<String> {
    index.drop_ins(&name(unit)).iter().map(|file| String::from(&*file.path)).collect()
}

#[test]
fn the_first_directory_counts_and_an_instance_before_its_template() {
    let index = texts(&["/usr/a.slice", "/etc/a.slice", "/usr/x@1.service", "/etc/x@.service", "/elsewhere/b.slice"]);
    assert_eq!(fragment(&index, "a.slice"), "/etc/a.slice");
    assert_eq!(fragment(&index, "x@1.service"), "/usr/x@1.service");
    assert_eq!(fragment(&index, "x@2.service"), "/etc/x@.service");
    assert_eq!(fragment(&index, "b.slice"), "none");
}

#[test]
fn masks_hide_what_is_behind_them() {
    let index = index([
        link("/etc/a.slice", "/dev/null"),
        UnitFile::text("/usr/a.slice", "x"),
        UnitFile::text("/run/b.slice", ""),
        link("/etc/c.slice.d/10-x.conf", "/dev/null"),
        UnitFile::text("/usr/c.slice.d/10-x.conf", "x"),
        UnitFile::text("/usr/c.slice.d/20-x.conf", "x"),
    ]);
    assert_eq!(fragment(&index, "a.slice"), "masked by /etc/a.slice");
    assert_eq!(fragment(&index, "b.slice"), "masked by /run/b.slice");
    assert_eq!(drop_ins(&index, "c.slice"), ["/usr/c.slice.d/20-x.conf"]);
}

#[test]
fn drop_ins_are_ordered_by_name_and_the_nearest_of_a_name_counts() {
    let index = texts(&[
        "/control/a-b.slice.d/50-CPUWeight.conf",
        "/usr/a-b.slice.d/90-z.conf",
        "/usr/a-b.slice.d/50-CPUWeight.conf",
        "/control/a-.slice.d/90-z.conf",
        "/run/a-b.slice.d/60-y.conf",
        "/etc/slice.d/10-all.conf",
        "/control/slice.d/60-y.conf",
        "/etc/a-b.slice.d/not-a-drop-in",
        "/etc/a-b.slice.d/deep/x.conf",
    ]);
    let want = [
        "/etc/slice.d/10-all.conf",
        "/control/a-b.slice.d/50-CPUWeight.conf",
        "/run/a-b.slice.d/60-y.conf",
        "/control/a-.slice.d/90-z.conf",
    ];
    assert_eq!(drop_ins(&index, "a-b.slice"), want);
    assert_eq!(drop_ins(&index, "x@1.service"), Vec::<String>::new());
}

#[test]
fn links_make_names_and_ties() {
    let index = index([
        UnitFile::text("/usr/real.service", "x"),
        link("/etc/alias.service", "real.service"),
        link("/etc/chain.service", "/etc/alias.service"),
        link("/etc/loop.service", "/etc/pool.service"),
        link("/etc/pool.service", "/etc/loop.service"),
        link("/etc/linked.service", "/opt/linked.service"),
        link("/etc/a.slice", "/etc/b.slice"),
        link("/etc/c.slice.wants/alias.service", "/etc/alias.service"),
        UnitFile::text("/etc/c.slice.requires/real.service", "no link"),
        UnitFile::text("/etc/alias.service.d/x.conf", "x"),
    ]);
    assert_eq!(index.canonical("alias.service"), Some(&name("real.service")));
    assert_eq!(index.canonical("chain.service"), Some(&name("real.service")));
    assert_eq!(index.canonical("real.service"), None);
    assert_eq!(index.aliases_of(&name("real.service")).count(), 2);
    assert_eq!(fragment(&index, "linked.service"), "/etc/linked.service");
    assert_eq!(fragment(&index, "a.slice"), "none");
    assert_eq!(index.ties(&name("c.slice")).collect::<Vec<_>>(), [(Dependency::Wants, "alias.service")]);
    assert_eq!(drop_ins(&index, "real.service"), ["/etc/alias.service.d/x.conf"]);
}

#[test]
fn the_first_directory_with_a_tie_decides_about_it() {
    let index = index([
        link("/etc/a.slice.wants/b.service", "/dev/null"),
        link("/usr/a.slice.wants/b.service", "../b.service"),
        link("/etc/a.slice.wants/c.service", "../c.service"),
        link("/usr/a.slice.wants/c.service", "../c.service"),
        UnitFile::text("/usr/a.slice.wants/d.service", "no link"),
    ]);
    assert_eq!(index.ties(&name("a.slice")).collect::<Vec<_>>(), [(Dependency::Wants, "c.service")]);
    assert_eq!(index.entry("/usr/a.slice.wants/d.service"), Some(Entry::File));
    assert_eq!(index.links().filter(|link| link.is_tie).count(), 4);
}

#[test]
fn links_that_are_made_and_removed_count_at_once() {
    let mut index = texts(&["/usr/a.service"]);
    let file: Arc<str> = "/etc/b.service".into();
    index.follow_op(&Op::Link { file: file.clone(), target: "/usr/a.service".into() });
    assert_eq!(index.canonical("b.service"), Some(&name("a.service")));
    assert_eq!(index.at(&file).map(|file| &file.content), Some(&Content::Text("/usr/a.service".into())));
    index.follow_op(&Op::RemoveFile { file: file.clone(), directory: false });
    assert_eq!((index.canonical("b.service"), index.entry(&file)), (None, None));
    index.follow_op(&Op::Link { file: file.clone(), target: "/nowhere".into() });
    assert!(index.at(&file).is_some_and(UnitFile::is_dangling));
    let tie: Arc<str> = "/etc/a.service.wants/b.service".into();
    index.follow_op(&Op::Link { file: tie.clone(), target: "../b.service".into() });
    assert_eq!((index.ties(&name("a.service")).count(), index.entry(&tie)), (1, Some(Entry::Link("../b.service"))));
    index.follow_op(&Op::RemoveFile { file: tie, directory: false });
    assert_eq!(index.ties(&name("a.service")).count(), 0);
}

#[test]
fn what_is_added_later_counts_at_once() {
    let mut index = texts(&["/usr/a.slice.d/50-x.conf"]);
    index.insert(UnitFile::text("/control/a.slice.d/50-x.conf", "new"));
    assert_eq!(drop_ins(&index, "a.slice"), ["/control/a.slice.d/50-x.conf"]);
    assert_eq!(index.iter().count(), 2);
    index.follow_op(&Op::RemoveFile { file: "/control/a.slice.d/50-x.conf".into(), directory: false });
    assert_eq!(drop_ins(&index, "a.slice"), ["/usr/a.slice.d/50-x.conf"]);
}
