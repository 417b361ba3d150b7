//! Records are read as they were written, and damage is found.

use super::*;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use proptest::prelude::*;

const SETTINGS: &str = "# A comment.\n[Scope]\nMemoryMax=1048576\n";

fn saved() -> Saved {
    Saved {
        boot_id: "9b3f5a0c-0000-4000-8000-000000000000".into(),
        invocation_id: Some([0xe1; 16]),
        owner: 1000,
        controller: Some(":1.7".into()),
        started: Timestamp { realtime: 1_790_000_001_000_000, monotonic: 1_000_000 },
        state: Some(State::StopSigterm),
        since: Timestamp { realtime: 1_790_000_009_000_000, monotonic: 9_000_000 },
        result: UnitResult::OomKill,
        main: Some((4711, Timestamp { realtime: 3, monotonic: 4 })),
        command: 2,
        control: Some((4712, Timestamp { realtime: 5, monotonic: 6 })),
        step: Some((ServiceCommand::StopPost, 1)),
        restarts: 3,
        restarting: true,
    }
}

#[test]
fn a_record_reads_like_a_unit_file() {
    let text = write(SETTINGS, &section(&saved()));
    let section = text.strip_prefix(SETTINGS).expect("the settings come first");
    let (section, sum) = section.split_once("Checksum=").expect("the checksum comes last");
    assert_eq!(sum.len(), 17);
    assert_eq!(
        section,
        "\n[X-Cgarbiter]\nVersion=1\nBootID=9b3f5a0c-0000-4000-8000-000000000000\n\
         InvocationID=e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1\nOwner=1000\nController=:1.7\n\
         Started=1790000001000000 1000000\nState=stop-sigterm\nSince=1790000009000000 9000000\nResult=oom-kill\n\
         MainPID=4711\nMainStarted=3 4\nCommand=2\nStep=ExecStopPost 1\nControlPID=4712\n\
         ControlStarted=5 6\nRestarts=3\nRestarting=yes\n"
    );
}

#[test]
fn a_newer_version_and_a_file_of_others_are_told_from_damage() {
    let text = write(SETTINGS, &section(&saved())).replace("Version=1\n", "Version=2\nNews=1\n");
    assert_eq!(read(&text), Err(Damage::Newer(2)));
    assert_eq!(Damage::Newer(2).to_string(), "it has version 2, and this cgarbiter reads none after 1");
    assert!(matches!(read(&text.replace("Version=2", "Version=0")), Err(Damage::Broken(_))));
    assert_eq!(read(SETTINGS), Err(Damage::Foreign));
    assert!(matches!(read(&text.replace(HEADER, "[x-Cgarbiter]\n")), Err(Damage::Broken(_))));
}

#[test]
fn a_section_is_renewed_unless_the_record_is_damaged() {
    let (old, new) = (write(SETTINGS, &section(&saved())), section(&Saved { owner: 1, ..saved() }));
    assert_eq!(renew(&old, &new), Ok(write(SETTINGS, &new)));
    assert!(renew(&old.replace("MemoryMax=1", "MemoryMax=2"), &new).is_err());
}

#[test]
fn keys_that_are_not_known_are_passed_over_and_senseless_values_are_not() {
    let with = |line: &str| {
        let mut text = format!("{SETTINGS}\n{HEADER}Version=1\n{line}\n");
        let sum = checksum(EMPTY_SUM, &text);
        text.push_str(&format!("{CHECKSUM}{sum:016x}\n"));
        read(&text).map(|(_, saved)| saved)
    };
    assert_eq!(with("Colour=blue"), Ok(Saved::default()));
    for line in
        ["State=running", "Result=bad", "MainPID=0", "MainStarted=1 2", "Started=1", "InvocationID=1", "nothing"]
    {
        assert!(matches!(with(line), Err(Damage::Broken(_))), "{line}");
    }
}

#[test]
fn every_truncation_and_every_flipped_bit_is_found() {
    let text = write(SETTINGS, &section(&saved()));
    for length in 0..text.len() {
        assert!(read(&text[..length]).is_err(), "{length}");
    }
    for bit in 0..text.len() * 8 {
        let mut bytes: Vec<u8> = text.bytes().collect();
        bytes[bit / 8] ^= 1 << (bit % 8);
        // What is no text any more is told apart before this.
        if let Ok(flipped) = core::str::from_utf8(&bytes) {
            assert!(read(flipped).is_err(), "{flipped}");
        }
    }
}

fn any_saved() -> impl Strategy<Value = Saved> {
    let time = || (any::<u64>(), any::<u64>()).prop_map(|(realtime, monotonic)| Timestamp { realtime, monotonic });
    let state = (0..=STATES.len()).prop_map(|at| STATES.get(at).copied());
    let result = prop_oneof![Just(UnitResult::Success), Just(UnitResult::Timeout), Just(UnitResult::ExitCode)];
    let names = ("[a-z0-9-]{1,36}", any::<Option<[u8; 16]>>(), any::<u32>(), proptest::option::of("[:.a-z0-9_]{1,40}"));
    let main = proptest::option::of((1..u32::MAX, time()));
    (names, time(), state, time(), result, main, 0_usize..100).prop_map(
        |((boot_id, invocation_id, owner, controller), started, state, since, result, main, command)| Saved {
            boot_id,
            invocation_id,
            owner,
            controller: controller.map(Into::into),
            started,
            state,
            since: if state.is_some() { since } else { Timestamp::default() },
            result,
            main,
            command,
            control: main.filter(|_| command % 2 == 0),
            step: ServiceCommand::ALL.get(command % 9).map(|step| (*step, command)),
            restarts: owner,
            restarting: command % 3 == 0,
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read(settings in "(\\[Scope\\]\n)?([A-Z]{1,8}=[ -~]{0,40}\n){0,6}", saved in any_saved()) {
        let text = write(&settings, &section(&saved));
        prop_assert_eq!(read(&text), Ok((settings.as_str(), saved)));
    }

    #[test]
    fn no_text_is_too_strange_to_be_read(text in "(\\[X-Cgarbiter\\]\n|Version=[0-9]\n|Checksum=[0-9a-f]{16}\n|[ -~]{0,9}\n?){0,9}") {
        let _ = read(&text);
    }

    #[test]
    fn damage_is_found_wherever_it_is(saved in any_saved(), at in any::<prop::sample::Index>(), byte in 0_u8..128) {
        let text = write(SETTINGS, &section(&saved));
        let at = at.index(text.len());
        let mut bytes = text.clone().into_bytes();
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        prop_assert!(read(core::str::from_utf8(&bytes).expect("ASCII")).is_err());
    }
}
