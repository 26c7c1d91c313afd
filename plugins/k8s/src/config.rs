//! The settings of the `k8s` attestor, under SPIRE's names.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

/// Where the kubelet is, how it is asked, and how long for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct K8sConfig {
    /// The port of the kubelet. Default: the secure one, 10250.
    pub port: KubeletPort,
    /// `node_name`: the host that the kubelet is reached at. Default: none.
    pub node_name: Option<String>,
    /// `node_name_env`: the environment variable with that name, when `node_name` is not set. Default: `MY_NODE_NAME`.
    /// Without either the kubelet is reached at 127.0.0.1.
    pub node_name_env: String,
    /// How often the token and the certificates are read again. Default: one minute.
    pub reload_interval: Duration,
    /// How often the kubelet is asked about a container of a pod that it does not report yet; at least once. Default: 60.
    pub max_poll_attempts: u32,
    /// The pause between two questions about one container. A list of pods serves for half of it. Default: 500 ms.
    pub poll_retry_interval: Duration,
    /// Whether the selectors of the container are left out, and those of its pod given even before the kubelet reports
    /// the container. Default: false.
    pub disable_container_selectors: bool,
}

/// The kubelet's port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KubeletPort {
    /// `kubelet_read_only_port`: plain HTTP, and no proof in either direction. Whoever can take the port on the node can
    /// make any process any workload.
    ReadOnly(u16),
    /// `kubelet_secure_port`: TLS.
    Secure {
        /// The number.
        port: u16,
        /// How the kubelet proves itself.
        verification: Verification,
        /// How the agent does.
        credentials: Credentials,
    },
}

/// How the kubelet's certificate is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    /// `kubelet_ca_path`: by the certificates in this file, and by the node's name where that is known.
    Ca(PathBuf),
    /// `skip_kubelet_verification`: not at all.
    Skipped,
}

/// How the agent proves itself to the kubelet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// `use_anonymous_authentication`: not at all.
    Anonymous,
    /// `token_path`: by the bearer token in this file.
    Token(PathBuf),
    /// `certificate_path` and `private_key_path`: by a client certificate.
    Certificate {
        /// The chain, in PEM.
        certificate: PathBuf,
        /// Its private key, in PEM.
        key: PathBuf,
    },
}

impl K8sConfig {
    /// Where the kubelet listens for those it proves itself to.
    pub const SECURE_PORT: u16 = 10250;
    /// The certificates of the cluster, as every pod has them.
    pub const CA_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";
    /// The token of the agent's service account, as its pod has it.
    pub const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

    /// The host that the kubelet is reached at, if one is named.
    pub(crate) fn host(&self) -> Option<String> {
        let of_env = || env::var(&self.node_name_env).ok();
        self.node_name.clone().or_else(of_env).filter(|name| !name.is_empty())
    }

    /// How long the kubelet is asked about one container at the most, when it answers at once.
    pub fn patience(&self) -> Duration {
        self.poll_retry_interval.saturating_mul(self.max_poll_attempts)
    }
}

impl Default for K8sConfig {
    fn default() -> Self {
        Self {
            port: KubeletPort::Secure {
                port: Self::SECURE_PORT,
                verification: Verification::Ca(Self::CA_PATH.into()),
                credentials: Credentials::Token(Self::TOKEN_PATH.into()),
            },
            node_name: None,
            node_name_env: "MY_NODE_NAME".to_owned(),
            reload_interval: Duration::from_mins(1),
            max_poll_attempts: 60,
            poll_retry_interval: Duration::from_millis(500),
            disable_container_selectors: false,
        }
    }
}
