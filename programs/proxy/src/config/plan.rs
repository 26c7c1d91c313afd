//! A configuration after its checks, which come in ghostunnel's order.

use std::sync::Arc;

use finial_identity::SpkiPin;
use finial_tls::{NameRules, Offer};
use rustls_pki_types::ServerName;

use super::addresses::{check_client_listen, client_target, listen, server_target};
use super::targets::{distinct, health_check};
use super::{
    ClientConfig, Config, HealthCheck, Limits, Own, PlannedTarget, Quiet, Scrutiny, ServerConfig,
    StatusFlags, Trust, read_target_status,
};
use crate::http::BackendHttp;
use crate::{Address, HttpUrl, ProxyError, ProxyProtocol, Upstream};

/// A configuration that passed every check. Only [`Plan::new`] makes one.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) mode: Mode,
    pub(crate) listen: Address,
    pub(crate) targets: Vec<PlannedTarget>,
    pub(crate) health_check: Option<HealthCheck>,
    pub(crate) rules: NameRules,
    /// What peers are known by in the place of certificates that verify.
    pub(crate) pins: Option<Arc<[SpkiPin]>>,
    pub(crate) trust: Trust,
    pub(crate) scrutiny: Scrutiny,
    /// Of a client only.
    pub(crate) upstream: Option<Upstream>,
    /// Of a server only.
    pub(crate) proxy_protocol: Option<ProxyProtocol>,
    /// What the target is asked, to be told well.
    pub(crate) target_status: Option<HttpUrl>,
    /// Of a server only: callers speak HTTP.
    pub(crate) http: Option<BackendHttp>,
    pub(crate) offer: Offer,
    /// Whether the target's name must be known at the start.
    pub(crate) resolves: bool,
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
        config.check_usage()?;
        match config {
            Config::Server(config) => Self::server(config),
            Config::Client(config) => Self::client(config),
        }
    }

    fn server(config: ServerConfig) -> Result<Self, ProxyError> {
        let ServerConfig { allow, status, quiet, limits, .. } = config;
        let trust = if config.disable_authentication { Trust::ServerOnly } else { Trust::Mutual };
        let every = config.credentials.timed_reload;
        let acme = config.credentials.acme.clone();
        let own = config.credentials.server(trust)?;
        let others = allow.name_somebody() || !allow.pins.is_empty() || config.policy.are_given();
        match (trust, allow.all, others) {
            (Trust::Mutual, false, false) => return Err(ProxyError::NoAccessControl),
            (Trust::Mutual, true, true) => return Err(ProxyError::AllowAllAndOthers),
            (Trust::ServerOnly, all, others) if all || others => {
                return Err(ProxyError::OpenAndAccessControl);
            }
            _ => {}
        }
        if config.policy.are_given() && !allow.pins.is_empty() {
            return Err(ProxyError::PinsAndOthers { flag: "--allow-spki-pin", others: "access control" });
        }
        let pins = allow.pins(&own, ("--allow-spki-pin", "access control"))?;
        let own = if pins.is_some() { own.without_roots() } else { own };
        let scrutiny = config.peers.server(trust, pins.is_some(), every)?;
        let read = |text: &str| server_target(text, config.unsafe_target);
        let targets = distinct(&config.targets, read)?;
        let targets =
            targets.into_iter().map(|address| PlannedTarget { address, name: None }).collect::<Vec<_>>();
        acme.refuse()?;
        config.policy.refuse("--allow")?;
        let proxy_protocol = match (config.proxy_protocol, config.proxy_protocol_mode) {
            (true, Some(_)) => return Err(ProxyError::ProxyProtocols),
            (true, None) => Some(ProxyProtocol::Connection),
            (false, mode) => mode,
        };
        let offer = config.tls.offer()?;
        let http = match (config.identity_header, config.target_http2) {
            (true, _) if trust == Trust::ServerOnly => return Err(ProxyError::OpenAndIdentityHeader),
            (true, _) if pins.is_some() => return Err(ProxyError::PinsAndIdentityHeader),
            (true, false) => Some(BackendHttp::One),
            (true, true) => Some(BackendHttp::Two),
            (false, true) => return Err(ProxyError::TargetHttp2Alone),
            (false, false) => None,
        };
        let rules = allow.rules("--allow-uri")?;
        Ok(Self {
            mode: Mode::Server,
            listen: listen(&config.listen)?,
            health_check: health_check(config.health_check, &targets)?,
            targets,
            upstream: None,
            rules,
            pins,
            trust,
            scrutiny,
            proxy_protocol,
            target_status: read_target_status(config.target_status.as_deref())?,
            http,
            offer,
            resolves: !config.skip_resolve,
            own,
            status,
            quiet,
            limits,
        })
    }

    fn client(config: ClientConfig) -> Result<Self, ProxyError> {
        let ClientConfig { upstream, verify, status, quiet, limits, .. } = config;
        let trust = if config.disable_authentication { Trust::ServerOnly } else { Trust::Mutual };
        let every = config.credentials.timed_reload;
        let own = config.credentials.client(trust)?;
        check_client_listen(&config.listen, config.unsafe_listen)?;
        let dialled = distinct(&config.targets, client_target)?;
        config.policy.refuse("--verify")?;
        let pins = verify.pins(&own, ("--verify-spki-pin", "verification"))?;
        let own = if pins.is_some() { own.without_roots() } else { own };
        let scrutiny = config.peers.client(pins.as_ref().map(|_| "--verify-spki-pin"), every)?;
        let offer = config.tls.offer()?;
        if matches!(own, Own::WorkloadApi(_)) && !verify.all && !verify.name_somebody() {
            return Err(ProxyError::NoVerification);
        }
        let named = matches!(own, Own::Files { .. }) && pins.is_none();
        let mut targets = Vec::new();
        for (address, host) in dialled {
            let name = config.server_name.clone().unwrap_or(host);
            let server_name = ServerName::try_from(name.clone()).ok();
            if server_name.is_none() && named {
                return Err(ProxyError::NoServerName { name });
            }
            targets.push(PlannedTarget { address, name: server_name });
        }
        let rules = verify.rules("--verify-uri")?;
        Ok(Self {
            mode: Mode::Client,
            proxy_protocol: None,
            http: None,
            listen: listen(&config.listen)?,
            health_check: health_check(config.health_check, &targets)?,
            targets,
            rules,
            pins,
            trust,
            scrutiny,
            target_status: read_target_status(config.target_status.as_deref())?,
            offer,
            // Whoever leads to the target may know its name where this machine does not.
            resolves: !config.skip_resolve && upstream.is_none(),
            upstream,
            own,
            status,
            quiet,
            limits,
        })
    }
}
