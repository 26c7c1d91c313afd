//! What an agent needs to know before it starts.

mod file;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use finial_attest::{PeerPidfd, UnixConfig};
use finial_daemon::hcl::HclError;
use finial_daemon::log::{Format, Level};
use finial_identity::{Bundle, TrustDomain};
use zeroize::Zeroizing;

/// Where SPIRE's agent, and so ours, serves the Workload API unless it is told otherwise.
const SOCKET_PATH: &str = "/tmp/spire-agent/public/api.sock";

/// The settings of an agent. `Debug` hides the join token.
#[derive(Clone)]
pub struct Config {
    /// The trust domain of agent and server.
    pub trust_domain: TrustDomain,
    /// The server's host name or IP address. A name is looked up for each connection, and each of its addresses tried.
    pub server_address: String,
    /// The server's port.
    pub server_port: u16,
    /// The socket of the Workload API. Default: `/tmp/spire-agent/public/api.sock`.
    pub socket_path: PathBuf,
    /// The folder of `agent-data.json`; created with mode 0700 when it is missing.
    pub data_dir: PathBuf,
    /// What the server is verified against at first contact. Default: not given.
    pub trust_bundle: TrustBundle,
    /// How [`TrustBundle::File`] is written. Default: PEM.
    pub trust_bundle_format: BundleFormat,
    /// The token to join with; not used while the stored SVID is valid.
    pub join_token: Option<String>,
    /// A file with that token, read only when it is needed.
    pub join_token_file: Option<PathBuf>,
    /// Where the agent's own private keys are kept. Default: in the data folder.
    pub keys: KeysConfig,
    /// How the process at the other end of the socket is pinned. Default: by pidfd where the kernel can (Linux 6.5).
    pub peer_pidfd: PeerPidfd,
    /// The `unix` workload attestor; `None` switches it off. Default: on, with its own defaults.
    pub unix: Option<UnixConfig>,
    /// How much is logged. Default: info.
    pub log_level: Level,
    /// The shape of a log line. Default: text.
    pub log_format: Format,
    /// Where log lines go. Default: standard output.
    pub log_file: Option<PathBuf>,
}

/// What the server is verified against at first contact. Later the agent trusts the bundle that its server gave it.
#[derive(Clone, Debug, Default)]
pub enum TrustBundle {
    /// Nothing: the agent can start only with the bundle and SVID that it stored before.
    #[default]
    NotGiven,
    /// A file, in the format that [`Config::trust_bundle_format`] names.
    File(PathBuf),
    /// The bundle itself.
    Given(Bundle),
}

/// How a bundle is written in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BundleFormat {
    /// PEM certificates.
    #[default]
    Pem,
    /// The JSON form of the SPIFFE Trust Domain and Bundle specification.
    Spiffe,
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
    /// SPIRE's defaults, with keys on disk in the data folder.
    pub fn new(
        trust_domain: TrustDomain,
        server_address: impl Into<String>,
        server_port: u16,
        data_dir: impl Into<PathBuf>,
    ) -> Self {
        let data_dir = data_dir.into();
        Self {
            trust_domain,
            server_address: server_address.into(),
            server_port,
            socket_path: SOCKET_PATH.into(),
            keys: KeysConfig::Disk(data_dir.clone()),
            data_dir,
            trust_bundle: TrustBundle::default(),
            trust_bundle_format: BundleFormat::default(),
            join_token: None,
            join_token_file: None,
            peer_pidfd: PeerPidfd::Preferred,
            unix: Some(UnixConfig::default()),
            log_level: Level::default(),
            log_format: Format::default(),
            log_file: None,
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

    /// The bundle for the first contact; `None` when none is configured.
    pub(crate) fn read_trust_bundle(&self) -> anyhow::Result<Option<Bundle>> {
        let bundle = match &self.trust_bundle {
            TrustBundle::NotGiven => return Ok(None),
            TrustBundle::Given(bundle) => bundle.clone(),
            TrustBundle::File(path) => self.read_bundle_file(path)?,
        };
        anyhow::ensure!(
            bundle.trust_domain == self.trust_domain,
            "the trust bundle is of `{}`, not of the agent's trust domain `{}`",
            bundle.trust_domain,
            self.trust_domain
        );
        anyhow::ensure!(
            !bundle.x509_authorities.is_empty(),
            "the trust bundle holds no certificate: write one with `finial bundle show` on the server"
        );
        Ok(Some(bundle))
    }

    fn read_bundle_file(&self, path: &Path) -> anyhow::Result<Bundle> {
        let text = std::fs::read(path).with_context(|| {
            format!(
                "cannot read the trust bundle {}: write it with `finial bundle show` on the server",
                path.display()
            )
        })?;
        let trust_domain = self.trust_domain.clone();
        let bundle = match self.trust_bundle_format {
            BundleFormat::Pem => Bundle::parse_pem(trust_domain, &text),
            BundleFormat::Spiffe => Bundle::parse_spiffe_json(trust_domain, &text),
        };
        bundle.with_context(|| format!("the trust bundle {} cannot be used", path.display()))
    }

    /// Host and port as a URI has them: an IPv6 address in brackets.
    pub(crate) fn server_authority(&self) -> String {
        let (host, port) = (&self.server_address, self.server_port);
        if host.parse::<Ipv6Addr>().is_ok() { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("trust_domain", &self.trust_domain)
            .field("server", &self.server_authority())
            .field("socket_path", &self.socket_path)
            .field("data_dir", &self.data_dir)
            .field("has_join_token", &self.join_token.is_some())
            .field("keys", &self.keys)
            .field("peer_pidfd", &self.peer_pidfd)
            .field("unix", &self.unix)
            .finish_non_exhaustive()
    }
}
