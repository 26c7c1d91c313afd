//! A new connection to PostgreSQL by SVID: through our connector, and through a rustls configuration that was made once from
//! the same SVID in files. Taken in turn in the same run, A B B A, so that a machine that becomes slower favours nobody.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use finial_daemon::{Clock, Tasks};
use finial_postgres::tokio_postgres::config::SslMode;
use finial_postgres::tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use finial_postgres::tokio_postgres::{Config, Socket};
use finial_postgres::{Connector, Server};
use finial_receive::{Endpoint, Source};
use finial_testkit::{Dev, Postgres, finial, until};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client;

use crate::measure::{RUNS, median, millis, own_cpu_us};

/// Connections of one kind in a row.
const CONNECTIONS: u32 = 100;
const DATABASE: &str = "spiffe://example.org/database";

pub(crate) async fn bench() {
    let Some(programs) = Postgres::programs() else {
        return println!("postgres: skipped, since it is not installed\n");
    };
    let dev = Dev::start();
    create(&dev, DATABASE, &finial(), "localhost");
    create(&dev, "spiffe://example.org/app", &std::env::current_exe().unwrap(), "app");
    until("SVID of PostgreSQL", || {
        dev.cli(&["api", "fetch", "x509"]).stdout.contains(DATABASE).then_some(())
    });
    let postgres = Postgres::start(&programs, &dev.write_svid(), "hostssl all app 127.0.0.1/32 cert", "");
    postgres.ask("CREATE ROLE app LOGIN");
    let clock = Clock::system();
    let source =
        Source::from_workload_api(&Endpoint::Unix(dev.agent_socket()), &clock, &Tasks::new(clock.clone()));
    source.ready().await.unwrap();

    let mut config = Config::new();
    config.host("localhost").hostaddr([127, 0, 0, 1].into()).port(postgres.port());
    config.user("app").dbname("postgres").ssl_mode(SslMode::Require);
    let ours = Connector::new(&source, Server::id(DATABASE.parse().unwrap()));
    let theirs = Static(Arc::new(from_files(&source)));
    // What only the first connection costs is not counted.
    take(&clock, &config, &ours).await;
    take(&clock, &config, &theirs).await;
    let mut figures: [Vec<f64>; 6] = Default::default();
    for _ in 0..RUNS * 2 {
        let [a, b, c, d] = [
            take(&clock, &config, &ours).await,
            take(&clock, &config, &theirs).await,
            take(&clock, &config, &theirs).await,
            take(&clock, &config, &ours).await,
        ];
        let ((wall, cpu), (wall_of_theirs, cpu_of_theirs)) =
            (((a.0 + d.0) / 2.0, (a.1 + d.1) / 2.0), ((b.0 + c.0) / 2.0, (b.1 + c.1) / 2.0));
        let taken = [wall, wall_of_theirs, wall / wall_of_theirs, cpu, cpu_of_theirs, cpu / cpu_of_theirs];
        figures.iter_mut().zip(taken).for_each(|(figures, figure)| figures.push(figure));
    }
    let [wall, wall_of_theirs, wall_ratio, cpu, cpu_of_theirs, cpu_ratio] =
        figures.each_mut().map(|figures| median(figures));
    println!(
        "new connection to PostgreSQL: {wall:.2} ms through the connector, {wall_of_theirs:.2} ms with static files ({:+.1} %)\n\
         \x20 CPU of the client: {cpu:.0} µs and {cpu_of_theirs:.0} µs ({:+.1} %)\n",
        (wall_ratio - 1.0) * 100.0,
        (cpu_ratio - 1.0) * 100.0,
    );
}

fn create(dev: &Dev, id: &str, program: &Path, name: &str) {
    let selector = format!("unix:path:{}", program.canonicalize().unwrap().display());
    let node = "spiffe://example.org/dev/node";
    let args = ["entry", "create", "-parentID", node, "-spiffeID", id, "-selector", &selector, "-dns", name];
    dev.cli(&args).expect_success();
}

/// The milliseconds of one connection, and the microseconds of our CPU.
async fn take<T>(clock: &Clock, config: &Config, tls: &T) -> (f64, f64)
where
    T: Connect,
{
    let (start, cpu) = (clock.monotonic(), own_cpu_us());
    for _ in 0..CONNECTIONS {
        tls.connect(config).await;
    }
    let each = f64::from(CONNECTIONS);
    (millis(clock.monotonic() - start) / each, (own_cpu_us() - cpu) / each)
}

/// Opens one connection and drops it.
trait Connect {
    fn connect(&self, config: &Config) -> impl Future<Output = ()>;
}

impl Connect for Connector {
    async fn connect(&self, config: &Config) {
        drop(Connector::connect(self, config).await.unwrap());
    }
}

impl Connect for Static {
    async fn connect(&self, config: &Config) {
        drop(config.connect(self.clone()).await.unwrap());
    }
}

/// What a program has that reads its files once.
fn from_files(source: &Source) -> ClientConfig {
    let (context, provider) = (source.context().unwrap(), Arc::new(default_provider()));
    let credential = context.credential().unwrap();
    let bundle = context.bundles().bundle(&credential.svid().id().trust_domain()).unwrap();
    let certificates =
        |pem: String| CertificateDer::pem_slice_iter(pem.as_bytes()).map(Result::unwrap).collect();
    let mut roots = RootCertStore::empty();
    let found: Vec<CertificateDer<'static>> = certificates(bundle.to_pem());
    found.into_iter().for_each(|root| roots.add(root).unwrap());
    let key = PrivateKeyDer::from_pem_slice(credential.key().to_pem().as_bytes()).unwrap();
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(certificates(credential.svid().to_pem()), key)
        .unwrap()
}

/// The least that tokio-postgres needs of a TLS library: one configuration for ever.
#[derive(Clone)]
struct Static(Arc<ClientConfig>);

struct StaticHandshake(Arc<ClientConfig>, ServerName<'static>);

struct StaticStream(client::TlsStream<Socket>);

impl MakeTlsConnect<Socket> for Static {
    type Stream = StaticStream;
    type TlsConnect = StaticHandshake;
    type Error = rustls_pki_types::InvalidDnsNameError;

    fn make_tls_connect(&mut self, host: &str) -> Result<StaticHandshake, Self::Error> {
        Ok(StaticHandshake(Arc::clone(&self.0), ServerName::try_from(host.to_owned())?))
    }
}

impl TlsConnect<Socket> for StaticHandshake {
    type Stream = StaticStream;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<StaticStream, std::io::Error>> + Send>>;

    fn connect(self, stream: Socket) -> Self::Future {
        let connecting = tokio_rustls::TlsConnector::from(self.0).connect(self.1, stream);
        Box::pin(async { connecting.await.map(StaticStream) })
    }
}

impl TlsStream for StaticStream {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for StaticStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for StaticStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
