//! Any event: generators for everything that can go into the core.

use cgarbiter_core::client::{Client, ClientId, Transport};
use cgarbiter_core::config::{Config, Defaults, Machine, Quotas, UnitPaths, Unsupported};
use cgarbiter_core::controllers::ControllerMask;
use cgarbiter_core::error::{Refusal, RefusalKind};
use cgarbiter_core::event::{CgroupEvents, ExitStatus, Handed, Member, PinAnswer, ReadId, Readings};
use cgarbiter_core::exec::ExecFailure;
use cgarbiter_core::found::{Found, FoundCgroup, FoundDescriptor, FoundFile};
use cgarbiter_core::names::CgroupPath;
use cgarbiter_core::plan::{Counters, Pin, PlanId, WatchId};
use cgarbiter_core::request::{CallId, FileVerb, JobRef, JobVerb, Object, PropertyList, UnitRef};
use cgarbiter_core::unit_files::{Content, UnitFile};
use cgarbiter_core::value::Value;
use cgarbiter_core::{Answer, Errno, Event, Instant, Now, OpError, Outcome, Report, Request};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

type Any<T> = BoxedStrategy<T>;

/// Any text: most of it dull, some of it with everything that hurts.
pub(crate) fn text() -> Any<String> {
    let nasty = vec(
        prop_oneof![
            Just('"'),
            Just('\\'),
            Just('\n'),
            Just('\0'),
            Just('\u{202e}'),
            Just('é'),
            Just(' '),
            Just('#'),
            any::<char>()
        ],
        0..8,
    );
    prop_oneof!["[ -~]{0,12}", nasty.prop_map(|all| all.into_iter().collect::<String>())].boxed()
}

fn texts() -> Any<Vec<String>> {
    vec(text(), 0..3).boxed()
}

fn number() -> Any<u64> {
    prop_oneof![0..10_u64, Just(u64::MAX), any::<u64>()].boxed()
}

pub(crate) fn now() -> Any<Now> {
    (number(), number()).prop_map(|(monotonic, realtime)| Now { monotonic: Instant(monotonic), realtime }).boxed()
}

/// One complete type.
fn signature() -> Any<String> {
    let basic = prop::sample::select("bynqiuxtdsoghv".split("").filter(|s| !s.is_empty()).collect::<Vec<_>>());
    basic
        .prop_map(str::to_owned)
        .prop_recursive(4, 12, 3, |inner| {
            prop_oneof![
                inner.clone().prop_map(|element| format!("a{element}")),
                vec(inner.clone(), 0..3).prop_map(|fields| format!("({})", fields.concat())),
                ("[sot]", inner).prop_map(|(key, value)| format!("a{{{key}{value}}}")),
            ]
        })
        .boxed()
}

pub(crate) fn value() -> Any<Value> {
    signature().prop_flat_map(|signature| value_of(&signature, 3)).boxed()
}

/// How long the first complete type is.
fn complete(text: &str) -> usize {
    let mut open = 0;
    for (at, sign) in text.bytes().enumerate() {
        match sign {
            b'(' | b'{' => open += 1,
            b')' | b'}' => open -= 1,
            b'a' => continue,
            _ => {}
        }
        if open == 0 {
            return at + 1;
        }
    }
    panic!("{text} is no type")
}

