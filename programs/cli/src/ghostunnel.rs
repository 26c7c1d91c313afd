//! The binary called `ghostunnel`: that program, with its flags, its texts, its exit status, and its traps.

mod kingpin;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};
use finial_daemon::log::{self, Format, Level, Output};
use finial_proxy::{Config, ProxyError};

use self::kingpin::{Fault, Line};
use crate::output::{causes, complain};
use crate::proxy::{self, Both, Called, Client, Server};

/// A TLS proxy with mutual authentication for programs that know nothing of TLS. It takes ghostunnel's place: the flags,
/// variables and texts are ghostunnel's.
#[derive(Parser)]
#[command(name = "ghostunnel", flatten_help = true)]
#[command(disable_help_flag = true, disable_version_flag = true, disable_help_subcommand = true)]
struct Ghostunnel {
    /// Tell how the program is used
    #[arg(long)]
    help: bool,
    /// Tell which version it is
    #[arg(long)]
    version: bool,
    #[command(flatten)]
    both: Both,
    #[command(subcommand)]
    mode: Mode,
}

#[derive(Subcommand)]
enum Mode {
    /// Accept TLS, forward in the clear to a backend over TCP or a Unix socket
    #[command(disable_help_flag = true)]
    Server(Box<Server>),
    /// Accept in the clear over TCP or a Unix socket, forward over TLS
    #[command(disable_help_flag = true)]
    Client(Box<Client>),
}

/// What a command line asks for.
enum Asked {
    Help(String),
    Version,
    Run(Box<Ghostunnel>),
}

/// The program, from its command line to its exit status.
pub(crate) fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match read(args.into_iter().skip(1)) {
        Ok(Asked::Help(text)) => complain(text),
        Ok(Asked::Version) => {
            complain(format_args!(
                "rev {} built with finial (pkcs11: false, keychain: false)\n",
                env!("CARGO_PKG_VERSION")
            ));
        }
        Ok(Asked::Run(program)) => return program.run(),
        Err(fault) => return usage(&fault.into()),
    }
    ExitCode::SUCCESS
}

fn read(args: impl IntoIterator<Item = OsString>) -> Result<Asked, Fault> {
    let mut command = Ghostunnel::command();
    Ok(match kingpin::read(args, &command)? {
        Line::Help => Asked::Help(command.render_help().to_string()),
        Line::Version => Asked::Version,
        Line::Run(line) => {
            let read = Ghostunnel::try_parse_from(line);
            Asked::Run(Box::new(read.map_err(|error| kingpin::fault(&error, &command))?))
        }
    })
}

/// As kingpin ends on what it cannot read.
fn usage(error: &anyhow::Error) -> ExitCode {
    complain(format_args!("ghostunnel: error: {}, try --help\n", causes(error)));
    ExitCode::FAILURE
}

impl Ghostunnel {
    /// First what ghostunnel checks before it logs, then the rest.
    fn run(self) -> ExitCode {
        let config = self.config();
        if let Ok(config) = &config
            && let Err(error) = config.check_usage()
        {
            return usage(&error.into());
        }
        if !self.both.is_silent()
            && let Err(error) = log::init(Level::Info, Format::Plain, &Output::Stdout)
        {
            return failed(&error.into());
        }
        tracing::info!("starting ghostunnel in {} mode", self.mode.name());
        match config.and_then(|config| proxy::run(config, &self.both.landlock)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        }
    }

    fn config(&self) -> Result<Config> {
        Ok(match &self.mode {
            Mode::Server(server) => server.config(&self.both, Called::Ghostunnel)?.into(),
            Mode::Client(client) => client.config(&self.both, Called::Ghostunnel)?.into(),
        })
    }
}

/// To the log and to standard error, as ghostunnel does; that connections were cut is no error to it, but no success.
fn failed(error: &anyhow::Error) -> ExitCode {
    let text = causes(error);
    if let Some(ProxyError::Forced { .. }) = error.downcast_ref() {
        tracing::warn!("{text}");
    } else {
        tracing::error!("error: {text}");
        complain(format_args!("error: {text}\n"));
    }
    ExitCode::FAILURE
}

impl Mode {
    fn name(&self) -> &'static str {
        match self {
            Self::Server(_) => "server",
            Self::Client(_) => "client",
        }
    }
}
