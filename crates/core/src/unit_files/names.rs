//! Names under which files of a unit may lie, beside its own.

use crate::names::UnitName;
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// The template of an instance; of a plain name, what would be its template.
pub(super) fn template_of(name: &UnitName) -> String {
    format!("{}@.{}", name.prefix(), name.unit_type().suffix())
}

/// The names whose drop-ins are a unit's, from its own on: its template's, and those of every part of its name that
/// ends in a dash.
pub(super) fn drop_in_names(name: &UnitName) -> Vec<Cow<'_, str>> {
    let suffix = name.unit_type().suffix();
    let mut names = vec![Cow::Borrowed(name.as_str())];
    names.extend(name.instance().map(|_| template_of(name).into()));
    let mut prefix = name.prefix();
    loop {
        prefix = prefix.strip_suffix('-').unwrap_or(prefix);
        let Some(dash) = prefix.rfind('-').filter(|dash| *dash > 0) else { return names };
        prefix = &prefix[..=dash];
        match name.instance() {
            Some(instance) => {
                let both = [format!("{prefix}@{instance}.{suffix}"), format!("{prefix}@.{suffix}")];
                names.extend(both.map(Cow::Owned));
            }
            None => names.push(format!("{prefix}.{suffix}").into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_the_special_to_the_general() {
        for (name, want) in [
            ("a-b-c.slice", &["a-b-c.slice", "a-b-.slice", "a-.slice"][..]),
            ("a-b@x-y.service", &["a-b@x-y.service", "a-b@.service", "a-@x-y.service", "a-@.service"]),
            ("a--b-.scope", &["a--b-.scope", "a--.scope", "a-.scope"]),
            ("-.slice", &["-.slice"]),
            ("-a.service", &["-a.service"]),
        ] {
            assert_eq!(drop_in_names(&UnitName::parse(name).expect("a name")), want, "{name}");
        }
    }
}
