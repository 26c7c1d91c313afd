//! What a proxy is told to do, with ghostunnel's defaults, and the checks on it.

mod access;
mod addresses;
mod credentials;
mod file;
mod named;
mod peers;
mod plan;
mod status;
mod targets;
#[cfg(test)]
mod tests;
mod tls;
mod unserved;

use std::time::Duration;

pub use access::AccessFlags;
pub use credentials::CredentialFlags;
pub(crate) use credentials::{Own, Trust};
pub use file::ProxyFile;
pub(crate) use named::Named;
pub use peers::PeerFlags;
pub(crate) use peers::{ListFiles, Scrutiny};
pub(crate) use plan::{Mode, Plan};
pub use status::{Quiet, StatusFlags};
pub use targets::HealthCheck;
pub(crate) use targets::PlannedTarget;
pub use tls::TlsFlags;
pub use unserved::{AcmeFlags, KeyFlags, PolicyFlags};

use crate::{HttpUrl, ProxyError, ProxyProtocol, Upstream};

/// A proxy that accepts TLS and forwards in the clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// `--listen`: where callers connect, with TLS: HOST:PORT, unix:PATH or systemd:NAME.
    pub listen: String,
    /// `--target`: the backend, which must be on this machine: HOST:PORT or unix:PATH. Of several the least busy that is
    /// well is taken.
    pub targets: Vec<String>,
    /// `health_check`: how targets are checked while nobody calls. Several are in any case.
    pub health_check: Option<HealthCheck>,
    /// `--unsafe-target`: the backend may be elsewhere, and is reached in the clear.
    pub unsafe_target: bool,
    /// `--allow-…`: which callers are permitted.
    pub allow: AccessFlags,
    /// `--proxy-protocol`: the backend is told the addresses of callers before their bytes.
    pub proxy_protocol: bool,
    /// `--proxy-protocol-mode`: what the backend is told of callers before their bytes. Not beside the former.
    pub proxy_protocol_mode: Option<ProxyProtocol>,
    /// `--identity-header`: callers speak HTTP, and the backend is told with every request who asks.
    pub identity_header: bool,
    /// `--target-http2`: the backend speaks HTTP/2 in the clear, and not HTTP/1.1. Only with `identity_header`.
    pub target_http2: bool,
    /// `--disable-authentication`: callers are asked for no certificate, and anybody is permitted.
    pub disable_authentication: bool,
    /// `--target-status`: what the target is asked over a connection to it, as `http://HOST/PATH` or `https://HOST/PATH`,
    /// to be told well by the status server; it must answer 200. Without it, that there is a connection is enough.
    pub target_status: Option<String>,
    /// What ends the trust in a peer.
    pub peers: PeerFlags,
    /// Rules in the language of OPA, which are refused.
    pub policy: PolicyFlags,
    /// `--skip-resolve`: the name of the target need not be known when the proxy starts.
    pub skip_resolve: bool,
    /// Which versions and cipher suites handshakes agree on.
    pub tls: TlsFlags,
    /// Where the identity comes from.
    pub credentials: CredentialFlags,
    /// What is told of the proxy, and to whom.
    pub status: StatusFlags,
    /// `--quiet`: what is not logged.
    pub quiet: Quiet,
    /// How long and how much.
    pub limits: Limits,
}

/// A proxy that accepts in the clear and forwards over TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// `--listen`: where callers connect, in the clear; must be on this machine: HOST:PORT, unix:PATH or systemd:NAME.
    pub listen: String,
    /// `--target`: the server, by host and port. Of several the least busy that is well is taken.
    pub targets: Vec<String>,
    /// `health_check`: how targets are checked while nobody calls. Several are in any case.
    pub health_check: Option<HealthCheck>,
    /// `--unsafe-listen`: others than this machine may connect, and use the identity.
    pub unsafe_listen: bool,
    /// `--override-server-name`: what the server's certificate must be for, instead of the host of the target. Without
    /// effect with the Workload API, where an ID names the server.
    pub server_name: Option<String>,
    /// `--proxy`: what leads to the target.
    pub upstream: Option<Upstream>,
    /// `--verify-…`: which servers are permitted, beside that they have the name that was dialled. With the Workload
    /// API, where no name counts, at least one is required.
    pub verify: AccessFlags,
    /// `--disable-authentication`: no certificate is presented to the server.
    pub disable_authentication: bool,
    /// `--target-status`: what the target is asked over a connection to it, as `http://HOST/PATH` or `https://HOST/PATH`,
    /// to be told well by the status server; it must answer 200. Without it, that there is a connection is enough.
    pub target_status: Option<String>,
    /// What ends the trust in a peer.
    pub peers: PeerFlags,
    /// Rules in the language of OPA, which are refused.
    pub policy: PolicyFlags,
    /// `--skip-resolve`: the name of the target need not be known when the proxy starts.
    pub skip_resolve: bool,
    /// Which versions and cipher suites handshakes agree on.
    pub tls: TlsFlags,
    /// Where the identity comes from.
    pub credentials: CredentialFlags,
    /// What is told of the proxy, and to whom.
    pub status: StatusFlags,
    /// `--quiet`: what is not logged.
    pub quiet: Quiet,
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
    /// `--max-conn-lifetime`: for a connection from handshake to end; zero sets no limit, and is the default.
    pub lifetime: Duration,
    /// `--max-concurrent-conns`: connections at once; further ones wait in the kernel's backlog. 10 000.
    pub connections: usize,
}

