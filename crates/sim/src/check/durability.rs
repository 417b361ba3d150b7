//! A setting that was to stay, and that was answered, stays: it lies in the store as soon as all is quiet, and is there
//! as a whole when the power was cut. While it is being changed, the old or the new one is there, and nothing between.

use super::{Oracle, Past, Verdict, View};
use crate::reference::Setting;
use crate::store::Store;

#[derive(Clone, Copy)]
pub(super) struct Durability;

impl Oracle for Durability {
    fn name(&self) -> &'static str {
        "durability"
    }

    fn after(&mut self, view: &View<'_>, past: &Past<'_>) -> Verdict {
        if matches!(past, Past::PowerCut) { check(view) } else { Ok(()) }
    }

    fn quiet(&mut self, view: &View<'_>) -> Verdict {
        check(view)
    }
}

fn check(view: &View<'_>) -> Verdict {
    let store: &Store = view.world.backend().store();
    for ((unit, key), setting) in view.reference.settings() {
        let found = setting.lies_in(store, unit, key).map_err(|file| format!("{file} is not whole"))?;
        if !setting.may_be(found.as_deref()) {
            let found = found.unwrap_or_else(|| "nothing".to_owned());
            return Err(format!("{key} of {unit} was to stay {}, and {found} is in the store", expected(setting)));
        }
    }
    Ok(())
}

fn expected(setting: &Setting) -> String {
    let all: Vec<&str> = setting.candidates().map(|value| value.unwrap_or("unset")).collect();
    all.join(" or ")
}
