//! The binary `finial`: a table of commands, noun then verb; each lives in a file of its own.

mod agent;
mod api;
mod args;
mod bundle;
mod connection;
mod debug;
mod dev;
mod entry;
mod ghostunnel;
mod healthcheck;
mod helper;
mod jwt;
mod localauthority;
mod logger;
mod logging;
mod manual;
mod minted;
mod names;
mod not_yet;
mod operator;
mod output;
mod proxy;
mod runtime;
mod server;
mod serving;
mod spiffe_helper;
mod spire;
mod supervised;
mod text;
mod token;
mod x509;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::names::Program;
use crate::output::Form;
use crate::runtime::block_on;

/// Workload identity: short-lived SPIFFE identities, issued, delivered, rotated and used.
#[derive(Parser)]
#[command(name = "finial", version, disable_help_subcommand = true, arg_required_else_help = true)]
#[command(after_help = "Flags are written as in SPIRE, with one dash or two: -spiffeID or --spiffe-id.")]
struct Finial {
    #[command(subcommand)]
    noun: Noun,
}

#[derive(Subcommand)]
enum Noun {
    /// Server and agent in one process, joined by itself: for trying out and for development
    Dev(dev::Dev),
    /// Run the server, or ask how it is
    #[command(subcommand)]
    Server(server::Command),
    /// Run the agent; list, show, evict, ban and purge the agents of a server
    #[command(subcommand)]
    Agent(agent::Command),
    #[command(flatten)]
    Operator(operator::Operator),
    /// Ask the Workload API, as a workload would
    #[command(subcommand)]
    Api(api::Command),
    /// TLS for programs that know nothing of SPIFFE
    #[command(subcommand)]
    Proxy(proxy::Command),
    /// An identity as files, for programs that read files
    Helper(helper::Helper),
    /// Print what completes commands and flags in a shell
    Completions(manual::Completions),
    /// Write a manual page for each command
    Man(manual::Man),
    /// Ask a server how it is (the same as `server healthcheck`)
    #[command(hide = true)]
    Healthcheck(healthcheck::Server),
}

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    match Program::called(args.first().map(OsString::as_os_str)) {
        Program::Finial => finial(args),
        Program::Ghostunnel => ghostunnel::main(args),
        Program::SpiffeHelper => spiffe_helper::main(args),
        Program::SpireServer => spire::server(args),
        Program::SpireAgent => spire::agent(args),
    }
}

fn finial(args: Vec<OsString>) -> ExitCode {
    let (finial, form) = match read(args) {
        Ok(read) => read,
        Err(error) => return fails(&error, Form::default()),
    };
    run(finial.noun).unwrap_or_else(|error| fails(&error, form))
}

fn fails(error: &anyhow::Error, form: Form) -> ExitCode {
    output::error(error, form);
    ExitCode::FAILURE
}

/// What is asked, and for whom. The proxy takes `@file` as its ancestor does.
fn read(args: Vec<OsString>) -> anyhow::Result<(Finial, Form)> {
    let is_proxy = args.get(1).is_some_and(|noun| noun == "proxy");
    let args = if is_proxy { args::with_files(args)? } else { args };
    let matches = Finial::command().get_matches_from(args::with_two_dashes(args));
    let finial = Finial::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    Ok((finial, Form::of(&matches)))
}

fn run(noun: Noun) -> anyhow::Result<ExitCode> {
    match noun {
        // Ends as the program that it stands for.
        Noun::Helper(command) => return command.run(),
        Noun::Dev(command) => block_on(command.run())?,
        Noun::Server(command) => block_on(command.run())?,
        Noun::Agent(command) => block_on(command.run())?,
        Noun::Operator(command) => block_on(command.run())?,
        Noun::Api(command) => block_on(command.run())?,
        // Confines itself before there are threads.
        Noun::Proxy(command) => command.run()?,
        Noun::Completions(command) => command.run(),
        Noun::Man(command) => command.run()?,
        Noun::Healthcheck(command) => block_on(command.run())?,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests;
