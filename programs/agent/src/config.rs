//! What an agent needs to know before it starts.

mod delivery;
mod file;
mod keys;
mod node_attestor;
mod servers;
#[cfg(test)]
mod tests;
mod trust;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use finial_attest::{PeerPidfd, UnixConfig};
use finial_daemon::hcl::HclError;
use finial_daemon::health::HealthConfig;
use finial_daemon::log;
use finial_daemon::telemetry::TelemetryConfig;
use finial_identity::{SpiffeId, TrustDomain};
use finial_plugin_docker::DockerConfig;
use finial_plugin_k8s::K8sConfig;
use finial_provide::SdsOptions;
use zeroize::Zeroizing;

pub use delivery::DeliveryConfig;
pub use keys::keys;
pub use node_attestor::NodeAttestorConfig;
pub(crate) use servers::MAX_SERVERS;
pub use servers::{ServerAddress, Servers, ServersError};
pub(crate) use trust::RebootstrapError;
pub use trust::{BundleFormat, BundleUrl, BundleUrlError, RebootstrapMode, TrustBundle};

/// Where SPIRE's agent, and so ours, serves the Workload API unless it is told otherwise.
const SOCKET_PATH: &str = "/tmp/spire-agent/public/api.sock";

/// The settings of an agent. `Debug` hides the join token.
#[derive(Clone)]
pub struct Config {
    /// The trust domain of agent and server.
    pub trust_domain: TrustDomain,
    /// Where the servers are.
    pub servers: Servers,
    /// The socket of the Workload API. Default: `/tmp/spire-agent/public/api.sock`.
    pub socket_path: PathBuf,
    /// The socket for administrators and delegates, outside the folder of [`socket_path`](Self::socket_path). Default: none.
    pub admin_socket_path: Option<PathBuf>,
    /// Whose holders may ask for the identities of other workloads, on the admin socket. Default: nobody.
    pub authorized_delegates: Vec<SpiffeId>,
    /// The folder of `agent-data.json`; created with mode 0700 when it is missing.
    pub data_dir: PathBuf,
    /// What the server is verified against at first contact. Default: not given.
    pub trust_bundle: TrustBundle,
    /// How the bundle of a file or a URL is written. Default: PEM.
    pub trust_bundle_format: BundleFormat,
    /// Whether [`trust_bundle`](Self::trust_bundle) is asked again when no server can be verified any more. Default:
    /// never.
    pub rebootstrap_mode: RebootstrapMode,
    /// How long no server was verified before that. Default: ten minutes.
    pub rebootstrap_delay: Duration,
    /// The token to join with; not used while the stored SVID is valid.
    pub join_token: Option<String>,
    /// A file with that token, read only when it is needed.
    pub join_token_file: Option<PathBuf>,
    /// How the node proves what it is when there is no join token. Default: not at all.
    pub node_attestor: NodeAttestorConfig,
    /// Where the agent's own private keys are kept. Default: in the data folder.
    pub keys: KeysConfig,
    /// How the process at the other end of the socket is pinned. Default: by pidfd where the kernel can (Linux 6.5).
    pub peer_pidfd: PeerPidfd,
    /// Envoy's Secret Discovery Service, on the same socket; `None` switches it off. Default: on, with SPIRE's names.
    pub sds: Option<SdsOptions>,
    /// What is kept for workloads, and how often they may ask for it.
    pub delivery: DeliveryConfig,
    /// The `unix` workload attestor; `None` switches it off. Default: on, with its own defaults.
    pub unix: Option<UnixConfig>,
    /// The `systemd` workload attestor. Default: off.
    pub systemd: bool,
    /// The `docker` workload attestor, for Podman too. Default: off.
    pub docker: Option<DockerConfig>,
    /// The `k8s` workload attestor. Default: off.
    pub k8s: Option<K8sConfig>,
    /// Who is told the metrics, and which. Default: nobody.
    pub telemetry: TelemetryConfig,
    /// Where orchestrators ask how the agent is. Default: nowhere.
    pub health: Option<HealthConfig>,
    /// Whether the server must agree on keys that withstand a quantum computer, and so on TLS 1.3. Default: no.
    pub require_pq_kem: bool,
    /// What is logged, and where. [`build`](crate::build) leaves it to its caller.
    pub log: log::Settings,
    /// What the writer of the file should know, each a sentence. [`build`](crate::build) leaves it to its caller.
    pub warnings: Vec<String>,
}

/// Where the agent's own private keys are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeysConfig {
    /// Nowhere: the agent must attest again after each restart.
    Memory,
    /// In `keys.json` of this folder.
    Disk(PathBuf),
}

