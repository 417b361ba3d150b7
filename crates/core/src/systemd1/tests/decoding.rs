//! Decoding: every method has its request, and what does not fit the table is refused in systemd's words.

use super::*;
use crate::error::RefusalKind;
use crate::request::{JobRef, JobVerb, Object, Request, UnitRef};
use crate::systemd1::objects::{ALL, Node};
use crate::systemd1::table::{Method, Serve};
use crate::systemd1::{decode, introspect};
use proptest::prelude::*;

const PATHS: [&str; 7] = [
    ROOT,
    "/org/freedesktop/LogControl1",
    "/org/freedesktop/systemd1/job/7",
    "/org/freedesktop/systemd1/unit/a_2escope",
    "/org/freedesktop/systemd1/unit/a_2eslice",
    "/org/freedesktop/systemd1/unit/a_2eservice",
    "/org/freedesktop/systemd1/unit/self",
];

fn sample_call(path: &str, interface: &str, method: &Method) -> MethodCall {
    let args = method.input.iter().map(|(_, signature)| sample(signature)).collect();
    call(path, interface, method.name, args)
}

#[test]
fn every_method_of_the_table_becomes_a_request_or_is_refused_on_purpose() {
    for path in PATHS {
        for interface in Node::at(path).expect("a path of ours").interfaces() {
            for method in interface.methods() {
                let answer = decode(sample_call(path, interface.name, method));
                match method.serve {
                    Serve::Request(_) => assert!(answer.is_ok(), "{}.{}: {answer:?}", interface.name, method.name),
                    Serve::Refuse { privileged: true, .. } => assert!(matches!(answer, Ok(Request::NotServed(_)))),
                    Serve::Refuse { privileged: false, .. } => {
                        assert_eq!(answer.expect_err("refused").kind, RefusalKind::NotSupported);
                    }
                    Serve::FrontEnd => assert!(answer.is_err()),
                }
            }
        }
    }
}

#[test]
fn names_in_the_table_are_unique() {
    for interface in ALL {
        let names = interface.methods().map(|m| m.name).chain(interface.properties().map(|p| p.name));
        let mut names: Vec<_> = names.collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all, "{} names something twice", interface.name);
    }
}

#[test]
fn a_call_without_an_interface_is_found_by_its_member() {
    let stop = decode(call(&unit_path("a_2escope"), "", "Stop", text_args(&["fail"])));
    let unit = UnitRef::Object("a_2escope".into());
    assert_eq!(stop, Ok(Request::Job { unit: unit.clone(), verb: JobVerb::Stop, mode: "fail".into() }));
    assert_eq!(decode(call(&unit_path("a_2escope"), "", "Abandon", vec![])), Ok(Request::Abandon { unit }));
    let id = UnitRef::Object("self".into());
    let get = decode(call(&unit_path("self"), "", "Get", text_args(&["i", "p"])));
    let object = Object::Unit(id);
    assert_eq!(get, Ok(Request::Get { object, interface: "i".into(), property: "p".into() }));
}

#[test]
fn start_transient_unit_keeps_the_order_of_its_properties() {
    let pair = |name: &str, value| Value::Struct(vec![Value::str(name), Value::Variant(alloc::boxed::Box::new(value))]);
    let properties = vec![
        pair("Wants", Value::strings(["a.scope"])),
        pair("MemoryMax", Value::U64(5)),
        pair("Wants", Value::strings(["b"])),
    ];
    let aux = Value::Struct(vec![
        Value::str("x.service"),
        Value::Array("(sv)".into(), vec![pair("Type", Value::str("exec"))]),
    ]);
    let args = vec![
        Value::str("a.scope"),
        Value::str("fail"),
        Value::Array("(sv)".into(), properties),
        Value::Array("(sa(sv))".into(), vec![aux]),
    ];
    let Ok(Request::StartTransient { name, properties, auxiliary, .. }) =
        decode(call(ROOT, MANAGER, "StartTransientUnit", args))
    else {
        panic!("not a start")
    };
    assert_eq!(name, "a.scope");
    let names: Vec<_> = properties.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Wants", "MemoryMax", "Wants"]);
    assert_eq!(properties[1].1, Value::U64(5));
    assert_eq!(auxiliary, [("x.service".into(), vec![("Type".into(), Value::str("exec"))])]);
}

#[test]
fn errors_are_those_of_systemd_252() {
    let unknown = "org.freedesktop.DBus.Error.UnknownMethod";
    let invalid = "org.freedesktop.DBus.Error.InvalidArgs";
    let object = "org.freedesktop.DBus.Error.UnknownObject";
    let property = "org.freedesktop.DBus.Error.UnknownProperty";
    let unit = "org.freedesktop.systemd1.Unit";
    let cases = [
        (
            ROOT,
            MANAGER,
            "NoSuchMethod",
            vec![],
            unknown,
            "Unknown method NoSuchMethod or interface org.freedesktop.systemd1.Manager.",
        ),
        (
            ROOT,
            "org.example.None",
            "GetUnit",
            text_args(&["x"]),
            unknown,
            "Unknown method GetUnit or interface org.example.None.",
        ),
        (
            ROOT,
            MANAGER,
            "GetUnit",
            vec![Value::U32(5)],
            invalid,
            "Invalid arguments 'u' to call org.freedesktop.systemd1.Manager.GetUnit(), expecting 's'.",
        ),
        (
            ROOT,
            MANAGER,
            "GetUnit",
            vec![],
            invalid,
            "Invalid arguments '' to call org.freedesktop.systemd1.Manager.GetUnit(), expecting 's'.",
        ),
        (
            "/org/freedesktop/systemd1/unit",
            PROPERTIES,
            "Get",
            text_args(&[unit, "Id"]),
            property,
            "Unknown interface org.freedesktop.systemd1.Unit or property Id.",
        ),
        (
            "/org/freedesktop/systemd1/job/x",
            PROPERTIES,
            "Get",
            text_args(&["i", "p"]),
            object,
            "Unknown object '/org/freedesktop/systemd1/job/x'.",
        ),
        ("/nowhere", MANAGER, "ListUnits", vec![], object, "Unknown object '/nowhere'."),
        (
            "/org/freedesktop/systemd1/unit/a_2eslice",
            "org.freedesktop.systemd1.Scope",
            "Abandon",
            vec![],
            unknown,
            "Unknown method Abandon or interface org.freedesktop.systemd1.Scope.",
        ),
    ];
    for (path, interface, member, args, name, text) in cases {
        let refusal = decode(call(path, interface, member, args)).expect_err("refused");
        assert_eq!(told(&refusal), (name, text));
    }
}

