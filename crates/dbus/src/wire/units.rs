//! Rows of ListUnits straight to bytes: thousands of them are asked for at once. As a tree of values, 5,000 rows take
//! 5.5 ms, which is more than the whole call may take; through serde still 2.2 ms, this way 1.3 ms.

use cgarbiter_core::effect::UnitRow;
use cgarbiter_core::names::unit_object_path;
use zbus::message::{Builder, Message};

/// The signature of the body.
const SIGNATURE: &str = "a(ssssssouso)";
/// What a row takes beside its name and description, generously.
const ROW_SIZE: usize = 192;

/// A message with these rows as its body.
pub(crate) fn build(builder: Builder<'_>, rows: &[UnitRow]) -> zbus::Result<Message> {
    let mut body = Body::for_rows(rows);
    rows.iter().for_each(|row| body.row(row));
    // SAFETY: unsafe because body and signature might disagree; `row` writes what the signature says, which a test
    // compares with the body that is built from values.
    unsafe { builder.build_raw_body(&body.finish(), SIGNATURE, Vec::new()) }
}

/// An array of rows in the making, in native byte order like all that we send.
struct Body(Vec<u8>);

impl Body {
    fn for_rows(rows: &[UnitRow]) -> Self {
        let size = |row: &UnitRow| ROW_SIZE + 2 * row.name.as_str().len() + row.description.len();
        let mut bytes = Vec::with_capacity(rows.iter().map(size).sum::<usize>() + 8);
        // The length, filled in at the end, and padding before the first row, which is there even if no row is.
        bytes.extend_from_slice(&[0; 8]);
        Self(bytes)
    }

    fn row(&mut self, row: &UnitRow) {
        self.align(8);
        // The sixth is "following", which no unit of ours does.
        for text in [row.name.as_str(), &row.description, row.load, row.active, row.sub, ""] {
            self.text(text);
        }
        self.text(&unit_object_path(&row.name));
        let (id, kind) = row.job.unwrap_or((0, ""));
        self.number(id);
        self.text(kind);
        match row.job {
            None => self.text("/"),
            Some((id, _)) => self.text(&format!("/org/freedesktop/systemd1/job/{id}")),
        }
    }

    /// `s` or `o`; the zero byte, which the format forbids, becomes a space.
    fn text(&mut self, text: &str) {
        if text.as_bytes().contains(&0) {
            return self.text(&text.replace('\0', " "));
        }
        // No text of ours is near 4 GiB.
        self.number(text.len() as u32);
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
    }

    fn number(&mut self, number: u32) {
        self.align(4);
        self.0.extend_from_slice(&number.to_ne_bytes());
    }

    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    fn finish(mut self) -> Vec<u8> {
        let length = (self.0.len() - 8) as u32;
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0
    }
}
