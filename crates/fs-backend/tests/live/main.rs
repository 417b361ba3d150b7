//! The backend against the kernel it runs on. Each test works in a cgroup of its own below a cgroup2 mount and removes
//! it; where that is not permitted, it says so and passes. `CGARBITER_REQUIRE_LIVE=1`, for machines to try things on,
//! makes it fail instead, and lets it switch controllers on for the whole machine.

mod cgroups;
mod processes;
mod puppets;
mod setup;
mod signals;
mod store;
mod table;
mod world;
