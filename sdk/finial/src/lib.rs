//! After stage 6: what a Rust program needs to have an identity and to know its peers, in one crate.
//!
//! ```text
//! … provide ──→ receive ──→ tls ──Peer──→ your program
//! ```
//!
//! A [`Workload`] takes its identity from the agent that `SPIFFE_ENDPOINT_SOCKET` names, keeps it current, and opens
//! connections on which both ends know who the other is. Who may be there is a [`Policy`], always said and never
//! "anyone". A [`Connection`] fails once the trust it rests on has gone.
//!
//! ```no_run
//! use finial::{Policy, SpiffeId, Workload};
//! use tokio::io::AsyncWriteExt;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let workload = Workload::connect().await?;
//! let client = SpiffeId::parse("spiffe://example.org/client")?;
//! let mut listener = workload.listen("127.0.0.1:8443", Policy::ids([client])).await?;
//! loop {
//!     let mut connection = listener.accept().await;
//!     let greeting = format!("hello, {}\n", connection.peer().spiffe_id());
//!     connection.write_all(greeting.as_bytes()).await?;
//!     connection.shutdown().await?;
//! }
//! # }
//! ```
//!
//! `examples/server.rs` is the same with axum, and `examples/client.rs` its caller with hyper. For stacks of another
//! kind, [`Workload::acceptor`] and [`Workload::connector`] secure any stream, and [`server_config`] and
//! [`client_config`] make configurations for rustls. JWT-SVIDs come from [`Workload::jwt`].

mod connection;
mod error;
#[cfg(test)]
mod fixtures;
mod listener;
mod workload;

pub use connection::Connection;
pub use error::Error;
pub use listener::Listener;
pub use workload::Workload;

pub use finial_daemon::{Clock, Tasks};
pub use finial_identity::{
    Audience, Bundle, BundleSet, JwtSvid, SpiffeId, TrustDomain, Verified, X509Credential, X509Svid,
};
pub use finial_receive::{Endpoint, IdentityFiles, JwtSource, NotLive, ReceiveError, Source};
pub use finial_tls::{
    Acceptor, ClientAuth, Connector, Fallen, Guarded, Peer, Policy, Secured, Standing, TlsError, UriPatterns,
    client_config, server_config,
};
