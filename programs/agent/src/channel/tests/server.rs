//! A server of the trust domain that says nothing but its name, by gRPC's health service.

use std::sync::Arc;

use finial_daemon::{Clock, Tasks};
use finial_receive::Source;
use finial_receive::testing::Authority;
use finial_tls::{Acceptor, Policy};
use futures_util::FutureExt;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};
use tonic_health::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

const NAMES: [&str; 5] = ["first", "second", "only", "changed", "stranger"];

pub(super) struct Server {
    pub(super) port: u16,
    stop: oneshot::Sender<()>,
    stopped: oneshot::Receiver<()>,
    listener: Arc<TcpListener>,
}

impl Server {
    /// Serves with an identity of `authority`, to agents of that one and of `known`.
    pub(super) fn start(
        name: &'static str,
        listener: TcpListener,
        authority: &Authority,
        known: &Authority,
        clock: &Clock,
        tasks: &Tasks,
    ) -> Self {
        let port = listener.local_addr().unwrap().port();
        let listener = Arc::new(listener);
        let (writer, source) = Source::channel(clock);
        let own = authority.credential_at("spiffe://example.org/spire/server", clock.now());
        let bundle = authority.bundle_with(&[known]);
        let members = Policy::members_of(bundle.trust_domain.clone());
        writer.publish(vec![own], [bundle].into_iter().collect()).unwrap();
        let acceptor = Acceptor::new(&source, members).with_alpn(["h2"]);
        let (stop, until) = oneshot::channel::<()>();
        let (ended, stopped) = oneshot::channel();
        let accepting = Arc::clone(&listener);
        tasks.spawn("server", async move {
            // The identity stays published for as long as the server runs.
            let _writer = writer;
            serve(name, &accepting, &acceptor, until).await;
            drop(accepting);
            let _ = ended.send(());
        });
        Self { port, stop, stopped, listener }
    }

    /// Stops in good order, and gives back the listener; dropping it closes the port.
    pub(super) async fn stop(self) -> TcpListener {
        let _ = self.stop.send(());
        self.stopped.await.unwrap();
        Arc::into_inner(self.listener).unwrap()
    }
}

async fn serve(name: &str, listener: &TcpListener, acceptor: &Acceptor, until: oneshot::Receiver<()>) {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status(name, ServingStatus::Serving).await;
    let (accepted, incoming) = mpsc::channel(1);
    let until = until.map(|_| ()).shared();
    let incoming = futures_util::stream::unfold(incoming, |mut incoming| async {
        incoming.recv().await.map(|stream| (Ok::<_, std::io::Error>(stream), incoming))
    });
    let router = tonic::transport::Server::builder().add_service(health);
    let serving = router.serve_with_incoming_shutdown(Box::pin(incoming), until.clone());
    let accepting = async {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(secured) = acceptor.accept_optional(stream).await {
                let _ = accepted.send(secured.stream).await;
            }
        }
    };
    tokio::select! {
        served = serving => served.unwrap(),
        () = accepting => {}
    }
}

/// A port on which nobody listens.
pub(super) async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

/// The name of the server that answers.
pub(super) async fn name(channel: &Channel) -> Result<&'static str, Status> {
    let mut client = HealthClient::new(channel.clone());
    for name in NAMES {
        match client.check(HealthCheckRequest { service: name.to_owned() }).await {
            Ok(_) => return Ok(name),
            Err(status) if status.code() == Code::NotFound => {}
            Err(status) => return Err(status),
        }
    }
    panic!("a server without a name");
}

/// A stream that stays open.
pub(super) async fn watch(channel: &Channel) -> Streaming<HealthCheckResponse> {
    let mut client = HealthClient::new(channel.clone());
    client.watch(HealthCheckRequest { service: String::new() }).await.unwrap().into_inner()
}
