//! A front end with a made-up core behind it, and a client that says exactly the bytes it is told to.
#![allow(dead_code, clippy::print_stderr, reason = "each test file uses its part; a skipped test says so")]

pub(crate) mod client;
pub(crate) mod daemon;
pub(crate) mod server;

pub(crate) use client::Client;
pub(crate) use server::Server;
