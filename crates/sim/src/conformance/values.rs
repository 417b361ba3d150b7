//! What is written into a file: sometimes what a manager would write, sometimes the edges of what the file takes.

use super::dice::Dice;
use crate::kernel::{Config, Controller, File};

/// Numbers at which something changes: signs, widths, pages, weights, the ends of tables.
const NUMBERS: [&str; 50] = [
    "0",
    "1",
    "2",
    "3",
    "4",
    "7",
    "10",
    "19",
    "20",
    "21",
    "63",
    "64",
    "99",
    "100",
    "101",
    "999",
    "1000",
    "1001",
    "1023",
    "1024",
    "4095",
    "4096",
    "4097",
    "9999",
    "10000",
    "10001",
    "65535",
    "65536",
    "88761",
    "1000000",
    "1000001",
    "2097151",
    "2097152",
    "2147483647",
    "2147483648",
    "4194304",
    "4194305",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "9223372036854771712",
    "18446744073709551615",
    "18446744073709551616",
    "18446744073709551617",
    "99999999999999999999999",
    "-1",
    "-2",
    "-20",
    "-21",
];

/// Limits that a process inside does not feel.
const MILD: [&str; 12] =
    ["max", "max\n", "64M", "128M\n", "1G", "100000000", "0x8000000", "max", "9223372036854775807", "", "x", "maximum"];

/// A text for a file. `dry`: no process will feel it, so anything goes.
pub(super) fn text(dice: &mut Dice, config: &Config, file: File, dry: bool) -> String {
    use File as F;
    match file {
        // The kernel charges its own bookkeeping too: with little room not even a child can be made. How much that
        // takes differs. The other limits are parsed by the same rules.
        F::MemoryMax => dice.pick(&MILD).to_owned(),
        F::MemoryHigh if !dry => dice.pick(&MILD).to_owned(),
        F::CpuMax if !dry => {
            dice.pick(&["max", "max 100000", "50000 100000\n", "90000", "max 1000000", "1 1", "x"]).to_owned()
        }
        F::CpuMax => cpu_max(dice),
        F::CgroupSubtreeControl => subtree_control(dice),
        F::CgroupType => {
            dice.pick(&["threaded", "threaded\n", " threaded", "domain", "domain threaded", "", "x"]).to_owned()
        }
        F::CgroupFreeze
        | F::CgroupKill
        | F::CpuIdle
        | F::MemoryOomGroup
        | F::MemoryZswapWriteback
        | F::CgroupPressure => boolean(dice),
        F::CpusetCpus | F::CpusetMems | F::CpusetCpusExclusive => list(dice),
        F::CpusetCpusPartition => {
            dice.pick(&["root", "member", "isolated", "root\n", " member ", "", "Root", "2"]).to_owned()
        }
        F::CpuPressure | F::IoPressure | F::MemoryPressure => pressure(dice),
        F::IoMax => io_max(dice, config),
        F::IoWeight => io_weight(dice, config),
        F::CpuWeight | F::CpuWeightNice => weight(dice),
        F::CpuUclampMin | F::CpuUclampMax => {
            dice.pick(&["max", "0", "50", "50.5", "99.99", "100", "100.01", "-1", "1.234", "", "x"]).to_owned()
        }
        F::RdmaMax => dice.pick(&["mlx4_0 hca_handle=2", "mlx4_0", "", "x hca_object=max"]).to_owned(),
        F::MiscMax => dice.pick(&["sev 1", "res_a max", "sev", "", "max"]).to_owned(),
        F::MemoryReclaim => dice.pick(&["1M", "0", "", "x", "1 swappiness=0", "max"]).to_owned(),
        F::CgroupMaxDepth | F::CgroupMaxDescendants | F::PidsMax if dice.percent(70) => {
            dice.pick(&["max", "max\n", "0", "1", "2", "3", "4", "5\n", "10"]).to_owned()
        }
        _ => number(dice),
    }
}

fn boolean(dice: &mut Dice) -> String {
    match dice.below(10) {
        0..=3 => "1".to_owned(),
        4..=6 => "0".to_owned(),
        7 => dice.pick(&["1\n", " 1", "0\n", "01", "+1", "0x1"]).to_owned(),
        8 => dice.pick(&["2", "-1", "", " ", "x", "1 1", "max", "true"]).to_owned(),
        _ => number(dice),
    }
}

fn number(dice: &mut Dice) -> String {
    let mut text = match dice.below(12) {
        0..=2 => "max".to_owned(),
        3 => dice.below(1 << 20).to_string(),
        4 => format!("{}", 1_u64 << dice.below(64)),
        _ => dice.pick(&NUMBERS).to_owned(),
    };
    if dice.percent(25) {
        text += dice.pick(&["K", "k", "M", "G", "T", "P", "E", "m", "B", "KB", "i", ".5"]);
    }
    decorate(dice, text)
}

