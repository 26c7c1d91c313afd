//! `finial agent run` and `validate`.

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use finial_agent::{BundleFormat, BundleUrl, Config, RebootstrapMode, ServerAddress, Servers, TrustBundle};
use finial_daemon::{Clock, descriptors, go, umask};
use finial_identity::TrustDomain;

use crate::{
    logging::ServingLogging,
    output,
    server::{File, read_file},
    serving,
    supervised::Supervised,
};

/// Where SPIRE's agent looks for its configuration.
const DEFAULT_CONFIG: &str = "conf/agent/agent.conf";

/// What may come from the file, from flags, or from both: flags win.
#[derive(Args)]
struct Settings {
    /// Configuration file, as SPIRE's [default: conf/agent/agent.conf, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Replace $VARIABLES in the configuration file
    #[arg(long = "expandEnv", visible_alias = "expand-env", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = clap::ArgAction::Set)]
    expand_env: bool,
    /// Trust domain of the server
    #[arg(long = "trustDomain", visible_alias = "trust-domain", value_name = "NAME")]
    trust_domain: Option<String>,
    /// Name or address of the server, or several separated by commas, best first, each with a port if it differs
    #[arg(
        long = "serverAddress",
        visible_alias = "server-address",
        value_name = "HOST",
        conflicts_with = "server_srv"
    )]
    server_address: Option<String>,
    /// Port of the server
    #[arg(
        long = "serverPort",
        visible_alias = "server-port",
        value_name = "PORT",
        conflicts_with = "server_srv"
    )]
    server_port: Option<u16>,
    /// Name of the servers' SRV records in DNS, such as _spire._tcp.example.org
    #[arg(long = "serverSrv", visible_alias = "server-srv", value_name = "NAME")]
    server_srv: Option<String>,
    /// Folder for the agent's own identity and keys
    #[arg(long = "dataDir", visible_alias = "data-dir", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Token from `finial token generate`, with which the agent attests once
    #[arg(long = "joinToken", visible_alias = "join-token", value_name = "TOKEN", hide_env_values = true)]
    join_token: Option<String>,
    /// File with that token
    #[arg(
        long = "joinTokenFile",
        visible_alias = "join-token-file",
        value_name = "FILE",
        conflicts_with = "join_token"
    )]
    join_token_file: Option<PathBuf>,
    #[command(flatten)]
    trust: Trust,
    /// Path of the Workload API's Unix socket
    #[arg(long = "socketPath", visible_alias = "socket-path", value_name = "PATH")]
    socket_path: Option<PathBuf>,
    #[command(flatten)]
    apis: Apis,
    #[command(flatten)]
    logging: ServingLogging,
}

/// What the server is verified against at first contact.
#[derive(Args)]
struct Trust {
    /// File with the server's CA certificates, from `finial bundle show`
    #[arg(long = "trustBundle", visible_alias = "trust-bundle", value_name = "FILE", group = "source")]
    trust_bundle: Option<PathBuf>,
    /// https URL at which that file is published
    #[arg(long = "trustBundleUrl", visible_alias = "trust-bundle-url", value_name = "URL", group = "source")]
    trust_bundle_url: Option<String>,
    /// How the file is written: pem or spiffe
    #[arg(long = "trustBundleFormat", visible_alias = "trust-bundle-format", value_name = "FORMAT")]
    trust_bundle_format: Option<BundleFormat>,
    /// Trust whoever answers first. For experiments
    #[arg(long = "insecureBootstrap", visible_alias = "insecure-bootstrap", num_args = 0..=1, require_equals = true, default_missing_value = "true", group = "source")]
    insecure_bootstrap: Option<bool>,
    /// Whether to fetch the bundle again when no server can be verified any more: never, auto or always
    #[arg(long = "rebootstrapMode", visible_alias = "rebootstrap-mode", value_name = "MODE")]
    rebootstrap_mode: Option<RebootstrapMode>,
    /// How long to wait before that, such as 10m
    #[arg(long = "rebootstrapDelay", visible_alias = "rebootstrap-delay", value_name = "SPAN", value_parser = go::parse_duration)]
    rebootstrap_delay: Option<Duration>,
}

/// What is served on the socket, and to whom.
#[derive(Args)]
struct Apis {
    /// Do not serve the Workload API
    #[arg(long = "disableWorkloadAPI", visible_alias = "disable-workload-api", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    disable_workload_api: Option<bool>,
    /// Do not serve Envoy's Secret Discovery Service
    #[arg(long = "disableSDSAPI", visible_alias = "disable-sds-api", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    disable_sds_api: Option<bool>,
    /// Give the trust bundle also to processes without an identity
    #[arg(long = "allowUnauthenticatedVerifiers", visible_alias = "allow-unauthenticated-verifiers", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    allow_unauthenticated_verifiers: Option<bool>,
}

#[derive(Args)]
pub(crate) struct Run {
    #[command(flatten)]
    settings: Settings,
}

