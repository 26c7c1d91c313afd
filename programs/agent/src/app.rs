//! The agent, put together: everything is opened and bound by [`build`], and runs in an [`App`].

#[cfg(test)]
mod tests;

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use finial_attest::WorkloadAttestors;
use finial_daemon::health::Checks;
use finial_daemon::metrics::Metrics;
use finial_daemon::socket::{self, Access};
use finial_daemon::{Clock, Tasks, Telling, memory};
use finial_identity::SpiffeId;
use finial_provide::{Cache, CacheMeters, Secrets, ServerUpstream, Workloads};
use finial_tls::metrics_pages;
use finial_wire::server::{secret_service, workload_service};
use finial_wire::{SECRET_DESCRIPTORS, WORKLOAD_DESCRIPTORS};
use tokio::sync::oneshot;
use tonic::transport::Server;
use tonic_health::pb::health_server::{Health, HealthServer};

use crate::admin::{self, Parts};
use crate::arrivals::{ArrivalLayer, SocketRouter};
use crate::listener::Door;
use crate::loss::Loss;
use crate::meters::{self, IdentityMeters, MeasuredUpstream};
use crate::rebootstrap::Rebootstrap;
use crate::watch::Watch;
use crate::{Config, attestation, attestors, health, listener, renewal};

/// How long what is under way may take to end.
const GRACE: Duration = Duration::from_secs(10);
/// The most calls at a time on one connection, and the largest headers of one.
const MAX_CALLS: u32 = 1_000;
const MAX_HEADER_BYTES: u32 = 16 << 10;

/// An agent that has its identity and its socket.
#[derive(Debug)]
pub struct App {
    id: SpiffeId,
    socket_path: PathBuf,
    door: Door,
    admin: Option<(Door, SocketRouter)>,
    router: SocketRouter,
    metrics: Metrics,
    checks: Checks,
    telling: Telling,
    clock: Clock,
    tasks: Tasks,
    lost: oneshot::Receiver<Loss>,
}

/// Binds the sockets, then takes up the stored identity, or attests; then begins to follow the server.
///
/// Waits as long as the server cannot be reached for an attestation. With a stored identity it does not wait.
///
/// # Errors
/// Whatever keeps the agent from starting, with its remedy: another agent on the socket, files that cannot be used, a
/// refused token, an identity that was lost.
pub async fn build(config: Config, clock: &Clock) -> anyhow::Result<App> {
    // First, so that a second agent is refused before it uses up a token.
    let socket = socket::bind(&config.socket_path, Access::EVERYONE, clock)?;
    let admin_socket = admin::bind(&config, clock)?;
    let trust_domain = config.trust_domain.clone();
    let metrics = Metrics::new(&config.telemetry, "spire_agent", trust_domain.name(), clock);
    let identity = attestation::obtain(&config, IdentityMeters::new(&metrics), clock).await?;
    let id = identity.id().clone();

    let tasks = Tasks::new(clock.clone());
    let metrics_pages = metrics_pages(&config.telemetry, &identity.source(), clock, &tasks).await?;
    let telling = Telling::bind(metrics_pages, config.health.as_ref()).await?;
    let upstream = MeasuredUpstream::new(ServerUpstream::new(identity.channels()), &metrics, clock);
    let options = config.delivery.cache(Arc::clone(identity.bundle()), CacheMeters::new(&metrics));
    let cache = Cache::start(upstream, &options, clock, &tasks);
    meters::gauges(&metrics, &cache, &trust_domain);
    let (watch, checks) = (Watch::new(&metrics, clock), health::checks(&cache));
    let attestors = attestors::build(&config, &metrics, clock);
    let (reporter, health) = tonic_health::server::health_reporter();
    health::begin(&reporter).await;
    tasks.spawn("health", health::follow(reporter, cache.clone(), tasks.drain()));
    let router = router(&config, &cache, &attestors, &watch, health.clone(), clock)?;
    let admin = match admin_socket {
        Some(socket) => {
            let (source, id) = (identity.source(), id.clone());
            let (config, cache, attestors, watch) = (&config, &cache, &attestors, &watch);
            let door = Door::new(socket, config.peer_pidfd, clock);
            let parts = Parts { config, cache, attestors, watch, source, id, clock };
            Some((door, admin::router(parts, health)?))
        }
        None => None,
    };

    let (report, lost) = oneshot::channel();
    let rebootstrap = Rebootstrap::new(&config, identity.dialer(), clock)?;
    let keep = renewal::keep(identity, cache, rebootstrap, tasks.drain());
    tasks.spawn("identity", async {
        if let Err(loss) = keep.await {
            // Nobody listens any more when the agent is stopping anyway.
            let _ = report.send(loss);
        }
    });
    let Config { socket_path, peer_pidfd, .. } = config;
    let door = Door::new(socket, peer_pidfd, clock);
    let clock = clock.clone();
    Ok(App { id, socket_path, door, admin, router, metrics, checks, telling, clock, tasks, lost })
}

