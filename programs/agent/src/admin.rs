//! The admin socket: delegated identity, explanations, how the agent is and how much it logs. For processes of the agent's
//! own user and group; a delegate must prove its identity besides.

mod debug;
mod logger;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use finial_attest::WorkloadAttestors;
use finial_daemon::Clock;
use finial_daemon::socket::{self, Access, UnixSocket};
use finial_identity::SpiffeId;
use finial_provide::{Cache, DelegatedIdentity, Explainer, StreamLimits};
use finial_receive::Source;
use finial_wire::ADMIN_DESCRIPTORS;
use finial_wire::server::{
    agent_debug_service, agent_logger_service, delegated_identity_service, explain_service,
};
use tonic::transport::Server;
use tonic_health::pb::health_server::{Health, HealthServer};

use self::debug::AgentDebug;
use self::logger::ProcessLogger;
use crate::Config;
use crate::arrivals::{ArrivalLayer, SocketRouter};
use crate::watch::Watch;

/// The most calls at a time on one connection, and the largest headers of one.
const MAX_CALLS: u32 = 1_000;
const MAX_HEADER_BYTES: u32 = 16 << 10;

/// Binds the socket; `None` when the configuration has none.
///
/// # Errors
/// When it would stand where every process may go, or cannot be bound.
pub(crate) fn bind(config: &Config, clock: &Clock) -> anyhow::Result<Option<UnixSocket>> {
    let Some(path) = &config.admin_socket_path else { return Ok(None) };
    config.check_admin_socket()?;
    Ok(Some(socket::bind(path, Access::OWNER_AND_GROUP, clock)?))
}

/// What the services tell of, and by what.
pub(crate) struct Parts<'a> {
    pub(crate) config: &'a Config,
    pub(crate) cache: &'a Cache,
    pub(crate) attestors: &'a Arc<WorkloadAttestors>,
    pub(crate) watch: &'a Watch,
    /// The agent's own identity.
    pub(crate) source: Source,
    pub(crate) id: SpiffeId,
    pub(crate) clock: &'a Clock,
}

/// What the socket serves.
pub(crate) fn router<H: Health>(parts: Parts<'_>, health: HealthServer<H>) -> anyhow::Result<SocketRouter> {
    let Parts { config, cache, attestors, watch, source, id, clock } = parts;
    let delegates = config.authorized_delegates.iter().cloned().collect();
    let limits = StreamLimits::default();
    let delegated =
        DelegatedIdentity::new(cache.clone(), Arc::clone(attestors), delegates, limits, clock.clone());
    let explainer = Explainer::new(cache.clone(), Arc::clone(attestors), id);
    Ok(Server::builder()
        .layer(watch.clone())
        .max_concurrent_streams(MAX_CALLS)
        .http2_max_header_list_size(MAX_HEADER_BYTES)
        .layer(ArrivalLayer::new(clock))
        .add_service(delegated_identity_service(Arc::new(delegated)))
        .add_service(explain_service(Arc::new(explainer)))
        .add_service(agent_debug_service(Arc::new(AgentDebug::new(source, cache.clone(), clock))))
        .add_service(agent_logger_service(Arc::new(ProcessLogger)))
        .add_service(health)
        .add_service(reflection().build_v1().context("reflection v1")?)
        .add_service(reflection().build_v1alpha().context("reflection v1alpha")?))
}

fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(ADMIN_DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

/// Whether the admin socket stands outside the folder of the public one: containers are given that folder whole.
pub(crate) fn stands_apart(admin: &Path, public: &Path) -> bool {
    let (Some(admin), Some(public)) = (resolved(admin), resolved(public)) else { return false };
    !admin.starts_with(&public)
}

/// The folder of a socket, as far as it exists without symbolic links, and without `.` and `..` in any case.
fn resolved(socket: &Path) -> Option<std::path::PathBuf> {
    let absolute = std::path::absolute(socket).ok()?;
    let mut folder = std::path::PathBuf::new();
    for part in absolute.parent()?.components() {
        match part {
            std::path::Component::ParentDir => {
                folder.pop();
            }
            part => folder.push(part),
        }
        if let Ok(real) = folder.canonicalize() {
            folder = real;
        }
    }
    Some(folder)
}
