//! What only slices have: they are perpetual or implicit, and know no end of their own (reference 02.4).

use crate::names::{UnitName, UnitType, unescape};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;

/// The description of a unit that was given none (reference 01.7, 01.8).
#[must_use]
pub fn default_description(name: &UnitName) -> Arc<str> {
    match (name.unit_type(), name.as_str()) {
        (_, "-.slice") => "Root Slice".into(),
        (_, "system.slice") => "System Slice".into(),
        (UnitType::Slice, _) => {
            let path = unescape(name.stem()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            format!("Slice /{}", path.as_deref().unwrap_or(name.stem())).into()
        }
        _ => name.shared().clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_without_a_description_are_described_by_their_names() {
        let rows = [
            ("-.slice", "Root Slice"),
            ("system.slice", "System Slice"),
            ("a-b\\x2dc.slice", "Slice /a/b-c"),
            ("a-b.scope", "a-b.scope"),
        ];
        for (name, description) in rows {
            assert_eq!(&*default_description(&UnitName::parse(name).expect("a valid name")), description);
        }
    }
}