/// White space, signs and other bases, now and then.
fn decorate(dice: &mut Dice, text: String) -> String {
    if dice.percent(70) {
        return text;
    }
    let before = dice.pick(&["", "", "", " ", "\t", "\n", "+", "-", "0x", "0", "  "]);
    let after = dice.pick(&["", "\n", "\n", " ", "\n\n", "\t", "x", " x", "\0", "\r\n", "max"]);
    format!("{before}{text}{after}")
}

fn cpu_max(dice: &mut Dice) -> String {
    let first = number(dice);
    match dice.below(4) {
        0 => first,
        1 => format!("{first} {}", number(dice)),
        2 => format!(
            "{} {}",
            dice.pick(&["max", "1000", "50000", "999"]),
            dice.pick(&["1000", "999", "1000000", "1000001", "100000\n"])
        ),
        _ => format!("{first}{}{}", dice.pick(&["  ", "\t", "\n", ","]), number(dice)),
    }
}

fn weight(dice: &mut Dice) -> String {
    match dice.below(4) {
        0 => (dice.below(50) as i64 - 25).to_string(),
        1 => dice.below(12000).to_string(),
        2 => dice.pick(&["1", "100", "10000", "100\n", "0", "10001"]).to_owned(),
        _ => number(dice),
    }
}

fn subtree_control(dice: &mut Dice) -> String {
    let mut words = Vec::new();
    for _ in 0..=dice.below(3) {
        let sign = match dice.below(12) {
            0..=7 => "+",
            8..=10 => "-",
            _ => dice.pick(&["", "++", "+-"]),
        };
        let favourites = ["memory", "pids", "cpu", "io", "cpuset"];
        let name = match dice.below(14) {
            0 => dice.pick(&["perf_event", "freezer", "foo", "", "Memory", "devices"]),
            1..=3 => dice.of(&Controller::ALL).name(),
            _ => dice.pick(&favourites),
        };
        words.push(format!("{sign}{name}"));
    }
    let gap = if dice.percent(92) { " " } else { dice.pick(&["  ", "\t", "\n", ","]) };
    let text = words.join(gap);
    if dice.percent(90) { text } else { decorate(dice, text) }
}

fn list(dice: &mut Dice) -> String {
    let good = ["0", "1", "0-1", "0,1", "0-1\n", "", "\n", "1\n"];
    let odd = [
        "2",
        "0-2",
        "1-0",
        "0-",
        "-1",
        ",",
        "0,",
        ",0",
        "0,,1",
        " 0",
        "0 1",
        "0 ",
        "x",
        "0-1:1",
        "0-1:1/2",
        "0-1:2/1",
        "63",
        "64",
        "0x1",
        "00",
        "01",
        "1,0",
        "0,0",
        "max",
        "all",
        "N",
        "0-N",
        "none",
        "8191",
        "8192",
        "99999999999",
        "\0",
    ];
    if dice.percent(75) { dice.pick(&good).to_owned() } else { dice.pick(&odd).to_owned() }
}

fn pressure(dice: &mut Dice) -> String {
    let window = dice.pick(&["1000000", "500000", "10000000", "10000001", "2000000", "0", "499999"]);
    let share = dice.pick(&["150000", "0", "1", "1000001", "-1"]);
    match dice.below(4) {
        0 => dice.pick(&["", "some", "full", "some 1", "x 1 2", "1"]).to_owned(),
        1 => format!("full {share} {window}"),
        _ => format!("some {share} {window}"),
    }
}

fn disk(dice: &mut Dice, config: &Config) -> String {
    match dice.below(10) {
        0 => dice.pick(&["7:999", "0:0", "", "254", "254:", ":0", "254:x", "8:0"]).to_owned(),
        _ if config.disks.is_empty() => "8:0".to_owned(),
        _ => {
            let (major, minor) = dice.of(&config.disks);
            format!("{major}:{minor}")
        }
    }
}

fn io_max(dice: &mut Dice, config: &Config) -> String {
    let mut text = disk(dice, config);
    for _ in 0..dice.below(4) {
        let key = dice.pick(&["rbps", "wbps", "riops", "wiops", "rbps", "wbps", "bps", ""]);
        let value =
            if dice.percent(60) { dice.pick(&["max", "1048576", "1000", "100"]).to_owned() } else { number(dice) };
        text += &format!(
            "{}{key}{}{value}",
            dice.pick(&[" ", " ", " ", "  ", "\t"]),
            dice.pick(&["=", "=", "=", "=", " = ", ""])
        );
    }
    decorate(dice, text)
}

fn io_weight(dice: &mut Dice, config: &Config) -> String {
    let value = if dice.percent(60) {
        dice.pick(&["100", "1", "10000", "0", "10001", "default"]).to_owned()
    } else {
        number(dice)
    };
    match dice.below(4) {
        0 => format!("default {value}"),
        1 => value,
        2 => format!("{} {value}", disk(dice, config)),
        _ => decorate(dice, format!("default {value}")),
    }
}
