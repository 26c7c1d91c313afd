//! A command line as kingpin reads it, ghostunnel's parser: what it takes, what it refuses, and in which words.
//!
//! Flags of the program stand before or after the command, a flag that is no list is given once, `--no-NAME` unsets, and
//! `@file` stands for the lines of the file. What is left for clap are the types of the values.

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use clap::builder::PossibleValue;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command};

use crate::args::file::{FileError, Files};

/// What a line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// To be told how the program is used.
    Help,
    /// To be told which version it is.
    Version,
    /// To run, with the line as clap reads it: name, flags of the program, command, flags of the command.
    Run(Vec<OsString>),
}

/// Why a line is refused, in kingpin's words where it has them.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("unknown long flag '--{0}'")]
    LongFlag(String),
    #[error("unknown short flag '-{0}'")]
    ShortFlag(char),
    #[error("expected argument for flag '--{0}'")]
    NoValue(String),
    #[error("flag '{0}' cannot be repeated")]
    Repeated(String),
    #[error("expected command but got {0:?}")]
    Command(String),
    #[error(
        "expected command but got \"service\", which is of Windows: here systemd or another supervisor runs the program"
    )]
    Service,
    #[error("unexpected {0}")]
    Word(String),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("--{0} is not served: --help tells the flags")]
    Manual(String),
    #[error("{0}")]
    Value(String),
}

/// Reads the line; `program` has the flags, and its subcommands theirs.
pub(super) fn read(args: impl IntoIterator<Item = OsString>, program: &Command) -> Result<Line, Fault> {
    let mut reader = Reader::new(args, program);
    let read = reader.read();
    // Which version it is kingpin tells before it looks at what is wrong.
    if reader.wants_version {
        return Ok(Line::Version);
    }
    read?;
    match (reader.repeated.take(), reader.command) {
        _ if reader.wants_help => Ok(Line::Help),
        (Some(flag), _) => Err(Fault::Repeated(flag)),
        (None, None) => Ok(Line::Help),
        (None, Some(command)) => Ok(Line::Run(reader.line(command))),
    }
}

struct Reader<'a> {
    left: VecDeque<OsString>,
    files: Files,
    /// What stood behind the `=` of a flag.
    value: Option<OsString>,
    /// No flags any more.
    literal: bool,
    program: &'a Command,
    command: Option<&'a Command>,
    of_program: Vec<OsString>,
    of_command: Vec<OsString>,
    seen: BTreeSet<String>,
    repeated: Option<String>,
    wants_help: bool,
    wants_version: bool,
}

enum Token {
    Flag(String),
    Short(char),
    Word(OsString),
}

impl<'a> Reader<'a> {
    fn new(args: impl IntoIterator<Item = OsString>, program: &'a Command) -> Self {
        Self {
            left: args.into_iter().collect(),
            files: Files::default(),
            value: None,
            literal: false,
            program,
            command: None,
            of_program: Vec::new(),
            of_command: Vec::new(),
            seen: BTreeSet::new(),
            repeated: None,
            wants_help: false,
            wants_version: false,
        }
    }

