//! The one table of properties: name, D-Bus signature, unit-file key, range, unit kinds, when settable, list semantics;
//! parsing what a client sends, applying it to [`Settings`](crate::settings::Settings), printing it for unit files.
