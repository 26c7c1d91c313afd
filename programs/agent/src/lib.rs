//! The agent: the program of the fourth stage, provide, on a node.
//!
//! It attests the node to its server (first stage, from the other side), keeps its own SVID valid, follows the entries
//! that the server authorizes it for, and serves the Workload API on a Unix socket to the processes of the node.
//!
//! [`build`] opens and binds everything and leaves an [`App`] that [runs](App::run) until it is told to stop.
//!
//! ```text
//! socket ── Workloads ── Cache ── ServerUpstream ── channel ── server
//!                          │                           │
//!                          └───────── identity ────────┘   renews the SVID, follows the bundle, judges denials
//! ```

mod admin;
mod app;
mod arrivals;
mod attestation;
mod attestors;
mod bootstrap;
mod channel;
mod config;
mod evidence;
mod health;
mod identity;
mod keys;
mod listener;
mod loss;
mod meters;
mod rebootstrap;
mod renewal;
mod storage;
mod watch;

pub use app::{App, build};
#[cfg(feature = "testing")]
pub use bootstrap::fetched_document;
pub use config::{
    BundleFormat, BundleUrl, BundleUrlError, Config, DeliveryConfig, KeysConfig, NodeAttestorConfig,
    RebootstrapMode, ServerAddress, Servers, ServersError, TrustBundle, keys,
};
pub use loss::Loss;
#[cfg(feature = "testing")]
pub use storage::rewritten_agent_data;
