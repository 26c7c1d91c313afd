//! What the operator decides about a server: defaults, and where they may be changed.

mod cidr;
mod file;
mod keys;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use finial_attest::X509PopConfig;
use finial_daemon::hcl::HclError;
use finial_daemon::health::HealthConfig;
use finial_daemon::log;
use finial_daemon::telemetry::TelemetryConfig;
use finial_identity::{SpiffeId, TrustDomain};
use finial_issue::IssueConfig;

pub use cidr::{Cidr, CidrError};
pub use keys::keys;

/// The configuration of a server. The names in the file are SPIRE's.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the TCP API listens; 0.0.0.0.
    pub bind_address: IpAddr,
    /// The port of the TCP API; 8081. With 0 the operating system chooses: ask [`App::address`](crate::App::address).
    pub bind_port: u16,
    /// The folder of the server's files; made with mode 0755 when there is none.
    pub data_dir: PathBuf,
    /// The Unix socket of the API for operators; `/tmp/spire-server/private/api.sock`.
    pub socket_path: PathBuf,
    /// Trust domain, lifetimes and key types.
    pub issue: IssueConfig,
    /// Who may administer the server without an entry that says so; nobody.
    pub admin_ids: Vec<SpiffeId>,
    /// Where entries, nodes and bundles are kept; `datastore.sqlite3` in the data folder.
    pub store: StoreConfig,
    /// Where signing keys are kept; `keys.json` in the data folder.
    pub keys: KeysConfig,
    /// How agents may prove what node they are on; by join tokens.
    pub node_attestors: NodeAttestorsConfig,
    /// Whether one address may ask only so much.
    pub rate_limits: RateLimits,
    /// How long a TCP connection is used for new calls; an hour, and not read from the file. Then its client is asked to
    /// make another (HTTP/2 GOAWAY), so that servers behind one name share the load again, and what is under way goes on.
    pub connection_age: Duration,
    /// The load balancers that are believed for whom they speak, by the PROXY protocol; none. Others who speak it are
    /// refused.
    pub proxy_protocol_trusted_cidrs: Vec<Cidr>,
    /// Whether each call is logged with its caller and its outcome; off.
    pub audit_log: bool,
    /// Who is told the metrics, and which; nobody.
    pub telemetry: TelemetryConfig,
    /// Where orchestrators ask how the server is; nowhere.
    pub health: Option<HealthConfig>,
    /// Which agents are deleted that expired long ago; none.
    pub node_pruning: Option<NodePruning>,
    /// Whether clients must agree on keys that withstand a quantum computer, and so on TLS 1.3; no.
    pub require_pq_kem: bool,
    /// What is logged, and where. [`build`](crate::build) leaves it to its caller.
    pub log: log::Settings,
    /// What the writer of the file should know, each a sentence. [`build`](crate::build) leaves it to its caller.
    pub warnings: Vec<String>,
}

/// Where entries, nodes and bundles are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreConfig {
    /// In this process: all of it is lost when the process ends.
    Memory,
    /// In an SQLite file.
    Sqlite(PathBuf),
}

/// Where signing keys are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeysConfig {
    /// In this process: new keys after each start.
    Memory,
    /// In a file, in SPIRE's format.
    Disk(PathBuf),
}

/// How agents may prove what node they are on.
#[derive(Clone, Debug)]
pub struct NodeAttestorsConfig {
    /// By join tokens; on.
    pub join_token: bool,
    /// By certificates; off.
    pub x509pop: Option<X509PopConfig>,
}

impl Default for NodeAttestorsConfig {
    fn default() -> Self {
        Self { join_token: true, x509pop: None }
    }
}

/// Which agents are deleted that expired long ago. Those that are banned never are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodePruning {
    /// How long ago.
    pub expired_for: Duration,
    /// The most at a time, about every hour; 1,000.
    pub batch_size: usize,
    /// Whether those as well that cannot attest again; no.
    pub tofu: bool,
}

/// Whether one address may ask only so much; callers on the Unix socket are never limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// One attestation a second, ten at once after a pause; on.
    pub attestation: bool,
    /// 500 X.509-SVIDs and 500 JWT-SVIDs a second; on.
    pub signing: bool,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self { attestation: true, signing: true }
    }
}

impl Config {
    /// The defaults for one trust domain, with all files below `data_dir`.
    pub fn new(trust_domain: TrustDomain, data_dir: &Path) -> Self {
        Self {
            bind_address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            bind_port: 8081,
            data_dir: data_dir.to_owned(),
            socket_path: "/tmp/spire-server/private/api.sock".into(),
            issue: IssueConfig::new(trust_domain),
            admin_ids: Vec::new(),
            store: StoreConfig::Sqlite(data_dir.join("datastore.sqlite3")),
            keys: KeysConfig::Disk(data_dir.join("keys.json")),
            node_attestors: NodeAttestorsConfig::default(),
            rate_limits: RateLimits::default(),
            connection_age: Duration::from_secs(3600),
            proxy_protocol_trusted_cidrs: Vec::new(),
            audit_log: false,
            telemetry: TelemetryConfig::default(),
            health: None,
            node_pruning: None,
            require_pq_kem: false,
            log: log::Settings::default(),
            warnings: Vec::new(),
        }
    }

    /// Keeps everything below another folder; files that were placed elsewhere on purpose stay there.
    pub fn move_to(&mut self, data_dir: &Path) {
        let moved = |path: &Path| path.strip_prefix(&self.data_dir).ok().map(|rest| data_dir.join(rest));
        if let StoreConfig::Sqlite(path) = &self.store {
            self.store = StoreConfig::Sqlite(moved(path).unwrap_or_else(|| path.clone()));
        }
        if let KeysConfig::Disk(path) = &self.keys {
            self.keys = KeysConfig::Disk(moved(path).unwrap_or_else(|| path.clone()));
        }
        self.data_dir = data_dir.to_owned();
    }

    /// Reads a configuration file in SPIRE's format; `file` names it in errors.
    ///
    /// # Errors
    /// Names file, line, column and remedy. Refused is whatever this version does not serve: a key that would be
    /// passed over silently could be one that somebody relies on.
    pub fn from_hcl(text: &str, file: &str) -> Result<Self, HclError> {
        file::read(text, file)
    }
}
