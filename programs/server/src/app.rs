//! The assembly: opens, starts and binds everything in order, serves, and stops in reverse.

#[cfg(test)]
mod tests;

use std::fs::DirBuilder;
use std::future::Future;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use finial_attest::{JoinTokenAttestor, NodeAttestor, NodeAttestors, X509PopAttestor};
use finial_authorize::Authorizer;
use finial_daemon::metrics::Metrics;
use finial_daemon::{Clock, Tasks, Telling, memory};
use finial_identity::{CLOCK_SKEW, TrustDomain};
use finial_issue::{AuthorityManager, IssueMeters};
use finial_keys::{DiskKeys, KeyManager, MemoryKeys};
use finial_receive::Source;
use finial_store::{Changes, Index, Measured, SqliteStore};
use finial_tls::{Acceptor, HandshakeSettings, Offer, Policy, metrics_pages};
use tonic::service::Routes;
use tonic_health::ServingStatus;

use crate::audit::Audit;
use crate::core::Core;
use crate::guard::GuardLayer;
use crate::listener::{Gate, TcpApi, UnixApi};
use crate::rate::Limits;
use crate::watch::Watch;
use crate::{Config, KeysConfig, NodeAttestorsConfig, StoreConfig};
use crate::{endpoints, gauges, health, identity, pruning};

/// How long calls may take to finish after the server was told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// A server that is ready: everything is open and bound, and [`run`](Self::run) begins to answer.
pub struct App {
    core: Arc<Core>,
    store: Arc<Measured<SqliteStore>>,
    gate: Gate,
    metrics: Metrics,
    telling: Telling,
    /// The server's own identity.
    source: Source,
    tcp: TcpApi,
    unix: UnixApi,
    tasks: Tasks,
}

/// Opens keys and store, takes up the authorities, issues the server's own SVID, and binds both listeners.
///
/// # Errors
/// Whatever keeps the server from serving. What was begun is stopped again.
pub async fn build(config: Config, clock: &Clock) -> anyhow::Result<App> {
    let tasks = Tasks::new(clock.clone());
    let trust_domain = config.issue.trust_domain.to_string();
    let metrics = Metrics::new(&config.telemetry, "spire_server", &trust_domain, clock);
    let store = Arc::new(Measured::new(open_store(&config).await?, &metrics, clock));
    match assemble(config, Arc::clone(&store), metrics, clock, &tasks).await {
        Ok(app) => Ok(app),
        Err(error) => {
            tasks.stop(GRACE).await;
            store.store().close().await;
            Err(error)
        }
    }
}

async fn assemble(
    config: Config,
    store: Arc<Measured<SqliteStore>>,
    metrics: Metrics,
    clock: &Clock,
    tasks: &Tasks,
) -> anyhow::Result<App> {
    let trust_domain = config.issue.trust_domain.clone();
    let keys = open_keys(&config.keys)?;
    let index = Index::start(store.clone(), clock, tasks).await.context("read the datastore")?;
    let (bundles, journal) = (store.clone(), store.clone());
    let meters = IssueMeters::new(&metrics);
    let authorities =
        AuthorityManager::start(config.issue.clone(), keys, bundles, journal, meters, clock, tasks);
    let authorities = authorities.await.context("take up the authorities")?;
    let issuer = authorities.issuer();
    index.reached(store.revision().await?).await?;

    let key_kind = config.issue.ca_key_type;
    let rotations = metrics.calls("svid.rotate", "The server's own SVID is renewed.");
    let issuing = issuer.clone();
    let source =
        identity::start(trust_domain.clone(), key_kind, issuing, &index, rotations, clock, tasks).await?;
    let metrics_pages = metrics_pages(&config.telemetry, &source, clock, tasks).await?;
    let telling = Telling::bind(metrics_pages, config.health.as_ref()).await?;
    let policy = Policy::members_of(trust_domain.clone()).or(&Policy::ids(config.admin_ids.clone()));
    let address = SocketAddr::new(config.bind_address, config.bind_port);
    let acceptor = acceptor(&source, policy, config.require_pq_kem);
    let balancers = config.proxy_protocol_trusted_cidrs;
    let tcp = TcpApi::bind(address, acceptor, config.connection_age, balancers).await;
    let tcp = tcp.with_context(|| format!("listen on {address}"))?;
    let unix = UnixApi::bind(&config.socket_path, clock)?;

    let attestors = node_attestors(config.node_attestors, &trust_domain, &store, &index, clock)?;
    let core = Arc::new(Core {
        trust_domain: trust_domain.clone(),
        store: store.clone(),
        index,
        attestors: NodeAttestors::new(trust_domain.clone(), attestors),
        authorities,
        issuer,
        limits: Limits::new(&config.rate_limits, clock),
        connection_age: config.connection_age,
        clock: clock.clone(),
    });
    let prunings = metrics.calls("registration_entry.manager.prune", "Entries that have ended are deleted.");
    pruning::start(Arc::clone(&core), prunings, tasks);
    if let Some(rule) = config.node_pruning {
        pruning::nodes::start(Arc::clone(&core), rule, tasks);
    }
    gauges::add(&metrics, &core);
    let audit = config.audit_log.then(|| Audit::new(&config.admin_ids));
    let gate = Gate {
        watch: Watch::new(&metrics, audit, clock),
        guard: GuardLayer::new(Arc::clone(&core), Authorizer::new(trust_domain, config.admin_ids)),
    };
    Ok(App { core, store, gate, metrics, telling, source, tcp, unix, tasks: tasks.clone() })
}

