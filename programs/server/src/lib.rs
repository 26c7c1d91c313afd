//! The server, as a program: composes the stages attest, authorize, issue and provide into one process.
//!
//! ```text
//! TCP ──tls──┐                       ┌─ agent, entry, svid, bundle,
//!            ├─ Caller ──guard──────→┤  local authority, changes
//! Unix ──────┘            │          └─ health, reflection (Unix socket only)
//!                       Permit
//! ```
//!
//! [`build`] opens the keys and the store, takes up the authorities, issues the server's own SVID and binds both
//! listeners; [`App::run`] serves until it is told to stop, and then drains. Whatever is refused at either border is
//! turned into a gRPC status in one place.

mod admission;
mod app;
mod audit;
mod config;
mod core;
mod endpoints;
mod gauges;
mod guard;
mod health;
mod identity;
mod listener;
mod pruning;
mod rate;
mod status;
mod watch;

pub use app::{App, build};
pub use config::{
    Cidr, CidrError, Config, KeysConfig, NodeAttestorsConfig, NodePruning, RateLimits, StoreConfig, keys,
};