    fn read(&mut self) -> Result<(), Fault> {
        while let Some(token) = self.next()? {
            match token {
                Token::Flag(name) => self.flag(name)?,
                Token::Short(letter) => return Err(Fault::ShortFlag(letter)),
                Token::Word(word) => self.word(&word)?,
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Token>, Fault> {
        if let Some(value) = self.value.take() {
            return Ok(Some(Token::Word(value)));
        }
        loop {
            let Some(arg) = self.left.pop_front() else { return Ok(None) };
            if self.literal {
                return Ok(Some(Token::Word(arg)));
            }
            if arg == "--" {
                self.literal = true;
                continue;
            }
            if let Some(path) = Files::named(&arg) {
                let lines = self.files.read(path)?;
                lines.into_iter().rev().for_each(|line| self.left.push_front(line));
                continue;
            }
            return Ok(Some(self.token(arg)));
        }
    }

    fn token(&mut self, arg: OsString) -> Token {
        if let Some(long) = arg.as_bytes().strip_prefix(b"--") {
            let mut parts = long.splitn(2, |byte| *byte == b'=');
            let name = parts.next().unwrap_or_default();
            self.value = parts.next().map(|value| OsString::from_vec(value.to_vec()));
            return Token::Flag(String::from_utf8_lossy(name).into_owned());
        }
        match arg.to_string_lossy().strip_prefix('-').and_then(|rest| rest.chars().next()) {
            Some(letter) => Token::Short(letter),
            None => Token::Word(arg),
        }
    }

    fn word(&mut self, word: &OsStr) -> Result<(), Fault> {
        let text = word.to_string_lossy();
        match self.command {
            // Behind `help` stands what to help with.
            _ if self.wants_help => {}
            Some(_) => return Err(Fault::Word(text.into_owned())),
            None if text == "help" => self.wants_help = true,
            None if text == "service" => return Err(Fault::Service),
            None => {
                let command = self.program.find_subcommand(word);
                self.command = Some(command.ok_or_else(|| Fault::Command(text.into_owned()))?);
            }
        }
        Ok(())
    }

    fn flag(&mut self, name: String) -> Result<(), Fault> {
        match name.as_str() {
            "help" | "help-long" => self.wants_help = true,
            "version" => self.wants_version = true,
            "help-man" | "help-custom-man" => return Err(Fault::Manual(name)),
            _ => return self.setting(name),
        }
        Ok(())
    }

    fn setting(&mut self, name: String) -> Result<(), Fault> {
        let (arg, is_of_command, is_set) = match (self.find(&name), name.strip_prefix("no-")) {
            (Some((arg, is_of_command)), _) => (arg, is_of_command, true),
            (None, Some(positive)) => match self.find(positive) {
                Some((arg, is_of_command)) if is_switch(arg) => (arg, is_of_command, false),
                _ => return Err(Fault::LongFlag(name)),
            },
            (None, None) => return Err(Fault::LongFlag(name)),
        };
        let given = if is_switch(arg) {
            is_set.then(|| OsString::from(format!("--{name}")))
        } else {
            let Some(Token::Word(value)) = self.next()? else { return Err(Fault::NoValue(name)) };
            let mut given = OsString::from(format!("--{name}="));
            given.push(value);
            Some(given)
        };
        let (is_list, known) = (matches!(arg.get_action(), ArgAction::Append), long_name(arg));
        if !self.seen.insert(known.clone()) && !is_list {
            self.repeated.get_or_insert(known);
        }
        let line = if is_of_command { &mut self.of_command } else { &mut self.of_program };
        line.extend(given);
        Ok(())
    }

    /// The flag, and whether it is one of the command.
    fn find(&self, name: &str) -> Option<(&'a Arg, bool)> {
        let of_program = named(self.program, name).map(|arg| (arg, false));
        of_program.or_else(|| named(self.command?, name).map(|arg| (arg, true)))
    }

    fn line(self, command: &Command) -> Vec<OsString> {
        let name = |command: &Command| OsString::from(command.get_name());
        let mut line = vec![name(self.program)];
        line.extend(self.of_program);
        line.push(name(command));
        line.extend(self.of_command);
        line
    }
}

fn named<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    let is = |arg: &&Arg| {
        arg.get_long() == Some(name) || arg.get_all_aliases().is_some_and(|aliases| aliases.contains(&name))
    };
    command.get_arguments().find(is)
}

fn is_switch(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue)
}

fn long_name(arg: &Arg) -> String {
    arg.get_long().unwrap_or_default().to_owned()
}

/// What clap found wrong with the values of a line, in kingpin's words where it has them.
pub(super) fn fault(error: &clap::Error, program: &Command) -> Fault {
    Fault::Value(match error.kind() {
        ErrorKind::MissingRequiredArgument => format!("required flag(s) {} not provided", missing(error)),
        ErrorKind::InvalidValue => unlisted(error, program),
        _ => first_line(error),
    })
}

fn missing(error: &clap::Error) -> String {
    let Some(ContextValue::Strings(flags)) = error.get(ContextKind::InvalidArg) else { return String::new() };
    let names = flags.iter().map(|flag| flag.split(' ').next().unwrap_or_default());
    names.map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}

/// A value that is none of those that may be.
fn unlisted(error: &clap::Error, program: &Command) -> String {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    let flag = text(ContextKind::InvalidArg).trim_start_matches('-').split(' ').next().unwrap_or_default();
    let commands = std::iter::once(program).chain(program.get_subcommands());
    let values = commands.filter_map(|command| named(command, flag)).flat_map(Arg::get_possible_values);
    let names = values.map(|value| PossibleValue::get_name(&value).to_owned()).collect::<Vec<_>>();
    format!("enum value must be one of {}, got '{}'", names.join(","), text(ContextKind::InvalidValue))
}

/// The parser of a value says what is wrong, and the flag whose value it is.
fn first_line(error: &clap::Error) -> String {
    match (error.get(ContextKind::InvalidArg), std::error::Error::source(error)) {
        (Some(ContextValue::String(flag)), Some(cause)) => {
            let flag = flag.split(' ').next().unwrap_or_default();
            let cause = cause.to_string();
            if cause.starts_with("--") { cause } else { format!("{flag}: {cause}") }
        }
        _ => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            line.strip_prefix("error: ").unwrap_or(line).to_owned()
        }
    }
}
