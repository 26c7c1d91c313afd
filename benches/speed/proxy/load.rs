//! Callers: what they do with a proxy, each bounded in number and in time.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use finial_daemon::Clock;
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::backend::{ECHO, GIVE, TAKE};

/// How long one load may take.
const LIMIT: Duration = Duration::from_secs(90);
/// Handshakes at once, and connections that move bytes at once.
const AT_ONCE: usize = 16;
const STREAMS: u64 = 4;
const BLOCK: usize = 256 * 1024;
/// What an echo carries.
const MESSAGE: usize = 1024;
/// So many connections share one address of loopback, so that there are enough ports.
const PER_ADDRESS: usize = 4000;

/// Whom the callers call, and as whom.
#[derive(Clone)]
pub(super) struct Callers {
    pub(super) port: u16,
    pub(super) config: Arc<ClientConfig>,
}

impl Callers {
    /// Performs `count` handshakes, each followed by one byte and back, and an end in order.
    pub(super) async fn handshakes(&self, count: usize) {
        let calls = stream::iter(0..count).map(|_| async {
            let mut stream = self.echoing(0).await?;
            stream.shutdown().await?;
            let rest = stream.read(&mut [0]).await?;
            if rest != 0 {
                return Err(io::Error::other("more than one byte came back"));
            }
            Ok(())
        });
        let calls = calls.buffer_unordered(AT_ONCE).for_each(async |done: io::Result<()>| done.unwrap());
        within_limit(calls).await;
    }

    /// Fetches so many bytes from the backend, over several connections.
    pub(super) async fn fetch(&self, bytes: u64) {
        let share = bytes / STREAMS;
        let fetches = (0..STREAMS).map(|_| async {
            let mut stream = self.connect(0).await.unwrap();
            stream.write_u8(GIVE).await.unwrap();
            stream.write_u64(share).await.unwrap();
            stream.flush().await.unwrap();
            let (mut buffer, mut came) = (vec![0; BLOCK], 0);
            while came < share {
                let count = stream.read(&mut buffer).await.unwrap();
                assert!(count > 0, "the end came after {came} of {share} bytes");
                came += count as u64;
            }
        });
        within_limit(join_all(fetches)).await;
    }

    /// Sends so many bytes to the backend, over several connections.
    pub(super) async fn send(&self, bytes: u64) {
        let share = bytes / STREAMS;
        let sends = (0..STREAMS).map(|_| async {
            let mut stream = self.connect(0).await.unwrap();
            stream.write_u8(TAKE).await.unwrap();
            stream.write_u64(share).await.unwrap();
            let block = vec![b'x'; BLOCK];
            let mut left = share;
            while left > 0 {
                let count = left.min(BLOCK as u64) as usize;
                stream.write_all(&block[..count]).await.unwrap();
                left -= count as u64;
            }
            stream.flush().await.unwrap();
            assert_eq!(stream.read_u8().await.unwrap(), TAKE);
        });
        within_limit(join_all(sends)).await;
    }

    /// How long messages of 1 KB take there and back on one connection, in microseconds.
    pub(super) async fn echoes(&self, count: usize) -> Vec<f64> {
        let clock = Clock::system();
        let mut stream = self.echoing(0).await.unwrap();
        let mut times = Vec::with_capacity(count);
        let echoes = async {
            let (message, mut answer) = ([b'x'; MESSAGE], [0; MESSAGE]);
            for _ in 0..count {
                let began = clock.monotonic();
                stream.write_all(&message).await.unwrap();
                stream.flush().await.unwrap();
                stream.read_exact(&mut answer).await.unwrap();
                times.push((clock.monotonic() - began).as_secs_f64() * 1e6);
            }
        };
        within_limit(echoes).await;
        times
    }

    /// Opens connections that have echoed one byte and stay.
    pub(super) async fn idle(&self, count: usize) -> Vec<TlsStream<TcpStream>> {
        let calls = stream::iter(0..count).map(|index| self.echoing(index / PER_ADDRESS));
        let calls = calls.buffer_unordered(AT_ONCE).map(|stream| stream.unwrap());
        within_limit(calls.collect()).await
    }

    /// A connection that has echoed one byte.
    async fn echoing(&self, address: usize) -> io::Result<TlsStream<TcpStream>> {
        let mut stream = self.connect(address).await?;
        stream.write_u8(ECHO).await?;
        stream.flush().await?;
        match stream.read_u8().await? {
            ECHO => Ok(stream),
            other => Err(io::Error::other(format!("{other} came back"))),
        }
    }

    /// A connection from one of the addresses of loopback.
    async fn connect(&self, address: usize) -> io::Result<TlsStream<TcpStream>> {
        let socket = TcpSocket::new_v4()?;
        if address > 0 {
            let last = u8::try_from(address + 1).expect("not that many addresses");
            socket.bind(SocketAddr::from(([127, 0, 0, last], 0)))?;
        }
        let stream = socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").expect("a host name");
        let stream = TlsConnector::from(Arc::clone(&self.config)).connect(name, stream).await?;
        Ok(stream)
    }
}

async fn within_limit<T>(work: impl Future<Output = T>) -> T {
    Clock::system().timeout(LIMIT, work).await.expect("the load has taken too long")
}
