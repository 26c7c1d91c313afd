//! What a proxy is told to do, with ghostunnel's defaults, and the checks on it.

#[cfg(test)]
mod tests;

use std::time::Duration;

use finial_receive::Endpoint;
use finial_tls::{Policy, UriPatterns};

use crate::{Address, ProxyError};

/// A proxy that accepts mutual TLS and forwards in the clear.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// `--listen`: where callers connect, with TLS.
    pub listen: Address,
    /// `--target`: the backend, which must be on this machine.
    pub target: Address,
    /// `--unsafe-target`: the backend may be elsewhere, and is reached in the clear.
    pub unsafe_target: bool,
    /// `--allow-uri`: patterns over the SPIFFE IDs of callers; any of them permits. At least one is required.
    pub allow_uri: Vec<String>,
    /// `--use-workload-api-addr`: the agent that gives the identity.
    pub workload_api: Endpoint,
    /// `--status`: where the status is served, in the clear.
    pub status: Option<Address>,
    /// How long and how much.
    pub limits: Limits,
}

/// A proxy that accepts in the clear and forwards over mutual TLS.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// `--listen`: where callers connect, in the clear; must be on this machine.
    pub listen: Address,
    /// `--target`: the server, by host and port.
    pub target: Address,
    /// `--unsafe-listen`: others than this machine may connect, and use the identity.
    pub unsafe_listen: bool,
    /// `--verify-uri`: patterns over the SPIFFE ID of the server; any of them permits. At least one is required.
    pub verify_uri: Vec<String>,
    /// `--use-workload-api-addr`: the agent that gives the identity.
    pub workload_api: Endpoint,
    /// `--status`: where the status is served, in the clear.
    pub status: Option<Address>,
    /// How long and how much.
    pub limits: Limits,
}

/// How long a proxy waits, and how much it serves at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `--use-workload-api-timeout`: for the first SVID; zero waits for ever. 10 minutes.
    pub workload_api_timeout: Duration,
    /// `--connect-timeout`: to dial, and to end a handshake; not zero. 10 seconds.
    pub connect_timeout: Duration,
    /// `--shutdown-timeout`: for open connections when the proxy stops. 5 minutes.
    pub shutdown_timeout: Duration,
    /// `--close-timeout`: for one direction after the other has ended; zero closes at once. 60 seconds.
    pub close_timeout: Duration,
    /// `--max-concurrent-conns`: connections at once; further ones wait in the kernel's backlog. 10 000.
    pub connections: usize,
}

/// Either kind of proxy.
#[derive(Clone, Debug)]
pub enum Config {
    /// Accepts mutual TLS.
    Server(ServerConfig),
    /// Accepts in the clear.
    Client(ClientConfig),
}

impl ServerConfig {
    /// With defaults for the rest; [`allow_uri`](Self::allow_uri) is still to be filled.
    pub fn new(listen: Address, target: Address, workload_api: Endpoint) -> Self {
        let limits = Limits::default();
        Self { listen, target, unsafe_target: false, allow_uri: vec![], workload_api, status: None, limits }
    }
}

impl ClientConfig {
    /// With defaults for the rest; [`verify_uri`](Self::verify_uri) is still to be filled.
    pub fn new(listen: Address, target: Address, workload_api: Endpoint) -> Self {
        let limits = Limits::default();
        Self { listen, target, unsafe_listen: false, verify_uri: vec![], workload_api, status: None, limits }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            workload_api_timeout: Duration::from_secs(10 * 60),
            connect_timeout: Duration::from_secs(10),
            shutdown_timeout: Duration::from_secs(5 * 60),
            close_timeout: Duration::from_secs(60),
            connections: 10_000,
        }
    }
}

impl From<ServerConfig> for Config {
    fn from(config: ServerConfig) -> Self {
        Self::Server(config)
    }
}

impl From<ClientConfig> for Config {
    fn from(config: ClientConfig) -> Self {
        Self::Client(config)
    }
}

/// A configuration that passed every check. Only [`Plan::new`] makes one.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) mode: Mode,
    pub(crate) listen: Address,
    pub(crate) target: Address,
    pub(crate) policy: Policy,
    pub(crate) workload_api: Endpoint,
    pub(crate) status: Option<Address>,
    pub(crate) limits: Limits,
}

/// On which side the TLS is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Server,
    Client,
}

impl Plan {
    /// # Errors
    /// With the first rule broken, in ghostunnel's words where it has the rule.
    pub(crate) fn new(config: Config) -> Result<Self, ProxyError> {
        let plan = match config {
            Config::Server(config) => Self::server(config)?,
            Config::Client(config) => Self::client(config)?,
        };
        if plan.limits.connect_timeout.is_zero() {
            return Err(ProxyError::NoConnectTimeout);
        }
        Ok(plan)
    }

    fn server(config: ServerConfig) -> Result<Self, ProxyError> {
        let ServerConfig { listen, target, unsafe_target, allow_uri, workload_api, status, limits } = config;
        let policy = policy(&allow_uri, "--allow-uri")?;
        if !target.is_local() && !unsafe_target {
            return Err(ProxyError::UnsafeTarget);
        }
        Ok(Self { mode: Mode::Server, listen, target, policy, workload_api, status, limits })
    }

    fn client(config: ClientConfig) -> Result<Self, ProxyError> {
        let ClientConfig { listen, target, unsafe_listen, verify_uri, workload_api, status, limits } = config;
        let policy = policy(&verify_uri, "--verify-uri")?;
        if !listen.is_local() && !unsafe_listen {
            return Err(ProxyError::UnsafeListen);
        }
        if matches!(target, Address::Unix(_)) {
            return Err(ProxyError::UnixTarget);
        }
        Ok(Self { mode: Mode::Client, listen, target, policy, workload_api, status, limits })
    }
}

fn policy(patterns: &[String], flag: &'static str) -> Result<Policy, ProxyError> {
    if patterns.is_empty() {
        return Err(ProxyError::NoAccessControl { flag });
    }
    let parse = |pattern: &String| {
        let fail = |cause| ProxyError::UriPattern { flag, pattern: pattern.clone(), cause };
        UriPatterns::parse([pattern]).map(Policy::uri_patterns).map_err(fail)
    };
    let policies = patterns.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    Ok(policies.into_iter().fold(Policy::ids([]), |all, policy| all.or(&policy)))
}