impl App {
    /// Where the TCP API listens.
    pub fn address(&self) -> SocketAddr {
        self.tcp.address()
    }

    /// The Unix socket of the API for operators.
    pub fn socket_path(&self) -> &Path {
        self.unix.path()
    }

    /// Where Prometheus may ask; `None` when it may not.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.telling.metrics_address()
    }

    /// Where orchestrators may ask how the server is; `None` when they may not.
    pub fn health_address(&self) -> Option<SocketAddr> {
        self.telling.health_address()
    }

    /// Serves until `until` resolves, then stops accepting, lets calls finish, and closes the store. Calls that take
    /// longer than ten seconds are cut off.
    ///
    /// # Errors
    /// When a part of the server has failed, which ends it too.
    pub async fn run(self, until: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self { core, store, gate, metrics, telling, source, tcp, unix, tasks } = self;
        let drain = tasks.drain();
        let (address, socket) = (tcp.address(), unix.path().to_owned());
        let clock = core.clock.clone();
        let common = endpoints::routes(&core, &tasks);
        let local = endpoints::local_routes(common.clone(), &core, source.clone());
        let local = with_introspection(local, &tasks)?;
        tcp.serve(gate.clone(), common, &clock, &tasks);
        unix.serve(gate, local, &clock, &tasks);
        telling.serve(metrics, || health::checks(&core, source, &tasks), &clock, &tasks);
        tracing::info!(
            trust_domain = %core.trust_domain,
            %address,
            socket = %socket.display(),
            "the server is ready"
        );
        memory::keep_settled(&clock, &tasks);
        let told = tokio::select! {
            () = until => true,
            () = drain.requested() => false,
        };
        tracing::info!("the server is stopping");
        tasks.stop(GRACE).await;
        store.store().close().await;
        match tasks.panicked() {
            Some(task) => bail!("the task {task} has panicked"),
            None if told => Ok(()),
            None => bail!("a listener has failed"),
        }
    }
}

/// What only the Unix socket serves: health and reflection. The services begin when everything is ready, and the
/// server is healthy until it is told to stop.
fn with_introspection(routes: Routes, tasks: &Tasks) -> anyhow::Result<Routes> {
    let (reporter, health) = tonic_health::server::health_reporter();
    let drain = tasks.drain();
    tasks.spawn("health", async move {
        drain.requested().await;
        reporter.set_service_status("", ServingStatus::NotServing).await;
    });
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(finial_wire::SERVER_DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let routes = routes
        .add_service(health)
        .add_service(reflection().build_v1().context("describe the services")?)
        .add_service(reflection().build_v1alpha().context("describe the services")?);
    Ok(routes)
}

async fn open_store(config: &Config) -> anyhow::Result<SqliteStore> {
    let mut folder = DirBuilder::new();
    folder.recursive(true).mode(0o755);
    let data_dir = &config.data_dir;
    folder.create(data_dir).with_context(|| format!("make the data folder {}", data_dir.display()))?;
    match &config.store {
        StoreConfig::Memory => SqliteStore::in_memory().await.context("open the datastore"),
        StoreConfig::Sqlite(path) => {
            SqliteStore::open(path).await.with_context(|| format!("open the datastore {}", path.display()))
        }
    }
}

/// The ways in which agents may attest, all at once.
fn node_attestors(
    config: NodeAttestorsConfig,
    trust_domain: &TrustDomain,
    store: &Arc<Measured<SqliteStore>>,
    index: &Index,
    clock: &Clock,
) -> anyhow::Result<Vec<Arc<dyn NodeAttestor>>> {
    let mut attestors: Vec<Arc<dyn NodeAttestor>> = Vec::new();
    if config.join_token {
        let attestor = JoinTokenAttestor::new(trust_domain.clone(), store.clone(), clock.clone());
        attestors.push(Arc::new(attestor));
    }
    if let Some(config) = config.x509pop {
        let attestor = X509PopAttestor::new(trust_domain.clone(), config, index, clock.clone());
        attestors.push(Arc::new(attestor.context("set up NodeAttestor \"x509pop\"")?));
    }
    Ok(attestors)
}

fn acceptor(source: &Source, policy: Policy, require_pq_kem: bool) -> Acceptor {
    let offer = if require_pq_kem { Offer::quantum_safe() } else { Offer::default() };
    let settings = HandshakeSettings { offer, skew: CLOCK_SKEW, ..HandshakeSettings::default() };
    Acceptor::new(source, policy).with_settings(settings)
}

fn open_keys(config: &KeysConfig) -> anyhow::Result<Arc<dyn KeyManager>> {
    Ok(match config {
        KeysConfig::Memory => Arc::new(MemoryKeys::new()),
        KeysConfig::Disk(path) => Arc::new(DiskKeys::open(path)?),
    })
}
