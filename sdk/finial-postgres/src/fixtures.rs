//! A workload, and a server that speaks as much of PostgreSQL's protocol as it is told to.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use finial_daemon::{Clock, ClockHand, Tasks};
use finial_identity::{X509Credential, X509Svid};
use finial_receive::testing::{Authority, start};
use finial_receive::{Source, SourceWriter};
use finial_tls::{Acceptor, Policy, TlsError};
use rcgen::{DnType, SanType};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_postgres::Config;

pub(crate) const APP: &str = "spiffe://example.org/app";
pub(crate) const DATABASE: &str = "spiffe://example.org/database";

/// A trust domain, and the identity of a program in it.
pub(crate) struct World {
    pub(crate) authority: Authority,
    pub(crate) clock: Clock,
    pub(crate) hand: ClockHand,
    pub(crate) writer: SourceWriter,
    pub(crate) source: Source,
    pub(crate) tasks: Tasks,
}

impl World {
    pub(crate) fn new() -> Self {
        let (clock, hand) = Clock::manual(start());
        let (writer, source) = Source::channel(&clock);
        let authority = Authority::new("example.org");
        writer.publish(vec![authority.credential(APP)], authority.bundles()).unwrap();
        let tasks = Tasks::new(clock.clone());
        Self { authority, clock, hand, writer, source, tasks }
    }

    /// Gives the program a newer SVID.
    pub(crate) fn renew(&self) {
        let credential = self.authority.credential_at(APP, self.clock.now());
        self.writer.publish(vec![credential], self.authority.bundles()).unwrap();
    }

    /// A server that lets everybody in whom TLS lets in.
    pub(crate) async fn server(&self) -> FakeServer {
        self.server_that(Behaviour::default()).await
    }

    pub(crate) async fn server_that(&self, behaviour: Behaviour) -> FakeServer {
        let (writer, source) = Source::channel(&self.clock);
        writer.publish(vec![self.named(DATABASE, &["db.test"])], self.authority.bundles()).unwrap();
        let mut acceptor = Acceptor::new(&source, Policy::members_of("example.org".parse().unwrap()));
        if behaviour.agrees_on_protocol {
            acceptor = acceptor.with_alpn(["postgresql"]);
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let open = watch::Sender::new(0);
        let (sessions, count, behaviour) = (self.tasks.clone(), open.clone(), Arc::new(behaviour));
        self.tasks.spawn("server", async move {
            let _kept = writer;
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, count, behaviour) = (acceptor.clone(), count.clone(), Arc::clone(&behaviour));
                sessions.spawn_session("session", async move {
                    count.send_modify(|open| *open += 1);
                    let _ = serve(stream, acceptor, &behaviour).await;
                    count.send_modify(|open| *open -= 1);
                });
            }
        });
        FakeServer { port, open }
    }

    /// A credential with DNS names, of which the first is the common name, as SPIRE makes them.
    pub(crate) fn named(&self, id: &str, names: &[&str]) -> X509Credential {
        let (chain, key) = self.authority.leaf(id, self.clock.now(), |params| {
            if let Some(first) = names.first() {
                params.distinguished_name.push(DnType::CommonName, *first);
            }
            let names = names.iter().map(|name| SanType::DnsName((*name).try_into().unwrap()));
            params.subject_alt_names.extend(names);
        });
        X509Credential::new(X509Svid::from_chain(chain).unwrap(), key, String::new()).unwrap()
    }
}

/// What a server does.
pub(crate) struct Behaviour {
    /// What it answers when it is asked for TLS; `None` waits for a handshake at once, as for direct TLS.
    pub(crate) tls: Option<u8>,
    pub(crate) agrees_on_protocol: bool,
    /// What it says to whoever wants in: the code, the message and the routine of its refusal.
    pub(crate) refusal: Option<(&'static str, &'static str, &'static str)>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self { tls: Some(b'S'), agrees_on_protocol: true, refusal: None }
    }
}

pub(crate) struct FakeServer {
    port: u16,
    open: watch::Sender<usize>,
}

impl FakeServer {
    pub(crate) fn config(&self) -> Config {
        let mut config = Config::new();
        config.host("db.test").hostaddr([127, 0, 0, 1].into()).port(self.port).user("app").dbname("shop");
        config
    }

    /// Waits until so many connections are open.
    pub(crate) async fn sees(&self, connections: usize) {
        self.open.subscribe().wait_for(|open| *open == connections).await.unwrap();
    }
}

async fn serve(mut stream: TcpStream, acceptor: Acceptor, behaviour: &Behaviour) -> Result<(), TlsError> {
    if let Some(answer) = behaviour.tls {
        let mut request = [0; 8];
        if stream.read_exact(&mut request).await.is_err() || stream.write_all(&[answer]).await.is_err() {
            return Ok(());
        }
    }
    let secured = acceptor.accept(stream).await?;
    let _ = speak(secured.stream, behaviour).await;
    Ok(())
}

/// PostgreSQL's protocol, version 3 (§55.7): a startup message, then messages of a type, a length and a body.
async fn speak(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    behaviour: &Behaviour,
) -> std::io::Result<()> {
    let length = stream.read_u32().await?;
    stream.read_exact(&mut vec![0; length as usize - 4]).await?;
    if let Some((code, text, routine)) = behaviour.refusal {
        let fields = format!("SFATAL\0VFATAL\0C{code}\0M{text}\0R{routine}\0\0");
        stream.write_all(&message(b'E', fields.as_bytes())).await?;
        return stream.shutdown().await;
    }
    let ready = message(b'Z', b"I");
    stream.write_all(&[message(b'R', &[0; 4]), ready.clone()].concat()).await?;
    loop {
        let kind = stream.read_u8().await?;
        let length = stream.read_u32().await?;
        stream.read_exact(&mut vec![0; length as usize - 4]).await?;
        match kind {
            // An empty query has an empty answer.
            b'Q' => stream.write_all(&[message(b'I', b""), ready.clone()].concat()).await?,
            _ => return Ok(()),
        }
    }
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[kind][..], &length.to_be_bytes(), body].concat()
}
