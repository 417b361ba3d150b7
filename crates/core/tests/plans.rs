//! What requests do to the kernel, as the text of their plans. The rehearsal that `Request::Plan` offers is the same
//! code that makes the real plans, so these are golden tests of the realizer.

use cgarbiter_core::client::{Client, ClientId, Transport};
use cgarbiter_core::value::Value;
use cgarbiter_core::{CallId, Config, Effect, Event, Instant, Manager, Now, Reply, Request};
use insta::assert_snapshot;

fn root() -> Client {
    Client { id: ClientId(1), transport: Transport::Private, uid: 0, pid: Some(4711) }
}

fn now() -> Now {
    Now { monotonic: Instant(1_000_000), realtime: 1_000_000_000 }
}

fn transient(name: &str, properties: &[(&str, Value)]) -> Request {
    Request::StartTransient {
        name: name.into(),
        mode: "fail".into(),
        properties: properties.iter().map(|(name, value)| ((*name).into(), value.clone())).collect(),
        auxiliary: Vec::new(),
    }
}

fn pids(list: &[u32]) -> Value {
    Value::Array("u".into(), list.iter().map(|pid| Value::U32(*pid)).collect())
}

/// The steps that the request would take, one line each; or its refusal.
fn plan(request: Request) -> String {
    let mut manager = Manager::new(Config::example(), now());
    let event = Event::Request { call: CallId(1), client: root(), request: Request::Plan(Box::new(request)) };
    manager.handle_event(now(), event);
    while let Some(effect) = manager.poll_effect() {
        match effect {
            Effect::Reply(_, Ok(Reply::Steps(rows))) => {
                let hide =
                    |step: String| step.split("user.invocation_id").next().unwrap_or_default().trim_end().to_owned();
                return rows.into_iter().map(|row| hide(row.step) + "\n").collect();
            }
            Effect::Reply(_, Err(refusal)) => return format!("{}: {refusal}", refusal.kind.bus_name()),
            _ => {}
        }
    }
    "no reply".into()
}

#[test]
fn a_limit_pulls_its_controller_in_from_the_root_down() {
    let request = transient(
        "a.scope",
        &[("Slice", Value::str("app.slice")), ("MemoryMax", Value::U64(1 << 20)), ("PIDs", pids(&[7]))],
    );
    assert_snapshot!(plan(request), @r#"
    write    / cgroup.subtree_control +memory +pids
    mkdir    app.slice
    xattr    app.slice
    write    app.slice cgroup.subtree_control +memory +pids
    record   /run/systemd/transient/a.scope
    mkdir    app.slice/a.scope
    write    app.slice/a.scope memory.max 1048576
    write    app.slice/a.scope pids.max 2362
    watch    app.slice/a.scope
    xattr    app.slice/a.scope
    attach   app.slice/a.scope 7
    "#);
}

#[test]
fn a_quota_in_a_nested_slice_is_enabled_on_every_level() {
    let request = transient(
        "b.scope",
        &[
            ("Slice", Value::str("a-b.slice")),
            ("CPUQuotaPerSecUSec", Value::U64(200_000)),
            ("TasksMax", Value::U64(50)),
            ("PIDs", pids(&[7, 8])),
        ],
    );
    assert_snapshot!(plan(request), @r#"
    write    / cgroup.subtree_control +cpu +memory +pids
    mkdir    a.slice
    xattr    a.slice
    write    a.slice cgroup.subtree_control +cpu +memory +pids
    mkdir    a.slice/a-b.slice
    xattr    a.slice/a-b.slice
    write    a.slice/a-b.slice cgroup.subtree_control +cpu +memory +pids
    record   /run/systemd/transient/b.scope
    mkdir    a.slice/a-b.slice/b.scope
    write    a.slice/a-b.slice/b.scope cpu.max 20000 100000
    write    a.slice/a-b.slice/b.scope pids.max 50
    watch    a.slice/a-b.slice/b.scope
    xattr    a.slice/a-b.slice/b.scope
    attach   a.slice/a-b.slice/b.scope 7
    attach   a.slice/a-b.slice/b.scope 8
    "#);
}

#[test]
fn an_unknown_property_is_refused_in_the_words_that_clients_parse() {
    assert_snapshot!(plan(transient("a.scope", &[("Nope", Value::U32(1))])), @r#"org.freedesktop.DBus.Error.PropertyReadOnly: Cannot set property Nope, or unknown property."#);
    assert_snapshot!(plan(transient("a.slice", &[("Delegate", Value::Bool(true))])), @r#"org.freedesktop.DBus.Error.InvalidArgs: Delegation not available for unit type"#);
}
