//! `finial proxy server|client|run|check`: TLS for programs that know nothing of SPIFFE, with ghostunnel's flags.

mod both;
mod check;
mod client;
mod credentials;
mod file;
mod landlock;
mod peers;
mod server;
mod status;
mod tls;
mod unserved;
mod values;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use finial_daemon::{
    Clock, descriptors,
    log::{Format, Level, Output},
    signals::ReloadRequests,
};
use finial_proxy::{Config, Reloader};

pub(crate) use self::both::Both;
use self::check::Check;
pub(crate) use self::client::Client;
use self::file::RunFile;
pub(crate) use self::landlock::Landlock;
pub(crate) use self::server::Server;
use crate::{logging::Logging, runtime::block_on, server::terminated};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Accept mutual TLS, forward in the clear to a backend on this machine
    Server(Box<Run<Server>>),
    /// Accept in the clear on this machine, forward over mutual TLS
    Client(Box<Run<Client>>),
    /// Serve all listeners of a configuration file
    Run(RunFile),
    /// Tell whom a configuration would let in, without serving
    Check(Box<Check>),
}

#[derive(Args)]
pub(crate) struct Run<M: Args> {
    #[command(flatten)]
    mode: M,
    #[command(flatten)]
    both: Both,
    #[command(flatten)]
    logging: Logging,
}

/// By what name the program was called: some flags and variables mean what they mean to the program of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Called {
    /// `finial proxy`.
    Finial,
    /// `ghostunnel`, whose traps are kept.
    Ghostunnel,
}

impl Called {
    /// ghostunnel has one target.
    fn check_targets(self, targets: &[String]) -> Result<()> {
        match (self, targets) {
            (Self::Ghostunnel, [_, _, ..]) => bail!("flag 'target' cannot be repeated"),
            _ => Ok(()),
        }
    }
}

impl Command {
    pub(crate) fn run(self) -> Result<()> {
        let (config, logging, landlock) = match self {
            Self::Server(run) => (run.config()?, run.logging, run.both.landlock),
            Self::Client(run) => (run.config()?, run.logging, run.both.landlock),
            Self::Run(run) => return run.run(),
            Self::Check(check) => return block_on(check.run()),
        };
        let _level = logging.begin(Level::Info, Format::Text, Output::Stdout)?;
        tracing::info!("starting finial proxy in {} mode", config.mode());
        run(config, &landlock)
    }
}

impl Run<Server> {
    pub(crate) fn config(&self) -> Result<Config> {
        self.mode.config(&self.both, Called::Finial).map(Config::from)
    }
}

impl Run<Client> {
    pub(crate) fn config(&self) -> Result<Config> {
        self.mode.config(&self.both, Called::Finial).map(Config::from)
    }
}

/// Confines the process, which must have no other threads yet, and runs a proxy until SIGINT or SIGTERM.
pub(crate) fn run(config: Config, landlock: &Landlock) -> Result<()> {
    landlock.confine(config.confinement());
    descriptors::raise_limit().context("raise the limit of open files")?;
    block_on(async {
        let app = finial_proxy::build(config, &Clock::system()).await?;
        let until = terminated_after_reloads(app.reloader());
        app.run(until).await?;
        Ok(())
    })
}

/// Listens from now on: reads files again at SIGHUP and SIGUSR1, and resolves at SIGINT or SIGTERM.
fn terminated_after_reloads(reloader: Reloader) -> impl Future<Output = ()> {
    let (terminated, requests) = (terminated(), ReloadRequests::new());
    let reload = async move {
        let mut requests = match requests {
            Ok(requests) => requests,
            Err(error) => {
                tracing::warn!(%error, "signals cannot be received; files are read again at intervals only");
                return std::future::pending().await;
            }
        };
        loop {
            let signal = requests.next().await;
            tracing::info!(signal, "received {signal}, reloading TLS configuration");
            reloader.reload();
        }
    };
    async {
        tokio::select! {
            () = terminated => {}
            () = reload => {}
        }
    }
}
