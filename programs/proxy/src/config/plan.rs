//! A configuration after its checks, which come in ghostunnel's order.

use finial_tls::NameRules;
use rustls_pki_types::ServerName;

use super::{ClientConfig, Config, Limits, Own, Quiet, ServerConfig, StatusFlags, Trust};
use crate::{Address, ProxyError, ProxyProtocol, Upstream};

/// A configuration that passed every check. Only [`Plan::new`] makes one.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) mode: Mode,
    pub(crate) listen: Address,
    pub(crate) target: Address,
    /// What the certificate of the target must be for, and what is sent as SNI; a server has none.
    pub(crate) server_name: Option<ServerName<'static>>,
    pub(crate) rules: NameRules,
    pub(crate) trust: Trust,
    /// Of a client only.
    pub(crate) upstream: Option<Upstream>,
    /// Of a server only.
    pub(crate) proxy_protocol: Option<ProxyProtocol>,
    pub(crate) own: Own,
    pub(crate) status: StatusFlags,
    pub(crate) quiet: Quiet,
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
        let (Config::Server(ServerConfig { limits, status, .. })
        | Config::Client(ClientConfig { limits, status, .. })) = &config;
        status.check()?;
        if limits.connect_timeout.is_zero() {
            return Err(ProxyError::NoConnectTimeout);
        }
        match config {
            Config::Server(config) => Self::server(config),
            Config::Client(config) => Self::client(config),
        }
    }

    fn server(config: ServerConfig) -> Result<Self, ProxyError> {
        let ServerConfig { listen, target, allow, proxy_protocol, status, quiet, limits, .. } = config;
        let trust = if config.disable_authentication { Trust::ServerOnly } else { Trust::Mutual };
        let own = config.credentials.server(trust)?;
        match (trust, allow.all, allow.name_somebody()) {
            (Trust::Mutual, false, false) => return Err(ProxyError::NoAccessControl),
            (Trust::Mutual, true, true) => return Err(ProxyError::AllowAllAndOthers),
            (Trust::ServerOnly, all, others) if all || others => {
                return Err(ProxyError::OpenAndAccessControl);
            }
            _ => {}
        }
        if !target.is_local() && !config.unsafe_target {
            return Err(ProxyError::UnsafeTarget);
        }
        if matches!(target, Address::Passed(_)) {
            return Err(ProxyError::PassedTarget);
        }
        let rules = allow.rules("--allow-uri")?;
        let mode = Mode::Server;
        Ok(Self {
            mode,
            listen,
            target,
            server_name: None,
            upstream: None,
            rules,
            trust,
            proxy_protocol,
            own,
            status,
            quiet,
            limits,
        })
    }

    fn client(config: ClientConfig) -> Result<Self, ProxyError> {
        let ClientConfig { listen, target, upstream, verify, status, quiet, limits, .. } = config;
        let trust = if config.disable_authentication { Trust::ServerOnly } else { Trust::Mutual };
        let own = config.credentials.client(trust)?;
        if !listen.is_local() && !config.unsafe_listen {
            return Err(ProxyError::UnsafeListen);
        }
        let host = match &target {
            Address::Tcp { host, .. } => host,
            Address::Unix(_) => return Err(ProxyError::ClientTarget { network: "unix" }),
            Address::Passed(_) => return Err(ProxyError::ClientTarget { network: "systemd" }),
        };
        if matches!(own, Own::WorkloadApi(_)) && !verify.name_somebody() {
            return Err(ProxyError::NoVerification);
        }
        let name = config.server_name.as_ref().unwrap_or(host);
        let server_name = ServerName::try_from(name.clone()).ok();
        if server_name.is_none() && matches!(own, Own::Files { .. }) {
            return Err(ProxyError::NoServerName { name: name.clone() });
        }
        let rules = verify.rules("--verify-uri")?;
        Ok(Self {
            mode: Mode::Client,
            proxy_protocol: None,
            upstream,
            listen,
            target,
            server_name,
            rules,
            trust,
            own,
            status,
            quiet,
            limits,
        })
    }
}