#[test]
fn flags_that_nobody_knows_are_refused() {
    let args = |flags| vec![Value::str("a.slice"), Value::str("fail"), Value::U64(flags)];
    assert!(decode(call(ROOT, MANAGER, "StartUnitWithFlags", args(0))).is_ok());
    let refusal = decode(call(ROOT, MANAGER, "StartUnitWithFlags", args(1))).expect_err("refused");
    assert_eq!(refusal.kind, RefusalKind::InvalidArgs);
}

#[test]
fn jobs_are_addressed_by_number_or_path() {
    let by_id = decode(call(ROOT, MANAGER, "CancelJob", vec![Value::U32(7)]));
    assert_eq!(by_id, Ok(Request::CancelJob { job: JobRef::Id(7) }));
    let by_path = decode(call("/org/freedesktop/systemd1/job/7", "org.freedesktop.systemd1.Job", "Cancel", vec![]));
    assert_eq!(by_path, Ok(Request::CancelJob { job: JobRef::Object("7".into()) }));
}

#[test]
fn introspection_is_well_formed_and_names_every_child() {
    let units = [name("a-b.slice"), name("x.scope")];
    for path in PATHS.into_iter().chain(["/", "/org", "/org/freedesktop", "/org/freedesktop/systemd1/unit"]) {
        let xml = introspect(path, &units, [7]).expect("a path of ours");
        assert_balanced(&xml);
    }
    let folder = introspect("/org/freedesktop/systemd1/unit", &units, []).expect("there");
    assert!(folder.contains("<node name=\"a_2db_2eslice\"/>") && folder.contains("<node name=\"x_2escope\"/>"));
    let jobs = introspect("/org/freedesktop/systemd1/job", &units, [7]).expect("there");
    assert!(jobs.contains("<node name=\"7\"/>"));
    let scope = introspect(&unit_path("x_2escope"), &units, []).expect("there");
    assert!(scope.contains("<interface name=\"org.freedesktop.systemd1.Scope\">") && scope.contains("MemoryMax"));
    assert!(introspect("/nowhere", &units, []).is_err());
}

/// Every element that is opened is closed, in order; there is no text and nothing that needs escaping.
fn assert_balanced(xml: &str) {
    let mut open = Vec::new();
    let body = xml.split_once("<node>").expect("a node").1;
    for tag in body.split('<').skip(1).map(|rest| rest.split_once('>').expect("a closed tag").0) {
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let element = tag.trim_start_matches('/').split_whitespace().next().expect("a name");
        match (tag.starts_with('/'), tag.ends_with('/')) {
            (true, _) if element == "node" && open.is_empty() => return,
            (true, _) => assert_eq!(open.pop(), Some(element)),
            (false, true) => {}
            (false, false) => open.push(element),
        }
    }
    panic!("the outer node is never closed");
}

/// Any value, also such as no wire can carry: arrays whose elements are of another type than they say.
fn any_value() -> impl Strategy<Value = Value> {
    let basic = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<u32>().prop_map(Value::U32),
        any::<i32>().prop_map(Value::I32),
        any::<u64>().prop_map(Value::U64),
        any::<u64>().prop_map(Value::Handle),
        "[a-z./@-]{0,8}".prop_map(Value::Str),
        proptest::collection::vec(any::<u8>(), 0..4).prop_map(Value::Bytes),
    ];
    let element = prop_oneof!["s", "u", "(sv)", "(sa(sv))", "y", "v"].prop_map(String::from);
    basic.prop_recursive(3, 12, 3, move |inner| {
        let items = || proptest::collection::vec(inner.clone(), 0..3);
        prop_oneof![
            (element.clone(), items()).prop_map(|(signature, items)| Value::Array(signature, items)),
            items().prop_map(Value::Struct),
            inner.clone().prop_map(|value| Value::Variant(alloc::boxed::Box::new(value))),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_comes_is_decoded_or_refused(
        path in proptest::sample::select(PATHS.to_vec()),
        pick in any::<proptest::sample::Index>(),
        args in proptest::collection::vec(any_value(), 0..5),
    ) {
        let node = Node::at(path).expect("a path of ours");
        let all = node.interfaces().iter().chain(&crate::systemd1::objects::STANDARD);
        let methods: Vec<_> = all.flat_map(|interface| interface.methods()).collect();
        let method = pick.get(&methods);
        let fits = method.input.fit(&args);
        let answer = decode(call(path, "", method.name, args));
        prop_assert!(fits || answer.is_err());
    }

    #[test]
    fn any_path_and_member_gets_an_answer(path in "(/[a-z_0-9]{0,6}){0,6}", member in "[A-Za-z]{0,12}") {
        let _ = decode(call(&path, "", &member, vec![]));
        let _ = introspect(&path, [], []);
    }
}
