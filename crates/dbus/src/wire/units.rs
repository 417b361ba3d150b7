//! Rows of ListUnits straight to the wire: thousands of them are asked for at once, and building a tree of values first
//! would take longer than everything else together.

use cgarbiter_core::effect::UnitRow;
use cgarbiter_core::names::unit_object_path;
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use zbus::wire::{Signature, Type, signature::Child};

/// The body `a(ssssssouso)`.
pub(crate) struct UnitRows<'a>(pub(crate) &'a [UnitRow]);

const ROW: &Signature = &Signature::static_structure(&[
    &Signature::Str,
    &Signature::Str,
    &Signature::Str,
    &Signature::Str,
    &Signature::Str,
    &Signature::Str,
    &Signature::ObjectPath,
    &Signature::U32,
    &Signature::Str,
    &Signature::ObjectPath,
]);

impl Type for UnitRows<'_> {
    const SIGNATURE: &'static Signature = &Signature::Array(Child::Static { child: ROW });
}

impl Serialize for UnitRows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.0.len()))?;
        for row in self.0 {
            let path = unit_object_path(&row.name);
            let (job, kind, job_path) = match row.job {
                None => (0, "", "/".into()),
                Some((id, kind)) => (id, kind, format!("/org/freedesktop/systemd1/job/{id}")),
            };
            // The sixth is "following", which no unit of ours does.
            let names = (row.name.as_str(), &*row.description, row.load, row.active, row.sub, "");
            seq.serialize_element(&(names.0, names.1, names.2, names.3, names.4, names.5, path, job, kind, job_path))?;
        }
        seq.end()
    }
}
