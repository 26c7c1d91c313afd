//! Flags as Go's package flag reads them: one dash or two, `-name=value` or `-name value`, and of several the last counts.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use clap::{Arg, ArgAction, Command};

/// Why flags are refused, in Go's words where it has them.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("flag provided but not defined: -{0}")]
    Undefined(String),
    #[error("flag needs an argument: -{0}")]
    NoValue(String),
    #[error("invalid boolean value {value:?} for -{name}: parse error")]
    Boolean { name: String, value: String },
    #[error("bad flag syntax: {0}")]
    Syntax(String),
    /// Go stops reading here, and passes over what follows.
    #[error("unexpected argument: {0:?}")]
    Word(String),
}

/// A flag that was given.
struct Given {
    name: String,
    /// As clap reads it; nothing for a switch that is off.
    as_read: Option<OsString>,
    is_list: bool,
}

/// The flags of `command` in `args`, as clap reads them.
pub(super) fn read(args: &[OsString], command: &Command) -> Result<Vec<OsString>, Fault> {
    if command.get_positionals().next().is_some() {
        return Ok([OsString::from("--")].into_iter().chain(args.iter().cloned()).collect());
    }
    let (mut args, mut all) = (args.iter(), Vec::<Given>::new());
    while let Some(arg) = args.next() {
        let given = flag(arg, &mut args, command)?;
        all.retain(|before| given.is_list || before.name != given.name);
        all.push(given);
    }
    Ok(all.into_iter().filter_map(|given| given.as_read).collect())
}

fn flag<'a>(
    arg: &OsString,
    rest: &mut impl Iterator<Item = &'a OsString>,
    command: &Command,
) -> Result<Given, Fault> {
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    // A line break after `\\` that was lost on the way leaves blanks before the flag.
    let bytes = arg.as_bytes().trim_ascii_start();
    let word = || Fault::Word(lossy(arg.as_bytes()));
    let flag = bytes.strip_prefix(b"-").ok_or_else(word)?;
    let flag = flag.strip_prefix(b"-").unwrap_or(flag);
    if flag.is_empty() {
        return Err(word());
    }
    if flag.starts_with(b"-") || flag.starts_with(b"=") {
        return Err(Fault::Syntax(lossy(bytes)));
    }
    let mut parts = flag.splitn(2, |byte| *byte == b'=');
    let name = lossy(parts.next().unwrap_or_default());
    let value = parts.next().map(|value| OsString::from_vec(value.to_vec()));
    let known = named(command, &name).ok_or_else(|| Fault::Undefined(name.clone()))?;
    let long = known.get_long().unwrap_or_default().to_owned();
    let is_list = matches!(known.get_action(), ArgAction::Append);
    if is_switch(known) {
        let is_on = boolean(&name, value.as_deref())?;
        let as_read = match known.get_action() {
            ArgAction::SetTrue => is_on.then(|| format!("--{long}")),
            _ => Some(format!("--{long}={is_on}")),
        };
        return Ok(Given { name: long, as_read: as_read.map(OsString::from), is_list: false });
    }
    let value = value.or_else(|| rest.next().cloned()).ok_or(Fault::NoValue(name))?;
    let mut as_read = OsString::from(format!("--{long}="));
    as_read.push(value);
    Ok(Given { name: long, as_read: Some(as_read), is_list })
}

fn named<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|arg| {
        arg.get_long() == Some(name) || arg.get_all_aliases().is_some_and(|aliases| aliases.contains(&name))
    })
}

/// Whether the flag stands for true without a value.
pub(super) fn is_switch(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue)
        || arg.get_num_args().is_some_and(|count| count.min_values() == 0)
}

fn boolean(name: &str, value: Option<&OsStr>) -> Result<bool, Fault> {
    let Some(value) = value else { return Ok(true) };
    match value.as_bytes() {
        b"1" | b"t" | b"T" | b"TRUE" | b"true" | b"True" => Ok(true),
        b"0" | b"f" | b"F" | b"FALSE" | b"false" | b"False" => Ok(false),
        other => {
            let value = String::from_utf8_lossy(other).into_owned();
            Err(Fault::Boolean { name: name.to_owned(), value })
        }
    }
}
