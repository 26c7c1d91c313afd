//! What PostgreSQL's protocol runs on.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use finial_identity::tls_server_end_point;
use finial_tls::{Guarded, Standing};
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{self, ChannelBinding};
use tokio_rustls::client;

/// A TLS connection with the server that was wanted.
///
/// Once the trust it rests on has gone (the server's authority left the bundle, or our own identity was withdrawn) reads
/// and writes fail with [`ConnectionAborted`](io::ErrorKind::ConnectionAborted) and a
/// [`Fallen`](finial_tls::Fallen) that says why, so that the connection of tokio-postgres ends, and with it every query
/// that waits on it.
pub struct TlsStream<S> {
    inner: Guarded<client::TlsStream<S>>,
}

impl<S> TlsStream<S> {
    pub(crate) fn new(stream: client::TlsStream<S>, standing: Standing) -> Self {
        Self { inner: Guarded::new(stream, standing) }
    }

    /// The encrypted stream, for the parameters of TLS.
    pub fn stream(&self) -> &client::TlsStream<S> {
        self.inner.stream()
    }

    pub(crate) fn leaf(&self) -> Option<&CertificateDer<'static>> {
        let (_, connection) = self.stream().get_ref();
        connection.peer_certificates()?.first()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> tls::TlsStream for TlsStream<S> {
    /// `tls-server-end-point` (RFC 5929 §4.1); none when the signature on the server's certificate has no hash.
    fn channel_binding(&self) -> ChannelBinding {
        let binding = self.leaf().and_then(tls_server_end_point);
        binding.map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }
}

impl<S> fmt::Debug for TlsStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream").finish_non_exhaustive()
    }
}
