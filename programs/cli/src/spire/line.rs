//! A command line as SPIRE's programs read it: Go's package mitchellh/cli finds the command, package flag its flags.
//!
//! What they tell goes to standard error, also when it was asked for.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Parser};

use super::{flags, usage};
use crate::output::Form;

/// What a line asks for.
pub(super) enum Line<P> {
    /// To do this, and to print it in this form.
    Run(P, Form),
    /// To be told this.
    Told(String),
    /// Nothing that can be done; with why, and the exit status.
    Wrong(String, u8),
}

/// The exit status for a command that there is not.
const NO_COMMAND: u8 = 127;

/// Reads the line without the name of the program.
pub(super) fn read<P: Parser>(args: impl IntoIterator<Item = OsString>) -> Line<P> {
    let (program, args) = (P::command(), args.into_iter().collect::<Vec<_>>());
    let wants_help = args.iter().take_while(|arg| *arg != "--").any(|arg| is_one_of(arg, &["h", "help"]));
    let first = args.iter().position(|arg| !arg.is_empty() && !is_flag(arg)).unwrap_or(args.len());
    let (before, rest) = args.split_at(first);
    if before.iter().any(|arg| is_one_of(arg, &["v", "version"])) {
        return Line::Told(concat!(env!("CARGO_PKG_VERSION"), "\n").to_owned());
    }
    let (names, command) = walk(&program, rest);
    if names.is_empty() {
        let text = usage::of_program(&program);
        return if wants_help && rest.is_empty() { Line::Told(text) } else { Line::Wrong(text, NO_COMMAND) };
    }
    if command.is_subcommand_required_set() {
        let text = usage::of_group(command);
        return if wants_help { Line::Told(text) } else { Line::Wrong(text, 1) };
    }
    let usage = usage::of_command(&names, command);
    if wants_help {
        return Line::Told(usage + "flag: help requested\n");
    }
    if !before.is_empty() {
        let text = "Invalid flags before the subcommand. If these flags are for\n\
                    the subcommand, please put them after the subcommand.\n\n";
        return Line::Wrong(text.to_owned() + &usage, 1);
    }
    let given = match flags::read(&rest[names.len()..], command) {
        Ok(given) => given,
        Err(fault) => return Line::Wrong(format!("{fault}\n{usage}"), 1),
    };
    let words = [program.get_name().to_owned()].into_iter().chain(names).map(OsString::from);
    let parsed = P::command().try_get_matches_from(words.chain(given));
    match parsed.and_then(|matches| Ok(Line::Run(P::from_arg_matches(&matches)?, Form::of(&matches)))) {
        Ok(line) => line,
        Err(error) => Line::Wrong(format!("{}\n{usage}", fault(&error)), 1),
    }
}

/// The command that the first words name, as far as they do.
fn walk<'a>(program: &'a Command, words: &[OsString]) -> (Vec<String>, &'a Command) {
    let (mut names, mut command) = (Vec::new(), program);
    for word in words {
        let Some(found) = command.find_subcommand(word) else { break };
        names.push(found.get_name().to_owned());
        command = found;
    }
    (names, command)
}

fn is_flag(arg: &OsString) -> bool {
    arg.to_string_lossy().starts_with('-')
}

/// `-name` or `--name`.
fn is_one_of(arg: &OsString, names: &[&str]) -> bool {
    let text = arg.to_string_lossy();
    let name = text.strip_prefix("--").or_else(|| text.strip_prefix('-'));
    name.is_some_and(|name| names.contains(&name))
}

/// What clap found wrong with a value, in the words of Go's package flag.
fn fault(error: &clap::Error) -> String {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    let flag = text(ContextKind::InvalidArg).trim_start_matches('-').split(' ').next().unwrap_or_default();
    let line = error.to_string();
    let line = line.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    match error.kind() {
        ErrorKind::InvalidValue | ErrorKind::ValueValidation if !flag.is_empty() => {
            let cause = std::error::Error::source(error).map_or_else(|| allowed(error), ToString::to_string);
            let value = text(ContextKind::InvalidValue);
            format!("invalid value {value:?} for flag -{flag}: {cause}")
        }
        _ => line,
    }
}

fn allowed(error: &clap::Error) -> String {
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) => format!("it must be one of {}", values.join(", ")),
        _ => "it cannot be read".to_owned(),
    }
}
