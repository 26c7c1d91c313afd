//! What stands behind a proxy: it echoes, takes all, or gives much, as the first byte asks.

use std::net::Ipv4Addr;
use std::thread;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};

use super::cores;

/// Gives back whatever comes, this byte included.
pub(super) const ECHO: u8 = b'e';
/// Takes as many bytes as the next eight, big-endian, say, and answers with one.
pub(super) const TAKE: u8 = b't';
/// Gives as many bytes as the next eight say.
pub(super) const GIVE: u8 = b'g';

const BLOCK: usize = 256 * 1024;

/// Starts a backend on a core, for as long as this process lives, and gives its port.
pub(super) fn start(core: usize) -> u16 {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        cores::pin(&[core]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(LocalSet::new().run_until(serve(listener)));
    });
    port
}

async fn serve(listener: std::net::TcpListener) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        // A caller that leaves early, as a probe does, is no failure of the backend.
        spawn_local(async move { answer(stream).await.ok() });
    }
}

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    match stream.read_u8().await? {
        ECHO => {
            stream.write_u8(ECHO).await?;
            let mut buffer = vec![0; 4096];
            loop {
                let count = stream.read(&mut buffer).await?;
                if count == 0 {
                    return stream.shutdown().await;
                }
                stream.write_all(&buffer[..count]).await?;
            }
        }
        TAKE => {
            let mut left = stream.read_u64().await?;
            let mut buffer = vec![0; BLOCK];
            while left > 0 {
                match stream.read(&mut buffer).await? {
                    0 => return Ok(()),
                    count => left -= count as u64,
                }
            }
            stream.write_u8(TAKE).await?;
        }
        GIVE => {
            let mut left = stream.read_u64().await?;
            let block = vec![b'x'; BLOCK];
            while left > 0 {
                let count = left.min(BLOCK as u64) as usize;
                stream.write_all(&block[..count]).await?;
                left -= count as u64;
            }
        }
        other => panic!("no request: {other}"),
    }
    stream.shutdown().await
}