/// Either kind of proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Config {
    /// Accepts mutual TLS.
    Server(ServerConfig),
    /// Accepts in the clear.
    Client(ClientConfig),
}

impl Config {
    /// The first of the checks, which ghostunnel makes while it reads its command line; [`build`](crate::build) makes
    /// them too, and then the rest.
    ///
    /// # Errors
    /// With the first rule broken.
    pub fn check_usage(&self) -> Result<(), ProxyError> {
        let (Self::Server(ServerConfig { limits, status, target_status, .. })
        | Self::Client(ClientConfig { limits, status, target_status, .. })) = self;
        status.check_company()?;
        status.sinks()?;
        read_target_status(target_status.as_deref())?;
        status.address()?;
        if limits.connect_timeout.is_zero() {
            return Err(ProxyError::NoConnectTimeout);
        }
        Ok(())
    }

    /// All checks that need neither file nor network.
    ///
    /// # Errors
    /// With the first rule broken, in ghostunnel's order and words where it has the rule.
    pub fn check(&self) -> Result<(), ProxyError> {
        Plan::new(self.clone()).map(drop)
    }

    /// `server` or `client`.
    pub fn mode(&self) -> &'static str {
        match self {
            Self::Server(_) => "server",
            Self::Client(_) => "client",
        }
    }
}

fn read_target_status(url: Option<&str>) -> Result<Option<HttpUrl>, ProxyError> {
    let fail = |cause| ProxyError::HttpUrl { flag: "--target-status", cause };
    url.map(HttpUrl::parse).transpose().map_err(fail)
}

impl ServerConfig {
    /// With defaults for the rest, which permit nobody yet.
    pub fn new(listen: impl Into<String>, target: impl Into<String>, credentials: CredentialFlags) -> Self {
        Self {
            listen: listen.into(),
            targets: vec![target.into()],
            health_check: None,
            unsafe_target: false,
            allow: AccessFlags::default(),
            proxy_protocol: false,
            proxy_protocol_mode: None,
            identity_header: false,
            target_http2: false,
            disable_authentication: false,
            target_status: None,
            peers: PeerFlags::default(),
            policy: PolicyFlags::default(),
            skip_resolve: false,
            tls: TlsFlags::default(),
            credentials,
            status: StatusFlags::default(),
            quiet: Quiet::default(),
            limits: Limits::default(),
        }
    }
}

impl ClientConfig {
    /// With defaults for the rest.
    pub fn new(listen: impl Into<String>, target: impl Into<String>, credentials: CredentialFlags) -> Self {
        Self {
            listen: listen.into(),
            targets: vec![target.into()],
            health_check: None,
            unsafe_listen: false,
            server_name: None,
            upstream: None,
            verify: AccessFlags::default(),
            disable_authentication: false,
            target_status: None,
            peers: PeerFlags::default(),
            policy: PolicyFlags::default(),
            skip_resolve: false,
            tls: TlsFlags::default(),
            credentials,
            status: StatusFlags::default(),
            quiet: Quiet::default(),
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            workload_api_timeout: Duration::from_secs(10 * 60),
            connect_timeout: Duration::from_secs(10),
            shutdown_timeout: Duration::from_secs(5 * 60),
            close_timeout: Duration::from_secs(60),
            lifetime: Duration::ZERO,
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