fn value_of(signature: &str, depth: u32) -> Any<Value> {
    match signature.as_bytes() {
        b"b" => any::<bool>().prop_map(Value::Bool).boxed(),
        b"y" => any::<u8>().prop_map(Value::U8).boxed(),
        b"n" => any::<i16>().prop_map(Value::I16).boxed(),
        b"q" => any::<u16>().prop_map(Value::U16).boxed(),
        b"i" => any::<i32>().prop_map(Value::I32).boxed(),
        b"u" => any::<u32>().prop_map(Value::U32).boxed(),
        b"x" => any::<i64>().prop_map(Value::I64).boxed(),
        b"t" => number().prop_map(Value::U64).boxed(),
        b"h" => number().prop_map(Value::Handle).boxed(),
        // What is no number is equal to nothing; a test of its own sees to it.
        b"d" => any::<f64>().prop_filter("a number", |x| !x.is_nan()).prop_map(Value::F64).boxed(),
        b"s" => text().prop_map(Value::Str).boxed(),
        b"o" => text().prop_map(Value::Path).boxed(),
        b"g" => text().prop_map(Value::Signature).boxed(),
        b"v" if depth == 0 => Just(Value::Variant(Box::new(Value::U32(7)))).boxed(),
        b"v" => {
            let inner = signature_below().prop_flat_map(move |signature| value_of(&signature, depth - 1));
            inner.prop_map(|value| Value::Variant(Box::new(value))).boxed()
        }
        b"ay" => vec(any::<u8>(), 0..5).prop_map(Value::Bytes).boxed(),
        [b'a', ..] => {
            let element = signature[1..].to_owned();
            vec(value_of(&element, depth), 0..3).prop_map(move |items| Value::Array(element.clone(), items)).boxed()
        }
        [b'(', ..] => fields(&signature[1..signature.len() - 1], depth).prop_map(Value::Struct).boxed(),
        [b'{', ..] => fields(&signature[1..signature.len() - 1], depth)
            .prop_map(|mut both| {
                let value = both.pop().expect("a value");
                Value::Entry(Box::new(both.pop().expect("a key")), Box::new(value))
            })
            .boxed(),
        _ => panic!("{signature} is no type"),
    }
}

fn signature_below() -> Any<String> {
    prop::sample::select(vec!["u", "s", "v", "as", "a(sv)", "a{sv}", "ay", "(tt)"]).prop_map(str::to_owned).boxed()
}

fn fields(mut signatures: &str, depth: u32) -> Any<Vec<Value>> {
    let mut all = Vec::new();
    while !signatures.is_empty() {
        let (first, rest) = signatures.split_at(complete(signatures));
        all.push(value_of(first, depth));
        signatures = rest;
    }
    all.boxed()
}

fn properties() -> Any<PropertyList> {
    vec((text(), value()), 0..3).boxed()
}

fn unit() -> Any<UnitRef> {
    prop_oneof![text().prop_map(UnitRef::Name), text().prop_map(UnitRef::Object)].boxed()
}

fn job() -> Any<JobRef> {
    prop_oneof![any::<u32>().prop_map(JobRef::Id), text().prop_map(JobRef::Object)].boxed()
}

fn object() -> Any<Object> {
    prop_oneof![
        Just(Object::Manager),
        Just(Object::LogControl),
        unit().prop_map(Object::Unit),
        job().prop_map(Object::Job)
    ]
    .boxed()
}

fn verb() -> Any<JobVerb> {
    use JobVerb::{Reload, ReloadOrRestart, ReloadOrTryRestart, Restart, Start, Stop, TryRestart};
    prop::sample::select(vec![Start, Stop, Reload, Restart, TryRestart, ReloadOrRestart, ReloadOrTryRestart]).boxed()
}

fn errno() -> Any<Errno> {
    prop_oneof![(1..140_i32).prop_map(Errno::from_raw), any::<i32>().prop_map(Errno::Other)].boxed()
}

fn refusal() -> Any<Refusal> {
    let kind = prop_oneof![
        Just(RefusalKind::NotSupported),
        Just(RefusalKind::NoSuchUnit),
        Just(RefusalKind::IoError),
        errno().prop_map(RefusalKind::Errno)
    ];
    (kind, text()).prop_map(|(kind, message)| Refusal { kind, message }).boxed()
}

fn op_error() -> Any<OpError> {
    (text(), errno()).prop_map(|(file, errno)| OpError { file, errno }).boxed()
}

pub(crate) fn request() -> Any<Request> {
    let plain = prop_oneof![changing(), asking(), about_jobs(), about_properties(), bare()];
    plain.prop_recursive(2, 2, 1, |inner| inner.prop_map(|request| Request::Plan(Box::new(request)))).boxed()
}

fn bare() -> Any<Request> {
    use Request::{ClearJobs, ListJobs, Reload, ResetFailedAll, Subscribe, Unsubscribe};
    prop::sample::select(vec![ClearJobs, ListJobs, Reload, ResetFailedAll, Subscribe, Unsubscribe]).boxed()
}

