//! Output for people first, and one line of JSON for machines (`-output json`).

use std::{fmt::Display, io::Write};

use clap::{ArgMatches, Args, ValueEnum};
use serde_json::{Value, json};

/// `-output`, which every command that asks something takes.
#[derive(Args, Clone, Copy)]
pub(crate) struct Output {
    /// How to print the answer
    #[arg(long, value_enum, default_value_t = Form::Pretty)]
    output: Form,
}

/// For whom a command prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    #[default]
    Pretty,
    Json,
}

impl Form {
    /// What the command line asks for; for people where the command has no `-output`.
    pub(crate) fn of(matches: &ArgMatches) -> Self {
        let mut command = matches;
        while let Some((_, inner)) = command.subcommand() {
            command = inner;
        }
        command.try_get_one("output").ok().flatten().copied().unwrap_or_default()
    }
}

/// Some of what was asked for failed: the answer, which is printed already, tells what.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Incomplete(pub(crate) &'static str);

impl Output {
    /// Prints `text` to people, or `json` to machines.
    pub(crate) fn print(self, text: impl Display, json: impl FnOnce() -> Value) {
        match self.output {
            Form::Pretty => print(text),
            Form::Json => print(format_args!("{}\n", json())),
        }
    }

    pub(crate) fn is_json(self) -> bool {
        self.output == Form::Json
    }
}

/// Prints to standard output. A reader that has gone away (`| head`) ends the program quietly.
pub(crate) fn print(text: impl Display) {
    let mut out = std::io::stdout().lock();
    if write!(out, "{text}").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Prints `Error: …` with its causes to standard error. Machines find it on standard output too, where it takes the place
/// of the answer: one document, whatever comes of a command.
pub(crate) fn error(error: &anyhow::Error, form: Form) {
    let causes = causes(error);
    complain(format_args!("Error: {causes}\n"));
    if form == Form::Json && !error.is::<Incomplete>() {
        print(format_args!("{}\n", json!({"error": causes})));
    }
}

/// An error with its causes, in one line.
pub(crate) fn causes(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Prints to standard error.
pub(crate) fn complain(text: impl Display) {
    // Nothing can be done when even standard error is closed; the exit status still tells.
    let _ = write!(std::io::stderr().lock(), "{text}");
}
