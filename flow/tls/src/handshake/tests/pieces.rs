//! A wire that carries one byte at a time.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::fixtures::{CLIENT, Pair, SERVER, name, wire};

/// Takes and gives one byte at a time, as a network does that cuts everything up. Like every socket it has room for
/// more than one: in TLS 1.3 both ends write at once, and over a wire with room for one byte they would wait for each
/// other until the limit of the handshake.
#[derive(Debug)]
struct Crumbs<S>(S);

impl<S: AsyncRead + Unpin> AsyncRead for Crumbs<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut byte = [0];
        let mut crumb = ReadBuf::new(&mut byte);
        std::task::ready!(Pin::new(&mut self.0).poll_read(cx, &mut crumb))?;
        buffer.put_slice(crumb.filled());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Crumbs<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let crumb = bytes.get(..1).unwrap_or_default();
        Pin::new(&mut self.0).poll_write(cx, crumb)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn handshake_in_single_bytes_is_a_handshake() {
    let pair = Pair::new();
    let (near, far) = wire();
    let (acceptor, connector) = (pair.acceptor(), pair.connector());
    let (accepted, connected) =
        tokio::join!(acceptor.accept(Crumbs(far)), connector.connect(Crumbs(near), name()));
    let (mut accepted, mut connected) = (accepted.unwrap(), connected.unwrap());
    assert_eq!(accepted.peer.spiffe_id().as_str(), CLIENT);
    assert_eq!(connected.peer.spiffe_id().as_str(), SERVER);
    connected.stream.write_all(b"hello").await.unwrap();
    connected.stream.shutdown().await.unwrap();
    let mut heard = String::new();
    accepted.stream.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "hello");
}