impl Run {
    pub(crate) async fn run(self) -> Result<()> {
        umask::restrict();
        descriptors::raise_limit().context("raise the limit of open files")?;
        let config = self.settings.read()?;
        self.settings.logging.begin_as(config.log.clone())?;
        config.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        serving::run("Agent", Box::pin(serve(config))).await
    }
}

async fn serve(config: Config) -> Result<()> {
    let app = finial_agent::build(config, &Clock::system()).await.context("the agent cannot start")?;
    let supervised = Supervised::from_env();
    let status = format!("serving on {}", app.socket_path().display());
    supervised.run(&status, app.run(supervised.terminated())).await
}

#[derive(Args)]
pub(crate) struct Validate {
    #[command(flatten)]
    settings: Settings,
}

impl Validate {
    pub(crate) fn run(self) -> Result<()> {
        let config = self.settings.read()?;
        config.warnings.iter().for_each(|warning| output::complain(format_args!("Warning: {warning}\n")));
        output::print("SPIRE agent configuration file is valid.\n");
        Ok(())
    }
}

impl Settings {
    fn read(&self) -> Result<Config> {
        let mut config = match read_file(self.config.as_ref(), DEFAULT_CONFIG, self.expand_env)? {
            Some(File { text, name, warnings }) => {
                let mut config = Config::from_hcl(&text, &name)?;
                config.warnings.extend(warnings);
                config
            }
            None => {
                let (Some(domain), Some(servers), Some(folder)) =
                    (&self.trust_domain, self.servers(None)?, &self.data_dir)
                else {
                    bail!(
                        "give -config FILE, or all of -trustDomain, -serverAddress, -serverPort and -dataDir"
                    );
                };
                Config::with_servers(TrustDomain::parse(domain).context("-trustDomain")?, servers, folder)
            }
        };
        if let Some(trust_domain) = &self.trust_domain {
            config.trust_domain = TrustDomain::parse(trust_domain).context("-trustDomain")?;
        }
        if let Some(servers) = self.servers(Some(&config.servers))? {
            config.servers = servers;
        }
        if let Some(folder) = &self.data_dir {
            config.move_to(folder);
        }
        if self.join_token.is_some() || self.join_token_file.is_some() {
            config.join_token.clone_from(&self.join_token);
            config.join_token_file.clone_from(&self.join_token_file);
        }
        self.trust.apply(&mut config)?;
        if let Some(path) = &self.socket_path {
            config.socket_path.clone_from(path);
        }
        self.apis.apply(&mut config);
        Ok(config)
    }

    /// The servers that the flags name; what they leave open is as in the file.
    fn servers(&self, file: Option<&Servers>) -> Result<Option<Servers>> {
        if let Some(name) = &self.server_srv {
            return Ok(Some(Servers::Srv(name.clone())));
        }
        let port = self.server_port.or(file.and_then(Servers::port));
        match (&self.server_address, self.server_port, file) {
            (Some(address), _, _) => Servers::parse(address, port).map(Some).context("-serverAddress"),
            (None, Some(port), Some(Servers::Listed(servers))) => {
                let servers = servers.iter().map(|server| ServerAddress { port, ..server.clone() });
                Ok(Some(Servers::Listed(servers.collect())))
            }
            (None, Some(_), Some(Servers::Srv(name))) => {
                bail!("-serverPort does not go with the SRV records of {name}, which name the ports")
            }
            _ => Ok(None),
        }
    }
}

impl Trust {
    /// A flag that names a source takes the place of the file's.
    fn apply(&self, config: &mut Config) -> Result<()> {
        if let Some(file) = &self.trust_bundle {
            config.trust_bundle = TrustBundle::File(file.clone());
        }
        if let Some(url) = &self.trust_bundle_url {
            let socket = match &config.trust_bundle {
                TrustBundle::Url(url) => url.socket().cloned(),
                _ => None,
            };
            config.trust_bundle = TrustBundle::Url(BundleUrl::parse(url, socket).context("-trustBundleUrl")?);
        }
        match (self.insecure_bootstrap, &config.trust_bundle) {
            (Some(true), _) => config.trust_bundle = TrustBundle::Insecure,
            (Some(false), TrustBundle::Insecure) => config.trust_bundle = TrustBundle::NotGiven,
            _ => {}
        }
        if let Some(format) = self.trust_bundle_format {
            config.trust_bundle_format = format;
        }
        if let Some(mode) = self.rebootstrap_mode {
            config.rebootstrap_mode = mode;
        }
        if let Some(delay) = self.rebootstrap_delay {
            config.rebootstrap_delay = delay;
        }
        Ok(())
    }
}

impl Apis {
    fn apply(&self, config: &mut Config) {
        if let Some(is_disabled) = self.disable_workload_api {
            config.delivery.disable_workload_api = is_disabled;
        }
        match self.disable_sds_api {
            Some(true) => config.sds = None,
            Some(false) => {
                config.sds.get_or_insert_default();
            }
            None => {}
        }
        if let Some(is_allowed) = self.allow_unauthenticated_verifiers {
            config.delivery.allow_unauthenticated_verifiers = is_allowed;
        }
    }
}
