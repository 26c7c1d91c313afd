//! How one end of a connection is shut down, whether plain or by TLS.

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
#[cfg(test)]
use tokio::io::DuplexStream;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{client, server};

/// A stream whose end can be one packet.
pub(crate) trait End: AsyncWrite + Unpin {
    /// Announces that the stream is shut down next: what this writes, such as TLS its close_notify, may leave together
    /// with the end of the connection.
    fn end_with_what_follows(&mut self) {}
}

impl<S: AsyncRead + End> End for server::TlsStream<S> {
    fn end_with_what_follows(&mut self) {
        self.get_mut().0.end_with_what_follows();
    }
}

impl<S: AsyncRead + End> End for client::TlsStream<S> {
    fn end_with_what_follows(&mut self) {
        self.get_mut().0.end_with_what_follows();
    }
}

/// Of what hyper has given back nobody knows what it is.
impl End for TokioIo<Upgraded> {}

#[cfg(test)]
impl End for DuplexStream {}

#[cfg(test)]
impl End for Vec<u8> {}
