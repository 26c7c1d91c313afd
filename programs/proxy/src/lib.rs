//! After stage 6: lets programs that know nothing of SPIFFE use an identity, by standing before them.
//!
//! ```text
//! … receive ──Source──→ tls ──Secured──→ proxy ──bytes──→ a program's plain socket
//! ```
//!
//! In server mode the proxy accepts mutual TLS and forwards to a backend in the clear; in client mode it accepts in
//! the clear and forwards over mutual TLS. Flags, texts and log lines follow ghostunnel, so that one can take the
//! place of the other; where they differ, docs/divergences.md says so.
//!
//! [`build`] binds everything and waits for the first SVID; [`App::run`] serves until it is told to stop, then
//! drains. A connection ends when the trust it rests on goes, not only when one of its ends does.

mod accept;
mod address;
mod admission;
mod ahead;
mod announcer;
mod app;
mod check;
mod config;
mod confinement;
mod error;
#[cfg(test)]
mod fixtures;
mod fleet;
mod gate;
mod http;
mod identities;
mod identity;
mod lines;
mod metrics;
mod outgoing;
mod pipe;
mod places;
mod plain;
mod proxy;
mod proxy_protocol;
mod reload;
mod side;
mod sinks;
mod status;
mod targets;
mod upstream;

pub(crate) use address::StatusAddress;
pub use address::{Address, AddressError};
pub use app::{App, build, build_file};
pub use check::{Examined, Judgement, Visitor, examine, examine_file};
pub use config::{
    AccessFlags, AcmeFlags, ClientConfig, Config, CredentialFlags, HealthCheck, KeyFlags, Limits, PeerFlags,
    PolicyFlags, ProxyFile, Quiet, ServerConfig, StatusFlags, TlsFlags,
};
pub use error::ProxyError;
pub use outgoing::{HttpUrl, HttpUrlError};
pub use proxy_protocol::ProxyProtocol;
pub use reload::Reloader;
pub use upstream::{Upstream, UpstreamAddressError};
