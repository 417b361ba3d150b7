//! What clients have said of how units are to run: in which order, with which program, how they end. It counts from the
//! call that makes the unit until the unit is no longer known. A call for a name that is taken says nothing new, unless
//! it is about a slice: of such a one nobody knows until the call is answered.

use super::{Reference, Verb, cgroup_of};
use cgarbiter_core::request::{PropertyList, Request};
use cgarbiter_core::value::Value;
use std::collections::BTreeSet;

/// What was said of one unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Said {
    /// Where its cgroup is.
    pub cgroup: String,
    /// Units after which it comes.
    after: BTreeSet<String>,
    /// Units before which it comes.
    before: BTreeSet<String>,
    /// Its only program with the arguments, if it has one and no other.
    pub program: Option<Vec<String>>,
    /// Whoever it is ended by ends its first process, in the end with force.
    pub ends_main: bool,
    /// The same of everybody in it.
    pub ends_all: bool,
}

impl Said {
    fn of(name: &str, properties: &PropertyList) -> Self {
        let text = |wanted| super::asked::text(properties, wanted);
        let has = |wanted| properties.iter().any(|(name, _)| name == wanted);
        let names = |wanted: &str| {
            let lists = properties.iter().filter(|(name, _)| name == wanted).filter_map(|(_, value)| value.as_array());
            lists.flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let insists = super::asked::flag(properties, "SendSIGKILL").unwrap_or(true);
        let mode = text("KillMode").unwrap_or("control-group");
        let others = ["ExecCondition", "ExecStartPre", "ExecStartPost", "ExecReload", "ExecStop", "ExecStopPost"];
        Self {
            cgroup: cgroup_of(name, text("Slice")),
            after: names("After"),
            before: names("Before"),
            program: program(properties).filter(|_| !others.into_iter().any(has)),
            ends_main: insists && mode != "none",
            ends_all: insists && matches!(mode, "control-group" | "mixed"),
        }
    }
}

/// The one command of `ExecStart`.
fn program(properties: &PropertyList) -> Option<Vec<String>> {
    let mut lists = properties.iter().filter(|(name, _)| name == "ExecStart").filter_map(|(_, value)| value.as_array());
    let (Some([Value::Struct(parts)]), None) = (lists.next(), lists.next()) else { return None };
    let argv = parts.get(1).and_then(Value::as_array)?;
    argv.iter().map(|word| word.as_str().map(str::to_owned)).collect()
}

impl Reference {
    /// What the call says of the unit that it makes.
    pub(super) fn said_by(request: &Request) -> Option<Box<Said>> {
        let Request::StartTransient { name, properties, .. } = request else { return None };
        Some(Box::new(Said::of(name, properties)))
    }

    /// The call that makes the unit is answered.
    pub(super) fn say(&mut self, name: &str, said: Option<Box<Said>>) {
        if let Some(said) = said {
            self.said.insert(name.to_owned(), *said);
        }
    }

    /// Look: all units of which something was said, and what.
    pub fn said(&self) -> impl Iterator<Item = (&str, &Said)> {
        let made = self.asked.values().filter(|asked| asked.verb == Verb::Make).filter_map(|asked| asked.unit.as_ref());
        let names: BTreeSet<&String> = self.said.keys().chain(made).collect();
        names.into_iter().filter_map(|name| Some((name.as_str(), self.said_of(name)?)))
    }

    /// Look: what was said of one, perhaps by the one who is about to make it.
    #[must_use]
    pub fn said_of(&self, name: &str) -> Option<&Said> {
        let mut makers = self.asked.values().filter(|asked| asked.makes(name));
        match (self.said.get(name), makers.next(), makers.next()) {
            (None, Some(maker), None) => maker.said.as_deref(),
            (Some(_), Some(_), _) if name.ends_with(".slice") => None,
            (said, ..) => said,
        }
    }

    /// Look: does this unit come after that one? Every unit comes after the slice that it lies in.
    #[must_use]
    pub fn comes_after(&self, name: &str, other: &str) -> bool {
        let says = |said: &Said| said.after.contains(other);
        let says_other = |said: &Said| said.before.contains(name);
        name != other
            && (self.slice_of(name).as_deref() == Some(other)
                || self.said_of(name).is_some_and(says)
                || self.said_of(other).is_some_and(says_other))
    }

