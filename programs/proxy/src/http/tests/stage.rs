//! A proxy that speaks HTTP between a raw caller and a raw backend.

use std::cell::RefCell;
use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use finial_receive::{Source, SourceWriter};
use finial_tls::{Connector, Policy};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::client::TlsStream;

use crate::fixtures::{CLIENT, SERVER, World, app, beside, dial, listener, name};
use crate::{App, ServerConfig};

pub(super) type Caller = TlsStream<TcpStream>;

/// What a forger says; the backend must never hear it.
pub(super) const FORGED: &str = "forged";

pub(super) struct Stage {
    pub(super) world: World,
    pub(super) backend: TcpListener,
    pub(super) config: ServerConfig,
    /// Where the proxy's identity comes from, and goes.
    pub(super) writer: SourceWriter,
    server: Source,
    client: Source,
    _client_writer: SourceWriter,
}

/// What was heard in one visit of a caller.
pub(super) struct Heard {
    /// By the backend, connection by connection.
    pub(super) backend: Vec<String>,
    /// By the caller.
    pub(super) caller: String,
    certificate: String,
}

impl Stage {
    pub(super) async fn new() -> Self {
        let world = World::new();
        let (backend, target) = listener().await;
        let (writer, server) = world.party(SERVER);
        let (client_writer, client) = world.party(CLIENT);
        let config = ServerConfig { identity_header: true, ..world.server(target) };
        Self { world, backend, config, writer, server, client, _client_writer: client_writer }
    }

    pub(super) async fn app(&self) -> App {
        app(self.config.clone(), self.server.clone()).await.unwrap()
    }

    pub(super) async fn call(&self, address: SocketAddr, alpn: &str) -> Caller {
        let policy = Policy::ids([SERVER.parse().unwrap()]);
        let connector = Connector::new(&self.client, policy).with_alpn([alpn]);
        connector.connect(dial(address).await, name()).await.unwrap().stream
    }

    pub(super) fn certificate(&self) -> String {
        format!(":{}:", STANDARD.encode(self.client.credential().unwrap().svid().leaf()))
    }

    /// Runs `visit` with a backend that answers each request with `ok`, and gives all that it heard.
    pub(super) async fn visit<T>(self, visit: impl AsyncFnOnce(&Self, SocketAddr) -> T) -> (Vec<String>, T) {
        let app = self.app().await;
        let address = app.address().unwrap();
        let (seen, left) = (RefCell::new(Vec::new()), Notify::new());
        let test = async {
            let visit = async {
                let result = visit(&self, address).await;
                // Whatever is on its way to the backend arrives before it stops to listen.
                for _ in 0..64 {
                    tokio::task::yield_now().await;
                }
                left.notify_one();
                result
            };
            tokio::join!(answer_all(&self.backend, &seen, &left), visit).1
        };
        let result = beside(app, &self.world.clock, test).await;
        let seen = seen.into_inner();
        (seen.into_iter().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect(), result)
    }

    /// A caller says `raw`, ends, and hears whatever it is told.
    pub(super) async fn say(self, raw: impl AsRef<[u8]>) -> Heard {
        let certificate = self.certificate();
        let visit = self.visit(async |stage, address| {
            let mut caller = stage.call(address, "http/1.1").await;
            // Who is refused may be heard no further.
            let _ = caller.write_all(raw.as_ref()).await;
            let _ = caller.shutdown().await;
            let mut heard = Vec::new();
            let _ = caller.read_to_end(&mut heard).await;
            String::from_utf8_lossy(&heard).into_owned()
        });
        // On the heap: it holds a whole proxy.
        let (backend, caller) = Box::pin(visit).await;
        Heard { backend, caller, certificate }
    }
}

/// A caller says `raw` by HTTP/1.1.
pub(super) async fn say(raw: impl AsRef<[u8]>) -> Heard {
    Stage::new().await.say(raw).await
}

impl Heard {
    pub(super) fn new(backend: Vec<String>, caller: String, certificate: String) -> Self {
        Self { backend, caller, certificate }
    }

    pub(super) fn status(&self) -> &str {
        self.caller.get(9..12).unwrap_or("none")
    }

    /// The one request that reached the backend.
    pub(super) fn request(&self) -> &str {
        match self.backend.as_slice() {
            [one] => one,
            _ => panic!("the backend heard {:?}, the caller {:?}", self.backend, self.caller),
        }
    }

    /// Every request that reached the backend tells who asks, once, and nothing forged did.
    pub(super) fn assert_told(&self, requests: usize) {
        let all = self.backend.concat();
        assert!(!all.contains(FORGED), "{all}");
        let lines = |start: &str| all.lines().filter(|line| line.starts_with(start)).count();
        assert_eq!(all.matches("x-spiffe-id").count(), requests, "{all}\n{}", self.caller);
        assert_eq!(lines(&format!("x-spiffe-id: {CLIENT}")), requests, "{all}");
        assert_eq!(all.matches("client-cert").count(), requests, "{all}");
        assert_eq!(lines(&format!("client-cert: {}", self.certificate)), requests, "{all}");
    }

    pub(super) fn assert_refused(&self, status: &str) {
        assert_eq!(self.status(), status, "{}", self.caller);
        assert!(self.backend.is_empty(), "{:?}", self.backend);
    }
}

/// Until the caller has left and the proxy has let go of every connection.
async fn answer_all(backend: &TcpListener, seen: &RefCell<Vec<Vec<u8>>>, left: &Notify) {
    let mut open = FuturesUnordered::new();
    let mut waiting = true;
    while waiting || !open.is_empty() {
        tokio::select! {
            () = left.notified(), if waiting => waiting = false,
            accepted = backend.accept(), if waiting => {
                let index = seen.borrow().len();
                seen.borrow_mut().push(Vec::new());
                open.push(answer(accepted.unwrap().0, seen, index));
            }
            Some(()) = open.next() => {}
        }
    }
}

/// Answers each whole request of a connection.
async fn answer(mut stream: TcpStream, seen: &RefCell<Vec<Vec<u8>>>, index: usize) {
    let mut unread = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        unread.extend(&buffer[..count]);
        seen.borrow_mut()[index].extend(&buffer[..count]);
        while let Some(end) = end(&unread) {
            unread.drain(..end);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        }
    }
}

/// Where the first request ends, if it does. Believes what a proxy writes, which is lower case and without tricks.
pub(super) fn end(bytes: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(bytes);
    let body = text.find("\r\n\r\n")? + 4;
    let head = &text[..body];
    if head.contains("\r\ntransfer-encoding: chunked\r\n") {
        let last =
            if text[body..].starts_with("0\r\n") { body } else { body + text[body..].find("\r\n0\r\n")? + 2 };
        return Some(last + text[last..].find("\r\n\r\n")? + 4);
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let end = body + length.map_or(0, |length| length.parse::<usize>().unwrap());
    (text.len() >= end).then_some(end)
}
