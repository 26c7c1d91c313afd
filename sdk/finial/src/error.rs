//! Why a workload got no identity or no connection.

use std::io;

use finial_daemon::Elapsed;
use finial_receive::{NotLive, ReceiveError};
use finial_tls::TlsError;

/// A workload could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The environment does not name an agent.
    #[error(transparent)]
    Endpoint(ReceiveError),
    /// The agent gave no identity: is it running, and does a registration entry select this process?
    #[error("no identity from the agent: is it running, and does a registration entry select this process?")]
    NoIdentity(#[source] NotLive),
    /// The address could not be bound.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: String,
        /// What the operating system says.
        #[source]
        cause: io::Error,
    },
    /// The address could not be reached.
    #[error("cannot connect to {address}")]
    Dial {
        /// The address.
        address: String,
        /// What the operating system says.
        #[source]
        cause: io::Error,
    },
    /// The address did not answer in time.
    #[error("cannot connect to {address}")]
    TooSlow {
        /// The address.
        address: String,
        /// The time that it had.
        #[source]
        cause: Elapsed,
    },
    /// The connection could not be secured.
    #[error("cannot secure the connection to {address}")]
    Tls {
        /// The address.
        address: String,
        /// Why not.
        #[source]
        cause: TlsError,
    },
}