impl Config {
    /// SPIRE's defaults for one server, with keys on disk in the data folder.
    pub fn new(
        trust_domain: TrustDomain,
        server_host: impl Into<String>,
        server_port: u16,
        data_dir: impl Into<PathBuf>,
    ) -> Self {
        let server = ServerAddress { host: server_host.into(), port: server_port };
        Self::with_servers(trust_domain, Servers::Listed(vec![server]), data_dir)
    }

    /// SPIRE's defaults, with keys on disk in the data folder.
    pub fn with_servers(trust_domain: TrustDomain, servers: Servers, data_dir: impl Into<PathBuf>) -> Self {
        let data_dir = data_dir.into();
        Self {
            trust_domain,
            servers,
            socket_path: SOCKET_PATH.into(),
            admin_socket_path: None,
            authorized_delegates: Vec::new(),
            keys: KeysConfig::Disk(data_dir.clone()),
            data_dir,
            trust_bundle: TrustBundle::default(),
            trust_bundle_format: BundleFormat::default(),
            rebootstrap_mode: RebootstrapMode::default(),
            rebootstrap_delay: trust::REBOOTSTRAP_DELAY,
            join_token: None,
            join_token_file: None,
            node_attestor: NodeAttestorConfig::default(),
            peer_pidfd: PeerPidfd::Preferred,
            sds: Some(SdsOptions::default()),
            delivery: DeliveryConfig::default(),
            unix: Some(UnixConfig::default()),
            systemd: false,
            docker: None,
            k8s: None,
            telemetry: TelemetryConfig::default(),
            health: None,
            require_pq_kem: false,
            log: log::Settings::default(),
            warnings: Vec::new(),
        }
    }

    /// Keeps everything in another folder; keys that were placed elsewhere on purpose stay there.
    pub fn move_to(&mut self, data_dir: &Path) {
        if let KeysConfig::Disk(folder) = &mut self.keys
            && *folder == self.data_dir
        {
            *folder = data_dir.to_owned();
        }
        self.data_dir = data_dir.to_owned();
    }

    /// Reads SPIRE's `agent.conf`; `file` names it in errors.
    ///
    /// # Errors
    /// By line and column: what is no HCL, what is missing, and each key that this version does not serve.
    pub fn from_hcl(text: &str, file: &str) -> Result<Self, HclError> {
        file::read(text, file)
    }

    /// Refuses an admin socket where every process may go.
    pub(crate) fn check_admin_socket(&self) -> anyhow::Result<()> {
        let Some(admin) = &self.admin_socket_path else { return Ok(()) };
        anyhow::ensure!(
            crate::admin::stands_apart(admin, &self.socket_path),
            "the admin socket {} is in or below the folder of the Workload API's, which is open to all: \
             choose another folder",
            admin.display()
        );
        Ok(())
    }

    /// The join token, from wherever it is configured; `None` when none is.
    pub(crate) fn read_join_token(&self) -> anyhow::Result<Option<Zeroizing<String>>> {
        if let Some(token) = &self.join_token {
            return Ok(Some(Zeroizing::new(token.clone())));
        }
        let Some(path) = &self.join_token_file else { return Ok(None) };
        let text = std::fs::read_to_string(path).map(Zeroizing::new).with_context(|| {
            format!("cannot read the join token file {}: create it, readable by this user", path.display())
        })?;
        let token = text.trim();
        anyhow::ensure!(!token.is_empty(), "the join token file {} is empty", path.display());
        Ok(Some(Zeroizing::new(token.to_owned())))
    }

    pub(crate) fn has_join_token(&self) -> bool {
        self.join_token.is_some() || self.join_token_file.is_some()
    }

    /// Proves that there is something to ask again.
    pub(crate) fn rebootstrap_source(&self) -> Result<(), RebootstrapError> {
        match self.trust_bundle {
            TrustBundle::NotGiven => Err(RebootstrapError::NoSource),
            TrustBundle::Insecure => Err(RebootstrapError::Insecure),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("trust_domain", &self.trust_domain)
            .field("servers", &self.servers)
            .field("socket_path", &self.socket_path)
            .field("data_dir", &self.data_dir)
            .field("has_join_token", &self.join_token.is_some())
            .field("keys", &self.keys)
            .field("peer_pidfd", &self.peer_pidfd)
            .field("unix", &self.unix)
            .field("systemd", &self.systemd)
            .field("docker", &self.docker)
            .field("k8s", &self.k8s)
            .finish_non_exhaustive()
    }
}