    fn slice_of(&self, name: &str) -> Option<String> {
        let cgroup = match self.said_of(name) {
            Some(said) => said.cgroup.clone(),
            None if name.ends_with(".slice") => cgroup_of(name, None),
            None => return None,
        };
        Some(cgroup.rsplit('/').nth(1).filter(|slice| !slice.is_empty()).unwrap_or("-.slice").to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cgarbiter_core::CallId;
    use cgarbiter_core::client::{Client, ClientId, Transport};

    fn say(reference: &mut Reference, name: &str, properties: PropertyList) {
        reference.say(name, Some(Box::new(Said::of(name, &properties))));
    }

    #[test]
    fn order_is_what_either_says_and_the_tree() {
        let mut reference = Reference::default();
        let one = |name: &str, other: &str| vec![(name.to_owned(), Value::strings(vec![other]))];
        say(&mut reference, "a.service", one("After", "b.service"));
        say(&mut reference, "c.service", one("Before", "a.service"));
        assert!(reference.comes_after("a.service", "b.service") && reference.comes_after("a.service", "c.service"));
        assert!(!reference.comes_after("b.service", "a.service") && !reference.comes_after("c.service", "a.service"));
        assert!(reference.comes_after("a.service", "system.slice") && reference.comes_after("a-b.slice", "a.slice"));
        assert!(!reference.comes_after("d.service", "system.slice"), "of which nothing was said");
    }

    fn root() -> Client {
        Client { id: ClientId(1), transport: Transport::Private, uid: 0, pid: None }
    }

    fn make(reference: &mut Reference, call: u64, name: &str, mode: &str) {
        let after = vec![("After".to_owned(), Value::strings(["b.service"]))];
        let (name, mode, auxiliary) = (name.into(), mode.into(), Vec::new());
        let request = Request::StartTransient { name, mode, properties: after, auxiliary };
        reference.arrives(CallId(call), &root(), &request);
    }

    #[test]
    fn the_first_call_for_a_name_says_what_counts_before_it_is_answered() {
        let mut reference = Reference::default();
        make(&mut reference, 1, "a.service", "fail");
        assert!(reference.comes_after("a.service", "b.service"));
        assert!(reference.comes_after("a.service", "system.slice"));
        make(&mut reference, 2, "a.service", "fail");
        assert!(reference.said_of("a.service").is_none(), "one of them is refused");
        say(&mut reference, "c.service", Vec::new());
        make(&mut reference, 3, "c.service", "fail");
        assert!(!reference.comes_after("c.service", "b.service"), "the name is taken");
        say(&mut reference, "d.slice", Vec::new());
        make(&mut reference, 4, "d.slice", "fail");
        assert!(reference.said_of("d.slice").is_none(), "a slice that is there may be made once more");
    }

    #[test]
    fn only_a_request_says_that_no_order_counts() {
        let mut reference = Reference::default();
        make(&mut reference, 1, "a.service", "ignore-dependencies");
        make(&mut reference, 2, "b.service", "fail");
        assert!(reference.ignores_order(7, "a.service") && !reference.ignores_order(8, "b.service"));
        for (call, job) in [(1, 7), (2, 8)] {
            let path = format!("/org/freedesktop/systemd1/job/{job}");
            reference.answered(CallId(call), &Ok(vec![Value::Path(path)]));
        }
        assert!(reference.ignores_order(7, "a.service") && !reference.ignores_order(8, "b.service"));
        reference.job_removed(7, "a.service", "done");
        assert!(!reference.ignores_order(7, "a.service"));
    }

    #[test]
    fn what_is_said_last_counts() {
        let kills = |flag| ("SendSIGKILL".to_owned(), Value::Bool(flag));
        assert!(Said::of("a.service", &vec![kills(false), kills(true)]).ends_all);
        assert!(!Said::of("a.service", &vec![kills(true), kills(false)]).ends_all);
    }

    #[test]
    fn who_ends_with_a_unit_depends_on_how_it_kills() {
        let said = |mode: &str| Said::of("a.service", &vec![("KillMode".to_owned(), Value::str(mode))]);
        assert!(said("mixed").ends_all && said("mixed").ends_main);
        assert!(!said("process").ends_all && said("process").ends_main && !said("none").ends_main);
    }
}
