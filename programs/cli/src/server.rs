//! `finial server …`: run one, check its configuration, ask how it is.

use std::{cell::RefCell, collections::BTreeSet, net::IpAddr, path::PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use finial_daemon::{Clock, descriptors, hcl, signals, umask};
use finial_identity::TrustDomain;
use finial_server::Config;

use crate::{
    connection::ServerSocket, debug, healthcheck, logger, logging::ServingLogging, output, serving,
    supervised::Supervised,
};

/// Where SPIRE's server looks for its configuration.
const DEFAULT_CONFIG: &str = "conf/server/server.conf";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the server
    Run(Run),
    /// Check the configuration and exit
    Validate(Validate),
    /// Ask the server how it is
    Healthcheck(healthcheck::Server),
    /// How much the server logs
    #[command(subcommand)]
    Logger(logger::Command<ServerSocket>),
    /// What the server says of itself
    #[command(subcommand)]
    Debug(debug::Server),
}

impl Command {
    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::Run(command) => command.run().await,
            Self::Validate(command) => command.run(),
            Self::Healthcheck(command) => command.run().await,
            Self::Logger(command) => command.run().await,
            Self::Debug(command) => command.run().await,
        }
    }
}

/// What may come from the file, from flags, or from both: flags win.
#[derive(Args)]
struct Settings {
    /// Configuration file, as SPIRE's [default: conf/server/server.conf, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Replace $VARIABLES in the configuration file
    #[arg(long = "expandEnv", visible_alias = "expand-env", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = clap::ArgAction::Set)]
    expand_env: bool,
    /// Trust domain that the server serves
    #[arg(long = "trustDomain", visible_alias = "trust-domain", value_name = "NAME")]
    trust_domain: Option<String>,
    /// Folder for keys and datastore
    #[arg(long = "dataDir", visible_alias = "data-dir", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Address to listen on for agents
    #[arg(long = "bindAddress", visible_alias = "bind-address", value_name = "IP")]
    bind_address: Option<IpAddr>,
    /// Port to listen on for agents
    #[arg(long = "serverPort", visible_alias = "server-port", value_name = "PORT")]
    server_port: Option<u16>,
    /// Path of the Unix socket for commands
    #[arg(long = "socketPath", visible_alias = "socket-path", value_name = "PATH")]
    socket_path: Option<PathBuf>,
    #[command(flatten)]
    logging: ServingLogging,
}

#[derive(Args)]
pub(crate) struct Run {
    #[command(flatten)]
    settings: Settings,
}

impl Run {
    async fn run(self) -> Result<()> {
        umask::restrict();
        descriptors::raise_limit().context("raise the limit of open files")?;
        let config = self.settings.read()?;
        self.settings.logging.begin_as(config.log.clone())?;
        config.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        serving::run("Server", Box::pin(serve(config))).await
    }
}

async fn serve(config: Config) -> Result<()> {
    let app = finial_server::build(config, &Clock::system()).await.context("the server cannot start")?;
    let (supervised, status) = (Supervised::from_env(), format!("serving on {}", app.address()));
    supervised.run(&status, app.run(supervised.terminated())).await
}

#[derive(Args)]
pub(crate) struct Validate {
    #[command(flatten)]
    settings: Settings,
}

impl Validate {
    fn run(self) -> Result<()> {
        let config = self.settings.read()?;
        config.warnings.iter().for_each(|warning| output::complain(format_args!("Warning: {warning}\n")));
        output::print("SPIRE server configuration file is valid.\n");
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
                let (Some(trust_domain), Some(data_dir)) = (&self.trust_domain, &self.data_dir) else {
                    bail!("give -config FILE, or both -trustDomain and -dataDir; `finial dev` needs neither");
                };
                Config::new(TrustDomain::parse(trust_domain).context("-trustDomain")?, data_dir)
            }
        };
        if let Some(trust_domain) = &self.trust_domain {
            config.issue.trust_domain = TrustDomain::parse(trust_domain).context("-trustDomain")?;
        }
        if let Some(data_dir) = &self.data_dir {
            config.move_to(data_dir);
        }
        if let Some(address) = self.bind_address {
            config.bind_address = address;
        }
        if let Some(port) = self.server_port {
            config.bind_port = port;
        }
        if let Some(path) = &self.socket_path {
            config.socket_path.clone_from(path);
        }
        Ok(config)
    }
}

/// A configuration file: what it says, what it is called, and what the operator should know of it.
pub(crate) struct File {
    pub(crate) text: String,
    pub(crate) name: String,
    pub(crate) warnings: Vec<String>,
}

/// The configuration file that was asked for, or the one at SPIRE's default place.
pub(crate) fn read_file(asked: Option<&PathBuf>, default: &str, expand: bool) -> Result<Option<File>> {
    let path = match asked {
        Some(path) => path.clone(),
        None if PathBuf::from(default).exists() => default.into(),
        None => return Ok(None),
    };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(&path).with_context(|| match path.exists() {
        true => format!("configuration file {name} cannot be read"),
        false => format!("could not find config file {name}: please use the -config flag"),
    })?;
    if !expand {
        return Ok(Some(File { text, name, warnings: Vec::new() }));
    }
    let unset = RefCell::new(BTreeSet::new());
    let text = hcl::expand_env(&text, |variable| {
        let value = std::env::var(variable).ok();
        if value.is_none() {
            unset.borrow_mut().insert(variable.to_owned());
        }
        value
    });
    let warning = |variable| format!("{name}: ${variable} is not set, and became nothing");
    let warnings = unset.into_inner().into_iter().map(warning).collect();
    Ok(Some(File { text, name, warnings }))
}

/// Listens for SIGINT and SIGTERM from now on; resolves at the first.
pub(crate) fn terminated() -> impl Future<Output = ()> {
    let signalled = signals::terminated();
    async {
        match signalled {
            Ok(signalled) => {
                let signal = signalled.await;
                tracing::info!(signal, "received {signal}, shutting down");
            }
            Err(error) => {
                tracing::warn!(%error, "signals cannot be received; the program ends only by force");
                std::future::pending::<()>().await;
            }
        }
    }
}
