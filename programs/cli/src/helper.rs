//! `finial helper [run]`, `exec` and `validate`: an identity as files, for programs that read files.

mod exec;
mod validate;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use finial_daemon::{
    Clock,
    log::{Format, Level, Output},
    signals,
};
use finial_helper::{Config, EndSignal, Overrides};

use self::exec::Exec;
use self::validate::Validate;
use crate::{logging::Logging, runtime::block_on_one_thread};

/// Writes SVIDs, keys and bundles to files, keeps them fresh, and tells the programs that read them. Without a command it
/// runs, as spiffe-helper does, whose configuration file it reads.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
pub(crate) struct Helper {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Run,
}

const EXAMPLES: &str = "Examples:
  finial helper validate -config helper.conf            what would be written where, and what is wrong
  finial helper run -config helper.conf                 write files, and keep them fresh
  finial helper exec -config helper.conf -- PROGRAM     start a program with them, and end with it
  finial helper -config helper.conf -daemon-mode=false  write them once, for a job or an init container

deploy/examples/helper.conf explains each key. Called by a link of the name spiffe-helper, the binary takes that program's flags.";

#[derive(Subcommand)]
enum Command {
    /// Write files, and keep them fresh
    Run(Run),
    /// Start a program once its files are there, and end with it
    Exec(Exec),
    /// Tell what a configuration would write where, and whom it would tell; and what is wrong with it, by line
    Validate(Validate),
}

/// Which configuration, and what overrules it.
#[derive(Args)]
pub(crate) struct Which {
    /// The configuration file, as spiffe-helper's
    #[arg(long, value_name = "FILE", default_value = "helper.conf")]
    config: PathBuf,
    /// Go on after the first delivery; overrules daemon_mode of the file
    #[arg(long = "daemon-mode", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    daemon_mode: Option<bool>,
}

#[derive(Args)]
struct Run {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    logging: Logging,
}

impl Helper {
    pub(crate) fn run(self) -> Result<ExitCode> {
        match self.command {
            None => self.run.run(),
            Some(Command::Run(run)) => run.run(),
            Some(Command::Exec(command)) => command.run(),
            Some(Command::Validate(command)) => command.run(),
        }
    }
}

impl Which {
    pub(crate) fn new(config: PathBuf, daemon_mode: Option<bool>) -> Self {
        Self { config, daemon_mode }
    }

    fn overrides(&self) -> Overrides {
        let endpoint = std::env::var_os(finial_receive::ENDPOINT_VARIABLE);
        Overrides {
            daemon_mode: self.daemon_mode,
            endpoint: endpoint.map(|endpoint| endpoint.to_string_lossy().into_owned()),
        }
    }

    pub(crate) fn read(&self) -> Result<Config> {
        let config = Config::read(&self.config, &self.overrides())?;
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        Ok(config)
    }
}

impl Run {
    fn run(self) -> Result<ExitCode> {
        run(begin(&self.logging, &self.which)?)
    }
}

/// Begins to log, and reads the configuration.
fn begin(logging: &Logging, which: &Which) -> Result<Config> {
    // Standard output belongs to the programs that are started.
    let _level = logging.begin(Level::Info, Format::Text, Output::Stderr)?;
    which.read()
}

/// Runs the helper until SIGINT or SIGTERM, or until the program ends that it stands for.
pub(crate) fn run(config: Config) -> Result<ExitCode> {
    block_on_one_thread(async {
        let app = finial_helper::build(config, &Clock::system()).await.context("the helper cannot start")?;
        Ok(ExitCode::from(app.run(ended()).await?))
    })
}

/// Listens from now on.
fn ended() -> impl Future<Output = EndSignal> {
    let signalled = signals::terminated();
    async {
        match signalled {
            Ok(signalled) => {
                let signal = signalled.await;
                tracing::info!(signal, "received {signal}, shutting down");
                if signal == "SIGINT" { EndSignal::Interrupt } else { EndSignal::Terminate }
            }
            Err(error) => {
                tracing::warn!(%error, "signals cannot be received; the program ends only by force");
                std::future::pending().await
            }
        }
    }
}