fn changing() -> Any<Request> {
    let auxiliary = vec((text(), properties()), 0..2);
    prop_oneof![
        (text(), text(), properties(), auxiliary).prop_map(|(name, mode, properties, auxiliary)| {
            Request::StartTransient { name, mode, properties, auxiliary }
        }),
        (unit(), any::<bool>(), properties()).prop_map(|(unit, runtime, properties)| Request::SetProperties {
            unit,
            runtime,
            properties
        }),
        (unit(), text(), any::<i32>()).prop_map(|(unit, whom, signal)| Request::Kill { unit, whom, signal }),
        (unit(), text(), vec(any::<u32>(), 0..3)).prop_map(|(unit, subpath, pids)| Request::Attach {
            unit,
            subpath,
            pids
        }),
        (texts(), texts()).prop_map(|(unset, set)| Request::SetEnvironment { unset, set }),
        unit().prop_map(|unit| Request::Freeze { unit }),
        unit().prop_map(|unit| Request::Thaw { unit }),
        unit().prop_map(|unit| Request::ResetFailed { unit }),
        unit().prop_map(|unit| Request::Ref { unit }),
        unit().prop_map(|unit| Request::Unref { unit }),
        unit().prop_map(|unit| Request::Abandon { unit }),
    ]
    .boxed()
}

fn asking() -> Any<Request> {
    prop_oneof![
        unit().prop_map(|unit| Request::Processes { unit }),
        text().prop_map(|name| Request::GetUnit { name }),
        text().prop_map(|name| Request::LoadUnit { name }),
        any::<u32>().prop_map(|pid| Request::UnitByPid { pid }),
        of(number().prop_map(Pin)).prop_map(|pin| Request::UnitByPidFd { pin }),
        text().prop_map(|path| Request::UnitByControlGroup { path }),
        vec(any::<u8>(), 0..20).prop_map(|id| Request::UnitByInvocationId { id }),
        text().prop_map(|name| Request::UnitFileState { name }),
        (texts(), texts()).prop_map(|(states, patterns)| Request::UnitFiles { states, patterns }),
        (text(), any::<bool>()).prop_map(|(name, runtime)| Request::UnitFileLinks { name, runtime }),
        (file_verb(), texts(), any::<[bool; 3]>()).prop_map(|(verb, files, [runtime, force, with_info])| {
            Request::ChangeUnitFiles { verb, files, runtime, force, with_info }
        }),
        (texts(), texts()).prop_map(|(states, patterns)| Request::ListUnits { states, patterns }),
        texts().prop_map(|names| Request::ListUnitsByNames { names }),
        text().prop_map(|path| Request::Introspect { path }),
        texts().prop_map(|patterns| Request::Dump { patterns }),
        refusal().prop_map(Request::NotServed),
    ]
    .boxed()
}

fn file_verb() -> Any<FileVerb> {
    prop_oneof![
        Just(FileVerb::Enable),
        Just(FileVerb::Disable),
        Just(FileVerb::Reenable),
        Just(FileVerb::Link),
        Just(FileVerb::Mask),
        Just(FileVerb::Unmask),
        Just(FileVerb::Revert),
        (text(), text()).prop_map(|(target, kind)| FileVerb::AddDependency { target, kind }),
    ]
    .boxed()
}

fn about_jobs() -> Any<Request> {
    prop_oneof![
        (unit(), verb(), text()).prop_map(|(unit, verb, mode)| Request::Job { unit, verb, mode }),
        (unit(), text(), text()).prop_map(|(unit, kind, mode)| Request::EnqueueJob { unit, kind, mode }),
        any::<u32>().prop_map(|id| Request::GetJob { id }),
        (job(), any::<bool>()).prop_map(|(job, after)| Request::JobNeighbours { job, after }),
        job().prop_map(|job| Request::CancelJob { job }),
    ]
    .boxed()
}

fn about_properties() -> Any<Request> {
    prop_oneof![
        (object(), text(), text()).prop_map(|(object, interface, property)| Request::Get {
            object,
            interface,
            property
        }),
        (object(), text()).prop_map(|(object, interface)| Request::GetAll { object, interface }),
        (object(), text(), text(), value()).prop_map(|(object, interface, property, value)| Request::Set {
            object,
            interface,
            property,
            value
        }),
    ]
    .boxed()
}

fn client() -> Any<Client> {
    let transport = prop_oneof![Just(Transport::Private), text().prop_map(|name| Transport::Bus(name.as_str().into()))];
    (number(), transport, any::<u32>(), of(any::<u32>()))
        .prop_map(|(id, transport, uid, pid)| Client { id: ClientId(id), transport, uid, pid })
        .boxed()
}

