//! Stage 6, tls: uses the identity, so that both ends of a connection know who the other is.
//!
//! ```text
//! … receive ──Source──→ tls ──Peer──→ app
//! ```
//!
//! An [`Acceptor`] or a [`Connector`] over a [`Source`](finial_receive::Source) performs the handshake and gives a
//! [`Secured`] stream: the [`Peer`], which only a verified handshake can make, and its [`Standing`], which ends
//! when the trust it rests on goes; [`Guarded`] is a stream that fails by itself then. Who may be at the other end is a [`Policy`], always an argument and never
//! "anyone". For stacks that take a rustls configuration there are [`server_config`] and [`client_config`].
//!
//! Programs outside of SPIFFE, which certificates of any PKI name, meet by a [`WebAcceptor`] or a [`WebDialer`]. They
//! become [`WebPeer`]s, or [`PinnedPeer`]s where only their key counts, which nothing here takes for a [`Peer`].
//!
//! Each handshake reads the source anew: it presents the current credential, verifies against the current bundles
//! by the clock of the source, and without either of them it is refused. TLS 1.2 and 1.3, forward secret AEAD
//! suites only, and no resumption: a resumed session would skip the verifier.

mod config;
mod error;
#[cfg(test)]
mod fixtures;
mod guarded;
mod handshake;
mod hints;
mod name_rules;
mod offer;
mod pages;
mod peer;
mod policy;
mod recent;
mod resolver;
mod settings;
mod standing;
mod terms;
mod uri_pattern;
mod verifier;
mod web;

pub use config::{ClientAuth, client_config, server_config};
pub use error::TlsError;
pub use guarded::Guarded;
pub use handshake::{Acceptor, Connector, Secured};
pub use name_rules::NameRules;
pub use offer::{Offer, Suites};
pub use pages::{MetricsPortError, metrics_pages};
pub use peer::Peer;
pub use policy::Policy;
pub use settings::HandshakeSettings;
pub use standing::{Fallen, Standing};
pub use terms::Terms;
pub use uri_pattern::{UriPatternError, UriPatterns};
pub use web::{PinnedPeer, WebAcceptor, WebConnector, WebDialer, WebPeer, WebRootsError};
