//! How a program, a group of commands and a command are used, in the form in which SPIRE's programs tell it.

use std::fmt::Write;

use clap::{Arg, ArgAction, Command};

use super::flags::is_switch;

/// All commands of a program.
pub(super) fn of_program(program: &Command) -> String {
    let name = program.get_name();
    let commands = list(program);
    format!("Usage: {name} [--version] [--help] <command> [<args>]\n\nAvailable commands are:\n{commands}\n")
}

/// The commands of a group.
pub(super) fn of_group(group: &Command) -> String {
    let commands = list(group);
    format!("This command is accessed by using one of the subcommands below.\n\nSubcommands:\n{commands}")
}

fn list(of: &Command) -> String {
    let mut commands: Vec<_> = of.get_subcommands().filter(|command| !command.is_hide_set()).collect();
    commands.sort_by_key(|command| command.get_name());
    let longest = commands.iter().map(|command| command.get_name().len()).max().unwrap_or(0);
    commands.iter().fold(String::new(), |mut out, command| {
        let (name, about) = (command.get_name(), command.get_about().map(ToString::to_string));
        // Writing to a String cannot fail.
        let _ = writeln!(out, "    {name:<longest$}    {}", about.unwrap_or_default());
        out
    })
}

/// The flags of a command, as Go's package flag prints them.
pub(super) fn of_command(names: &[String], command: &Command) -> String {
    let mut args: Vec<_> =
        command.get_arguments().filter(|arg| arg.get_long().is_some() && !arg.is_hide_set()).collect();
    args.sort_by_key(|arg| arg.get_long());
    let usage = format!("Usage of {}:\n", names.join(" "));
    args.into_iter().fold(usage, |mut out, arg| {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let (name, kind, default) = (arg.get_long().unwrap_or_default(), kind(arg), default(arg));
        let _ = write!(out, "  -{name}{kind}\n    \t{}{default}\n", help.replace('\n', " "));
        out
    })
}

/// The word for what a flag takes, after a blank; nothing for a switch.
fn kind(arg: &Arg) -> &'static str {
    let value = arg.get_value_names().and_then(<[_]>::first).map_or("", |name| name.as_str());
    match value {
        _ if is_switch(arg) => "",
        _ if matches!(arg.get_action(), ArgAction::Append) => " value",
        _ if !arg.get_possible_values().is_empty() => " value",
        "SECONDS" | "PORT" => " int",
        "DURATION" | "SPAN" => " duration",
        _ => " string",
    }
}

/// The default, where it is more than nothing.
fn default(arg: &Arg) -> String {
    let value = arg.get_default_values().first().map(|value| value.to_string_lossy().into_owned());
    match value.as_deref() {
        None | Some("" | "0" | "false") => String::new(),
        Some(value) if kind(arg) == " string" => format!(" (default {value:?})"),
        Some(value) => format!(" (default {value})"),
    }
}
