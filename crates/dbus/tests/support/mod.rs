//! A front end with a made-up core behind it, and a client that says exactly the bytes it is told to.
#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod client;
pub(crate) mod server;

pub(crate) use client::Client;
pub(crate) use server::Server;
