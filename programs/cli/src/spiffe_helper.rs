//! The binary called `spiffe-helper`: that program, with its flags, its texts and its exit status.

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use finial_daemon::log::{self, Format, Level, Output};

use crate::helper::{self, Which};
use crate::output::{causes, complain};

/// As Go's package flag prints it.
const USAGE: &str = "Usage of spiffe-helper:
  -config string
    \t<configFile> Configuration file path (default \"helper.conf\")
  -daemon-mode
    \tToggle running as a daemon to rotate X.509/JWT or just fetch and exit (default true)
  -help
    \tPrint usage help
  -version
    \tPrint version
";

/// A flag that was given wrongly ends the program with this, as in Go.
const USAGE_FAILURE: u8 = 2;

/// What a command line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Help,
    Version,
    Run { config: PathBuf, daemon_mode: Option<bool> },
}

/// The program, from its command line to its exit status.
pub(crate) fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match read(args.into_iter().skip(1)) {
        Ok(Asked::Help) => complain(USAGE),
        Ok(Asked::Version) => crate::output::print(concat!(env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Asked::Run { config, daemon_mode }) => return ended(run(&Which::new(config, daemon_mode))),
        Err(fault) => {
            complain(format_args!("{fault}\n{USAGE}"));
            return ExitCode::from(USAGE_FAILURE);
        }
    }
    ExitCode::SUCCESS
}

fn run(which: &Which) -> Result<ExitCode> {
    log::init(Level::Info, Format::Text, &Output::Stderr)?;
    helper::run(which.read()?)
}

fn ended(result: Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        complain(format_args!("Error: {}\n", causes(&error)));
        ExitCode::FAILURE
    })
}

/// As Go's package flag reads: one dash or two, `-name=value` or `-name value`, up to the first word that is no flag.
fn read(args: impl IntoIterator<Item = OsString>) -> Result<Asked, String> {
    let mut args = args.into_iter();
    let (mut config, mut daemon_mode) = (PathBuf::from("helper.conf"), None);
    let (mut help, mut version) = (false, false);
    while let Some(arg) = args.next() {
        let text = arg.to_string_lossy().into_owned();
        let Some(flag) = text.strip_prefix('-').filter(|flag| !flag.is_empty()) else { break };
        let flag = flag.strip_prefix('-').unwrap_or(flag);
        if flag.is_empty() {
            break;
        }
        if flag.starts_with(['-', '=']) {
            return Err(format!("bad flag syntax: {text}"));
        }
        let (name, value) = flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value)));
        match name {
            "config" => {
                let next = value.map(OsString::from).or_else(|| args.next());
                config = next.ok_or_else(|| format!("flag needs an argument: -{name}"))?.into();
            }
            "daemon-mode" => daemon_mode = Some(boolean(name, value)?),
            "help" => help = boolean(name, value)?,
            "version" => version = boolean(name, value)?,
            "h" => help = true,
            _ => return Err(format!("flag provided but not defined: -{name}")),
        }
    }
    Ok(match (help, version) {
        (true, _) => Asked::Help,
        (_, true) => Asked::Version,
        _ => Asked::Run { config, daemon_mode },
    })
}

fn boolean(name: &str, value: Option<&str>) -> Result<bool, String> {
    match value {
        None | Some("1" | "t" | "T" | "TRUE" | "true" | "True") => Ok(true),
        Some("0" | "f" | "F" | "FALSE" | "false" | "False") => Ok(false),
        Some(other) => Err(format!("invalid boolean value \"{other}\" for -{name}: parse error")),
    }
}
