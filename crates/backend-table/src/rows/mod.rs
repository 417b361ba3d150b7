//! The rows, by subject. A row begins on a machine where nothing has happened yet: it says what is there, does one or
//! a few steps or questions, and says what comes of each.

mod controllers;
mod files;
mod marks;
mod ops;
mod processes;
mod signals;
mod spawn;
mod store;
mod tree;
mod unit_files;
mod watches;

use crate::backend::Need;
use crate::player::{Player, path};

/// One story.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What is so, in a sentence.
    pub name: &'static str,
    /// What the machine has to have.
    pub needs: &'static [Need],
    pub(crate) play: fn(&mut Player<'_>),
}

/// A row that any machine can play.
const fn row(name: &'static str, play: fn(&mut Player<'_>)) -> Row {
    Row { name, needs: &[], play }
}

impl Row {
    const fn needs(self, needs: &'static [Need]) -> Self {
        Self { needs, ..self }
    }
}

/// All of them.
#[must_use]
pub fn rows() -> Vec<Row> {
    [
        store::ROWS,
        unit_files::ROWS,
        tree::ROWS,
        files::ROWS,
        controllers::ROWS,
        marks::ROWS,
        watches::ROWS,
        processes::ROWS,
        signals::ROWS,
        spawn::ROWS,
    ]
    .concat()
}
