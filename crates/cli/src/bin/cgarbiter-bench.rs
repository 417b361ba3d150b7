//! The load client.

fn main() {}
