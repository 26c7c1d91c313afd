//! A trust domain with a server and a client, and proxies that run beside a test.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use finial_daemon::{Clock, ClockHand, Tasks};
use finial_receive::testing::{Authority, start};
use finial_receive::{Endpoint, Source, SourceWriter};
use finial_tls::{Acceptor, Connector, Policy, Terms};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

use crate::config::{Named, Own};
use crate::identities::Identities;
use crate::identity::Identity;
use crate::metrics::Metrics;
use crate::proxy::Proxy;
use crate::{AccessFlags, App, ClientConfig, Config, CredentialFlags, ProxyError, ServerConfig};

pub(crate) const SERVER: &str = "spiffe://example.org/server";
pub(crate) const CLIENT: &str = "spiffe://example.org/client";
/// Where no agent is.
pub(crate) const AGENT: &str = "unix:///nowhere/agent.sock";
pub(crate) const STRANGER: &str = "spiffe://example.org/stranger";

pub(crate) struct World {
    authority: Authority,
    pub(crate) clock: Clock,
    pub(crate) hand: ClockHand,
}

impl World {
    pub(crate) fn new() -> Self {
        let (clock, hand) = Clock::manual(start());
        Self { authority: Authority::new("example.org"), clock, hand }
    }

    /// A live identity, which the writer can take away.
    pub(crate) fn party(&self, id: &str) -> (SourceWriter, Source) {
        let (writer, source) = Source::channel(&self.clock);
        self.grant(&writer, id);
        (writer, source)
    }

    /// Gives this identity to a source that may have none yet.
    pub(crate) fn grant(&self, writer: &SourceWriter, id: &str) {
        writer.publish(vec![self.authority.credential(id)], self.authority.bundles()).unwrap();
    }

    /// The next credential, issued now.
    pub(crate) fn publish(&self, writer: &SourceWriter, id: &str) {
        let credential = self.authority.credential_at(id, self.clock.now());
        writer.publish(vec![credential], self.authority.bundles()).unwrap();
    }

    /// A peer that is no proxy, has a credential of now, and speaks to `id`.
    pub(crate) fn connector_now(&self, own: &str, id: &str) -> Connector {
        let (writer, source) = self.party(own);
        self.publish(&writer, own);
        Connector::new(&source, Policy::ids([id.parse().unwrap()]))
    }

    /// A peer that is no proxy, and speaks to `id`.
    pub(crate) fn connector(&self, own: &str, id: &str) -> Connector {
        Connector::new(&self.party(own).1, Policy::ids([id.parse().unwrap()]))
    }

    /// A peer that is no proxy, and hears `id`.
    pub(crate) fn acceptor(&self, own: &str, id: &str) -> Acceptor {
        Acceptor::new(&self.party(own).1, Policy::ids([id.parse().unwrap()]))
    }

    pub(crate) fn server(&self, target: SocketAddr) -> ServerConfig {
        let config = ServerConfig::new(local(0), local(target.port()), nowhere());
        ServerConfig { allow: AccessFlags::uri(CLIENT), ..config }
    }

    pub(crate) fn client(&self, target: SocketAddr) -> ClientConfig {
        let config = ClientConfig::new(local(0), local(target.port()), nowhere());
        ClientConfig { verify: AccessFlags::uri(SERVER), ..config }
    }
}

/// What sessions share, without a listener.
pub(crate) fn proxy(config: impl Into<Config>, source: Source) -> Arc<Proxy> {
    let metrics = Metrics::new("ghostunnel".to_owned(), source.clock());
    let named = Named::new(String::new(), config.into()).unwrap();
    Arc::new(Proxy::new(named, (Identity::Spiffe(source), Terms::default()), Arc::new(metrics)))
}

/// A proxy with an identity from `source` in place of the Workload API.
pub(crate) async fn app(config: impl Into<Config>, source: Source) -> Result<App, ProxyError> {
    let lasting = Tasks::new(source.clock().clone());
    let identities = Identities::new(source.clock(), &lasting);
    let named = Named::new(String::new(), config.into())?;
    identities.insert(named.plan.own.clone(), Identity::Spiffe(source));
    let status = named.plan.status.clone();
    Box::pin(crate::app::assemble(vec![named], status, identities, lasting)).await
}

/// The proxies of a file, with an identity from `source` in place of the Workload API that [`AGENT`] names.
pub(crate) async fn app_of_file(path: &Path, source: Source) -> Result<App, ProxyError> {
    app_of_agents(path, (AGENT, source), &[]).await
}

/// The same with an agent at an address, and others that the file may name later.
pub(crate) async fn app_of_agents(
    path: &Path,
    first: (&str, Source),
    later: &[(&str, Source)],
) -> Result<App, ProxyError> {
    let lasting = Tasks::new(first.1.clock().clone());
    let identities = Identities::new(first.1.clock(), &lasting);
    let insert = |(address, source): &(&str, Source)| {
        let own = Own::WorkloadApi(Endpoint::parse(address).unwrap());
        identities.insert(own, Identity::Spiffe(source.clone()));
    };
    insert(&first);
    let app = Box::pin(crate::app::assemble_file(path, None, identities.clone(), lasting)).await;
    later.iter().for_each(insert);
    app
}

/// Runs `test` beside the app, which is told to stop when the test has ended. Boxed, as tests hold whole peers.
pub(crate) fn beside<'a, T: 'a>(
    app: App,
    clock: &Clock,
    test: impl Future<Output = T> + 'a,
) -> Pin<Box<dyn Future<Output = T> + 'a>> {
    let stop = Tasks::new(clock.clone()).drain();
    Box::pin(async move {
        let (ended, result) = tokio::join!(app.run(stop.requested()), async {
            let result = test.await;
            stop.request();
            result
        });
        ended.unwrap();
        result
    })
}

pub(crate) async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

pub(crate) async fn dial(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

pub(crate) async fn read_to_end(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
) -> std::io::Result<String> {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.map(|_| text)
}

pub(crate) fn name() -> ServerName<'static> {
    ServerName::try_from("server.test").unwrap()
}

pub(crate) fn local(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn nowhere() -> CredentialFlags {
    CredentialFlags::workload_api(Endpoint::parse(AGENT).unwrap())
}