fn cgroup() -> Any<CgroupPath> {
    let part = prop_oneof!["[a-z@._-]{1,8}\\.scope", "[^/\0]{3,6}"];
    vec(part, 0..3)
        .prop_map(|parts| parts.iter().map(|part| format!("/{part}")).collect::<String>())
        .prop_filter_map("a path", |path| CgroupPath::parse(&path))
        .boxed()
}

fn mask() -> Any<ControllerMask> {
    any::<u8>().prop_map(ControllerMask::from_bits_truncate).boxed()
}

fn counters() -> Any<Counters> {
    let io = of([number(), number(), number(), number()]);
    (of(number()), of(number()), of(number()), io, of(number()))
        .prop_map(|(cpu_nsec, memory_current, tasks_current, io, oom_kills)| Counters {
            cpu_nsec,
            memory_current,
            tasks_current,
            io,
            oom_kills,
        })
        .boxed()
}

fn outcome() -> Any<Outcome> {
    prop_oneof![
        Just(Outcome::Done),
        Just(Outcome::Attached),
        Just(Outcome::Gone),
        op_error().prop_map(Outcome::Refused),
        number().prop_map(|id| Outcome::Made { id }),
        (number(), mask()).prop_map(|(id, enabled)| Outcome::Seen { id, enabled }),
        (mask(), of(op_error())).prop_map(|(enabled, refused)| Outcome::Controllers { enabled, refused }),
        any::<u32>().prop_map(|count| Outcome::Signalled { count }),
        any::<u32>().prop_map(|pid| Outcome::Spawned { pid }),
        counters().prop_map(Outcome::Counters),
    ]
    .boxed()
}

fn unit_files() -> Any<Vec<UnitFile>> {
    let content =
        prop_oneof![text().prop_map(|text| Content::Text(text.into())), op_error().prop_map(Content::Unreadable)];
    let file = (text(), of(text()), content).prop_map(|(path, link, content)| UnitFile {
        path: path.into(),
        link: link.map(Into::into),
        content,
    });
    vec(file, 0..3).boxed()
}

fn answer() -> Any<Answer> {
    let pinned = prop_oneof![
        Just(PinAnswer::Gone),
        Just(PinAnswer::KernelThread),
        Just(PinAnswer::Manager),
        (number(), any::<u32>()).prop_map(|(pin, uid)| PinAnswer::Held { pin: Pin(pin), uid }),
    ];
    let events = (any::<bool>(), any::<bool>(), of(number())).prop_map(|(populated, frozen, oom_kills)| CgroupEvents {
        populated,
        frozen,
        oom_kills,
    });
    let readings = (counters(), of(text()), of(text()))
        .prop_map(|(counters, effective_cpus, effective_mems)| Readings { counters, effective_cpus, effective_mems });
    let member = (cgroup(), any::<u32>(), text()).prop_map(|(cgroup, pid, command)| Member { cgroup, pid, command });
    prop_oneof![
        vec(pinned, 0..3).prop_map(Answer::Processes),
        (any::<u32>(), of(cgroup())).prop_map(|(pid, cgroup)| Answer::Cgroup { pid, cgroup }),
        of(events).prop_map(Answer::Events),
        of(readings).prop_map(Answer::Readings),
        of(vec(member, 0..3)).prop_map(Answer::Members),
        any::<bool>().prop_map(Answer::Flag),
        vec(any::<u32>(), 0..3).prop_map(Answer::Pids),
        unit_files().prop_map(Answer::UnitFiles),
        op_error().prop_map(Answer::Failed),
    ]
    .boxed()
}

