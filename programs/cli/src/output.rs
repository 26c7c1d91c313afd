//! Output for people first, and one line of JSON for machines (`-output json`).

use std::{fmt::Display, io::Write};

use clap::{Args, ValueEnum};
use serde_json::Value;

/// `-output`, which every command that asks something takes.
#[derive(Args, Clone, Copy)]
pub(crate) struct Output {
    /// How to print the answer
    #[arg(long, value_enum, default_value_t = Form::Pretty)]
    output: Form,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Pretty,
    Json,
}

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

/// Prints `Error: …` with its causes to standard error.
pub(crate) fn error(error: &anyhow::Error) {
    complain(format_args!("Error: {}\n", causes(error)));
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
