//! The real programs as child processes: a trust domain in a temporary folder, and whatever a test puts before it.
//!
//! ```text
//! test ──Dev, Pair──→ finial ←──Process, run──→ other people's programs
//! ```
//!
//! Everything is bounded in time, ends with the value that started it, and panics with the words of the program that
//! failed: a test has no better use for an error. What stands still is polled, which interop tests may do.

#![expect(clippy::expect_used, reason = "a test ends at the first thing that goes wrong")]

mod dev;
mod faults;
mod group;
mod pair;
mod peer;
mod place;
mod poll;
mod postgres;
mod process;
mod sources;
mod usage;

pub use dev::Dev;
pub use faults::{Fault, Faults};
pub use group::MemoryGroup;
pub use pair::Pair;
pub use peer::{envoy, go_peer, grpcurl, installed, python, skip, systemd_root, traefik};
pub use place::{example, finial};
pub use poll::{LIMIT, free_port, until};
pub use postgres::Postgres;
pub use process::{Finished, Process, run, run_with_input};
pub use sources::{sources, tests_of_the_workspace};
pub use usage::{memory, memory_available, processor_time};
