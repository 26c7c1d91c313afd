//! Under every stage: what a long-running program needs, whichever stage of an identity's life it serves.
//!
//! Time comes from a [`Clock`], work runs in [`Tasks`] and ends by [`Drain`], a program says when it is ready with
//! [`Readiness`], waits between attempts with [`Backoff`], writes files so that a crash loses nothing ([`mod@file`]),
//! listens on Unix sockets that survive deletion ([`socket`]), bounds how many strangers wait to be let in
//! ([`mod@doorstep`]), tells systemd how it is ([`Supervisor`]), gives up what it does not need ([`confine`], [`memory`]), reads
//! SPIRE's configuration format ([`hcl`]), logs for people first ([`log`]), and tells machines how it is ([`health`],
//! [`metrics`], by [`telemetry`], on [`pages`]).
//! Nothing here knows what an identity is.

#[cfg(test)]
mod alone;
mod backoff;
mod clock;
pub mod confine;
pub mod descriptors;
pub mod doorstep;
pub mod file;
pub mod go;
pub mod hcl;
pub mod health;
pub mod log;
pub mod memory;
pub mod metrics;
pub mod pages;
mod readiness;
pub mod signals;
pub mod socket;
mod supervisor;
mod tasks;
pub mod telemetry;
mod telling;
pub mod umask;

pub use backoff::{Backoff, jitter};
pub use clock::{Clock, ClockHand, Elapsed};
pub use readiness::{Readiness, ReadyGuard};
pub use supervisor::Supervisor;
pub use tasks::{Drain, Tasks};
pub use telling::{HealthPortError, Telling};