/// What the public socket serves: the Workload API, Envoy's SDS, health, and reflection of all of them.
fn router<H: Health>(
    config: &Config,
    cache: &Cache,
    attestors: &Arc<WorkloadAttestors>,
    watch: &Watch,
    health: HealthServer<H>,
    clock: &Clock,
) -> anyhow::Result<SocketRouter> {
    let secrets = config.sds.clone().map(|mut options| {
        options.rates = config.delivery.rate_limits;
        let secrets = Secrets::new(cache.clone(), Arc::clone(attestors), options, clock.clone());
        secret_service(Arc::new(secrets))
    });
    let options = config.delivery.workload_api();
    let workloads = Workloads::new(cache.clone(), Arc::clone(attestors), options, clock.clone());
    let workloads = (!config.delivery.disable_workload_api).then(|| workload_service(Arc::new(workloads)));

    Ok(Server::builder()
        .layer(watch.clone())
        .max_concurrent_streams(MAX_CALLS)
        .http2_max_header_list_size(MAX_HEADER_BYTES)
        .layer(ArrivalLayer::new(clock))
        .add_optional_service(workloads)
        .add_optional_service(secrets)
        .add_service(health)
        .add_service(reflection(config).build_v1().context("reflection v1")?)
        .add_service(reflection(config).build_v1alpha().context("reflection v1alpha")?))
}

fn reflection(config: &Config) -> tonic_reflection::server::Builder<'static> {
    let described = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(WORKLOAD_DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
    match config.sds {
        Some(_) => described.register_encoded_file_descriptor_set(SECRET_DESCRIPTORS),
        None => described,
    }
}

impl App {
    /// The agent's own SPIFFE ID.
    pub fn id(&self) -> SpiffeId {
        self.id.clone()
    }

    /// The socket of the Workload API.
    pub fn socket_path(&self) -> &Path {
        &self.socket_path
    }

    /// Where Prometheus may ask; `None` when it may not.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.telling.metrics_address()
    }

    /// Where orchestrators may ask how the agent is; `None` when they may not.
    pub fn health_address(&self) -> Option<SocketAddr> {
        self.telling.health_address()
    }

    /// Serves until `until` resolves or the agent's identity is lost, then lets what is under way end, for at most ten
    /// seconds.
    ///
    /// # Errors
    /// When the agent's identity was lost, with the command that brings it back; when a part of the agent failed.
    pub async fn run(self, until: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self { id, socket_path, door, admin, router, tasks, lost, .. } = self;
        self.telling.serve(self.metrics, || self.checks, &self.clock, &tasks);
        let drain = tasks.drain();
        let serving = router.serve_with_incoming_shutdown(listener::connections(door), {
            let drain = drain.clone();
            async move { drain.requested().await }
        });
        tasks.spawn("workload-api", async {
            if let Err(error) = serving.await {
                let error: &(dyn std::error::Error + 'static) = &error;
                tracing::error!(error, "a connection to the Workload API could not be served");
            }
        });
        if let Some((door, router)) = admin {
            serve_admin(door, router, &tasks);
        }
        tracing::info!(spiffe_id = %id, socket = %socket_path.display(), "the Workload API is served");
        memory::keep_settled(&self.clock, &tasks);
        let outcome = tokio::select! {
            () = until => Ok(()),
            Ok(loss) = lost => Err(loss.into()),
            () = drain.requested() => Ok(()),
        };
        tasks.stop(GRACE).await;
        if let Some(task) = tasks.panicked() {
            anyhow::bail!("the task {task} has panicked: see the log");
        }
        tracing::info!(spiffe_id = %id, "the agent has stopped");
        outcome
    }
}

/// Serves the admin socket beside the public one.
fn serve_admin(door: Door, router: SocketRouter, tasks: &Tasks) {
    let path = door.path().to_owned();
    let drain = tasks.drain();
    let until = async move { drain.requested().await };
    let serving = router.serve_with_incoming_shutdown(listener::connections(door), until);
    tasks.spawn("admin-socket", async {
        if let Err(error) = serving.await {
            let error: &(dyn std::error::Error + 'static) = &error;
            tracing::error!(error, "a connection to the admin socket could not be served");
        }
    });
    tracing::info!(socket = %path.display(), "the admin socket is served");
}
