//! The binaries called `spire-server` and `spire-agent`: those programs, with their commands, flags, texts and exit status.

mod flags;
mod line;
#[cfg(test)]
mod tests;
mod usage;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Command, CommandFactory, Parser, Subcommand};

use self::line::Line;
use crate::{agent, api, operator, output, runtime::block_on, server};

/// The server of a trust domain, in the place of SPIRE's
#[derive(Parser)]
#[command(name = "spire-server", disable_help_flag = true, disable_help_subcommand = true)]
struct Server {
    #[command(subcommand)]
    command: ServerCommand,
}

#[derive(Subcommand)]
enum ServerCommand {
    #[command(flatten)]
    Here(server::Command),
    /// The agents that the server knows
    #[command(subcommand)]
    Agent(agent::OfServer),
    #[command(flatten)]
    Operator(operator::Operator),
}

/// The agent of a node, in the place of SPIRE's
#[derive(Parser)]
#[command(name = "spire-agent", disable_help_flag = true, disable_help_subcommand = true)]
struct Agent {
    #[command(subcommand)]
    command: AgentCommand,
}

#[derive(Subcommand)]
enum AgentCommand {
    #[command(flatten)]
    Here(agent::Here),
    /// Ask the Workload API, as a workload would
    #[command(subcommand)]
    Api(api::Command),
}

/// One of the two programs.
trait Program: Parser {
    async fn run(self) -> Result<()>;
}

impl Program for Server {
    async fn run(self) -> Result<()> {
        match self.command {
            ServerCommand::Here(command) => command.run().await,
            ServerCommand::Agent(command) => command.run().await,
            ServerCommand::Operator(command) => command.run().await,
        }
    }
}

impl Program for Agent {
    async fn run(self) -> Result<()> {
        match self.command {
            AgentCommand::Here(command) => command.run().await,
            AgentCommand::Api(command) => command.run().await,
        }
    }
}

/// The commands of `spire-server`, for its manual and for shells.
pub(crate) fn server_command() -> Command {
    Server::command()
}

/// Those of `spire-agent`.
pub(crate) fn agent_command() -> Command {
    Agent::command()
}

/// `spire-server`, from its command line to its exit status.
pub(crate) fn server(args: Vec<OsString>) -> ExitCode {
    main::<Server>(args)
}

/// `spire-agent`, likewise.
pub(crate) fn agent(args: Vec<OsString>) -> ExitCode {
    main::<Agent>(args)
}

fn main<P: Program>(args: Vec<OsString>) -> ExitCode {
    let (text, code) = match line::read::<P>(args.into_iter().skip(1)) {
        Line::Run(program, form) => {
            return match block_on(program.run()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    output::error(&error, form);
                    ExitCode::FAILURE
                }
            };
        }
        Line::Told(text) => (text, 0),
        Line::Wrong(text, code) => (text, code),
    };
    output::complain(text);
    ExitCode::from(code)
}
