//! `finial proxy server|client`: TLS for programs that know nothing of SPIFFE, with ghostunnel's flags.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use finial_daemon::{
    Clock, descriptors, go,
    log::{Format, Level, Output},
};
use finial_proxy::{Address, ClientConfig, Config, Limits, ServerConfig};
use finial_receive::Endpoint;

use crate::{logging::Logging, server::terminated};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Accept mutual TLS, forward in the clear to a backend on this machine
    Server(Server),
    /// Accept in the clear on this machine, forward over mutual TLS
    Client(Client),
}

impl Command {
    pub(crate) async fn run(self) -> Result<()> {
        let (config, logging) = match self {
            Self::Server(command) => (Config::from(command.config()?), command.common.logging),
            Self::Client(command) => (Config::from(command.config()?), command.common.logging),
        };
        descriptors::raise_limit().context("raise the limit of open files")?;
        let _level = logging.begin(Level::Info, Format::Text, Output::Stdout)?;
        let app = finial_proxy::build(config, &Clock::system()).await?;
        app.run(terminated()).await?;
        Ok(())
    }
}

#[derive(Args)]
pub(crate) struct Server {
    /// Accept callers whose SPIFFE ID matches; * is one segment, ** at the end any number; give it several times
    #[arg(long = "allow-uri", value_name = "PATTERN")]
    allow_uri: Vec<String>,
    /// The backend may be on another machine, and is reached in the clear
    #[arg(long = "unsafe-target")]
    unsafe_target: bool,
    #[command(flatten)]
    common: Common,
}

impl Server {
    fn config(&self) -> Result<ServerConfig> {
        let (listen, target, agent) = self.common.addresses()?;
        Ok(ServerConfig {
            allow_uri: self.allow_uri.clone(),
            unsafe_target: self.unsafe_target,
            status: self.common.status()?,
            limits: self.common.limits(),
            ..ServerConfig::new(listen, target, agent)
        })
    }
}

#[derive(Args)]
pub(crate) struct Client {
    /// Talk to servers whose SPIFFE ID matches; * is one segment, ** at the end any number; give it several times
    #[arg(long = "verify-uri", value_name = "PATTERN")]
    verify_uri: Vec<String>,
    /// Callers may come from other machines, and use this identity
    #[arg(long = "unsafe-listen")]
    unsafe_listen: bool,
    #[command(flatten)]
    common: Common,
}

impl Client {
    fn config(&self) -> Result<ClientConfig> {
        let (listen, target, agent) = self.common.addresses()?;
        Ok(ClientConfig {
            verify_uri: self.verify_uri.clone(),
            unsafe_listen: self.unsafe_listen,
            status: self.common.status()?,
            limits: self.common.limits(),
            ..ClientConfig::new(listen, target, agent)
        })
    }
}

#[derive(Args)]
struct Common {
    /// Where to listen: HOST:PORT or unix:PATH
    #[arg(long, value_name = "ADDRESS")]
    listen: String,
    /// Where to forward to: HOST:PORT or unix:PATH
    #[arg(long, value_name = "ADDRESS")]
    target: String,
    /// The agent, as unix:///path/agent.sock [default: $SPIFFE_ENDPOINT_SOCKET]
    #[arg(long = "use-workload-api-addr", value_name = "ENDPOINT")]
    workload_api: Option<String>,
    /// The agent that $SPIFFE_ENDPOINT_SOCKET names gives the identity; the only way so far
    #[arg(long = "use-workload-api")]
    _use_workload_api: bool,
    /// How long to wait for the first identity; 0 for ever
    #[arg(long = "use-workload-api-timeout", default_value = "10m", value_name = "DURATION", value_parser = go::parse_duration)]
    workload_api_timeout: Duration,
    /// How long to dial, and to end a handshake
    #[arg(long = "connect-timeout", default_value = "10s", value_name = "DURATION", value_parser = go::parse_duration)]
    connect_timeout: Duration,
    /// How long open connections may go on after the proxy was told to stop
    #[arg(long = "shutdown-timeout", default_value = "5m", value_name = "DURATION", value_parser = go::parse_duration)]
    shutdown_timeout: Duration,
    /// How long one direction may go on after the other has ended
    #[arg(long = "close-timeout", default_value = "60s", value_name = "DURATION", value_parser = go::parse_duration)]
    close_timeout: Duration,
    /// Serve /_status here, in the clear: HOST:PORT or unix:PATH
    #[arg(long, value_name = "ADDRESS")]
    status: Option<String>,
    #[command(flatten)]
    logging: Logging,
}

impl Common {
    fn addresses(&self) -> Result<(Address, Address, Endpoint)> {
        let agent = match &self.workload_api {
            Some(text) => Endpoint::parse(text).context("--use-workload-api-addr")?,
            None => Endpoint::from_env().context("no --use-workload-api-addr is given")?,
        };
        let listen = Address::parse(&self.listen).context("invalid --listen address")?;
        let target = Address::parse(&self.target).context("invalid --target address")?;
        Ok((listen, target, agent))
    }

    fn status(&self) -> Result<Option<Address>> {
        let parse = |text: &String| Address::parse_status(text).context("invalid --status address");
        self.status.as_ref().map(parse).transpose()
    }

    fn limits(&self) -> Limits {
        Limits {
            workload_api_timeout: self.workload_api_timeout,
            connect_timeout: self.connect_timeout,
            shutdown_timeout: self.shutdown_timeout,
            close_timeout: self.close_timeout,
            ..Limits::default()
        }
    }
}
