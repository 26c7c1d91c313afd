//! The two doors to the street: TCP with TLS for agents and administrators, a Unix socket for operators.

mod announced;
mod connection;
mod crowd;
mod tcp;
mod unix;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use finial_attest::Caller;
use tonic::transport::Server;

pub(crate) use tcp::TcpApi;
pub(crate) use unix::UnixApi;

use crate::guard::GuardLayer;
use crate::watch::Watch;

/// Who made the connection that a call came by. Found among the extensions of each request.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    caller: Arc<Caller>,
    address: Option<IpAddr>,
}

impl Origin {
    pub(crate) fn new(caller: Caller, address: Option<IpAddr>) -> Self {
        Self { caller: Arc::new(caller), address }
    }

    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The address that it came from; none on the Unix socket.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.address
    }
}

/// What each call passes before it is served: who watches, then who lets it in.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    pub(crate) watch: Watch,
    pub(crate) guard: GuardLayer,
}

/// How long an open connection may go on after the server was told to stop; the tasks have a little longer.
const CONNECTION_GRACE: Duration = Duration::from_secs(8);

/// How long what is under way on a TCP connection may go on beyond its age. Streams of changes end themselves sooner.
const LINGER: Duration = Duration::from_secs(2 * 3600);

/// Most connections at a time, of each listener. When there are more, the origin that has most gives way: an address, or
/// at the Unix socket a user. Whoever has proved an identity stays.
const MAX_CONNECTIONS: usize = 16_384;

/// Most connections at a time of one identity. An agent has one or two.
pub(crate) const MAX_CONNECTIONS_OF_ONE: usize = 256;

/// Most calls at a time on one connection.
const MAX_CALLS: u32 = 256;

/// Most bytes of headers in one call.
const MAX_HEADERS: u32 = 16 * 1024;

/// A connection that is silent this long is asked whether it lives, and closed when it does not answer.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));

/// HTTP/2 with the limits of both listeners.
fn http2() -> Server {
    Server::builder()
        .max_concurrent_streams(MAX_CALLS)
        .http2_max_header_list_size(MAX_HEADERS)
        .http2_keepalive_interval(Some(KEEPALIVE.0))
        .http2_keepalive_timeout(Some(KEEPALIVE.1))
}
