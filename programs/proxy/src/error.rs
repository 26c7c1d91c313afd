//! Why a proxy does not start, or did not end as it should.

use std::io;
use std::time::Duration;

use finial_daemon::socket::SocketError;
use finial_receive::NotLive;
use finial_tls::UriPatternError;

use crate::Address;

/// A proxy could not be built, or could not end in peace. Texts that ghostunnel has too are ghostunnel's.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// Nobody would be permitted.
    #[error("at least one access control flag ({flag}) is required")]
    NoAccessControl {
        /// The flag of this mode.
        flag: &'static str,
    },
    /// A pattern breaks the grammar.
    #[error("invalid URI pattern in {flag} flag (`{pattern}`)")]
    UriPattern {
        /// The flag that holds it.
        flag: &'static str,
        /// The pattern.
        pattern: String,
        /// The rule it breaks.
        #[source]
        cause: UriPatternError,
    },
    /// The backend of a server would be reached in the clear over a network.
    #[error("--target must be unix:PATH or localhost:PORT (unless --unsafe-target is set)")]
    UnsafeTarget,
    /// Others than this machine could use the identity of a client.
    #[error("--listen must be unix:PATH or localhost:PORT (unless --unsafe-listen is set)")]
    UnsafeListen,
    /// A client's target is a Unix socket.
    #[error("invalid --target network \"unix\": client mode requires a HOST:PORT TCP target")]
    UnixTarget,
    /// Nothing could ever connect.
    #[error("--connect-timeout duration must not be zero")]
    NoConnectTimeout,
    /// A TCP port could not be bound.
    #[error("cannot listen on {address}: is another program there, or may this user not?")]
    Listen {
        /// The address.
        address: Address,
        /// What the operating system says.
        #[source]
        cause: io::Error,
    },
    /// A Unix socket could not be bound.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The agent gave no identity in time, or none at all.
    #[error(
        "timed out or failed waiting for initial SPIFFE Workload API update (is the agent reachable and is there a registration entry?)"
    )]
    NoIdentity(#[source] NotLive),
    /// Connections were still open when the time to drain ran out, and were cut.
    #[error("graceful shutdown timeout: forcing exit")]
    Forced {
        /// The time that they had.
        limit: Duration,
    },
    /// A part of the proxy has panicked; the log says why.
    #[error("the task {0} has panicked")]
    Panicked(
        /// The name of the task.
        &'static str,
    ),
}
