//! One table of what backends answer: steps and questions of the core, the state they meet, and what has to come of
//! them. Every backend plays all of it in its own tests, so that the imagined machine is worth what it is held to.
//!
//! A row is a short story ([`rows`]), told to a [`Player`], who compares each answer as text. A backend under test is
//! reached through [`Backend`], which also does what others than the arbiter do: make directories, begin and end
//! processes, leave files. What is demanded of the table itself stands in [`cover`].

mod backend;
pub mod cover;
mod player;
pub mod rows;
mod words;

pub use backend::{Backend, Need, Thing};
pub use player::{Played, Player, play};
pub use rows::Row;