pub(crate) fn event() -> Any<Event> {
    let status = prop_oneof![
        any::<i32>().prop_map(ExitStatus::Code),
        any::<i32>().prop_map(ExitStatus::Signal),
        any::<i32>().prop_map(ExitStatus::Dumped),
        Just(ExitStatus::Lost),
    ];
    let failure = (any::<i32>(), text(), errno()).prop_map(|(status, what, errno)| ExecFailure { status, what, errno });
    let handed = (number(), vec(number(), 0..3))
        .prop_map(|(pin, same)| Handed { pin: Pin(pin), same: same.into_iter().map(Pin).collect() });
    prop_oneof![
        5 => (number(), client(), request())
            .prop_map(|(call, client, request)| Event::Request { call: CallId(call), client, request }),
        1 => number().prop_map(|id| Event::ClientConnected(ClientId(id))),
        1 => number().prop_map(|id| Event::ClientGone(ClientId(id))),
        1 => text().prop_map(Event::BusNameGone),
        1 => Just(Event::SuccessorWanted),
        1 => of(text()).prop_map(Event::SuccessorChecked),
        1 => Just(Event::GivingWay),
        3 => (number(), vec(outcome(), 0..4), of(op_error()))
            .prop_map(|(plan, outcomes, failed)| Event::PlanDone(Report { plan: PlanId(plan), outcomes, failed })),
        3 => (number(), answer()).prop_map(|(id, answer)| Event::ReadDone { id: ReadId(id), answer }),
        1 => number().prop_map(|watch| Event::CgroupChanged { watch: WatchId(watch) }),
        1 => (any::<u32>(), of(failure)).prop_map(|(pid, failure)| Event::Executed { pid, failure }),
        1 => (any::<u32>(), any::<u32>(), of(cgroup()), text(), vec(handed, 0..3)).prop_map(
            |(pid, uid, cgroup, message, descriptors)| Event::Notified { pid, uid, cgroup, message, descriptors }
        ),
        1 => number().prop_map(|pin| Event::HungUp(Pin(pin))),
        1 => (any::<u32>(), status).prop_map(|(pid, status)| Event::Exited { pid, status }),
    ]
    .boxed()
}

pub(crate) fn config() -> Any<Config> {
    let machine = (number(), number(), text()).prop_map(|(memory_bytes, tasks_max, architecture)| Machine {
        memory_bytes,
        page_size: 4096,
        tasks_max,
        architecture,
        virtualization: String::new(),
        specifiers: vec![("H".into(), "a host".into())],
    });
    let paths = (text(), texts()).prop_map(|(transient, search)| UnitPaths {
        transient: transient.into(),
        runtime_control: "/run".into(),
        persistent_control: "/etc".into(),
        quarantine: "/q".into(),
        search: search.into_iter().map(Into::into).collect(),
    });
    let defaults = (number(), any::<[bool; 4]>()).prop_map(|(tasks_max, [cpu, io, memory, tasks])| Defaults {
        tasks_max,
        cpu_accounting: cpu,
        io_accounting: io,
        memory_accounting: memory,
        tasks_accounting: tasks,
        ..Defaults::default()
    });
    let masks = (mask(), mask());
    let unsupported = prop::sample::select(vec![Unsupported::Report, Unsupported::Refuse]);
    (text(), masks, machine, defaults, paths, texts(), any::<[u64; 4]>(), unsupported, any::<u32>())
        .prop_map(|(root, masks, machine, defaults, unit_paths, environment, seed, unsupported, uid)| Config {
            root,
            supported: masks.0,
            root_enabled: masks.1,
            machine,
            defaults,
            unit_paths,
            environment,
            seed,
            unsupported,
            quotas: Quotas { units_per_uid: uid, ..Quotas::default() },
            uid,
            boot_id: "b".into(),
            notify_socket: "/run/n".into(),
            reexecutes: uid % 2 == 0,
        })
        .boxed()
}

pub(crate) fn found() -> Any<Found> {
    let cgroup = (cgroup(), number(), mask(), of(text()), any::<[bool; 4]>(), vec(any::<u32>(), 0..3)).prop_map(
        |(path, id, enabled, invocation, [delegated, populated, freeze, frozen], pids)| FoundCgroup {
            path,
            id,
            enabled,
            invocation,
            delegated,
            populated,
            freeze,
            frozen,
            pids,
        },
    );
    let content = prop_oneof![text().prop_map(Ok), op_error().prop_map(Err)];
    let file = (text(), content).prop_map(|(path, content)| FoundFile { path: path.into(), content });
    let descriptor = (text(), number(), text(), any::<bool>()).prop_map(|(unit, pin, name, polled)| FoundDescriptor {
        unit,
        pin: Pin(pin),
        name,
        polled,
    });
    (vec(cgroup, 0..3), vec(file, 0..3), unit_files(), vec(descriptor, 0..3))
        .prop_map(|(cgroups, files, unit_files, descriptors)| Found { cgroups, files, unit_files, descriptors })
        .boxed()
}
