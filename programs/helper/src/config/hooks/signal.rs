//! The names of signals.

use std::fmt;
use std::str::FromStr;

use finial_daemon::hcl::{Block, HclError};
use rustix::process::Signal;

/// A signal by its name, with or without `SIG` in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SignalName(pub(crate) Signal);

/// A text that names no signal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no signal: write SIGHUP, SIGUSR1 or another name", .0.escape_debug())]
pub(crate) struct SignalNameError(String);

const NAMES: [(&str, Signal); 31] = [
    ("HUP", Signal::HUP),
    ("INT", Signal::INT),
    ("QUIT", Signal::QUIT),
    ("ILL", Signal::ILL),
    ("TRAP", Signal::TRAP),
    ("ABRT", Signal::ABORT),
    ("BUS", Signal::BUS),
    ("FPE", Signal::FPE),
    ("KILL", Signal::KILL),
    ("USR1", Signal::USR1),
    ("SEGV", Signal::SEGV),
    ("USR2", Signal::USR2),
    ("PIPE", Signal::PIPE),
    ("ALRM", Signal::ALARM),
    ("TERM", Signal::TERM),
    ("STKFLT", Signal::STKFLT),
    ("CHLD", Signal::CHILD),
    ("CONT", Signal::CONT),
    ("STOP", Signal::STOP),
    ("TSTP", Signal::TSTP),
    ("TTIN", Signal::TTIN),
    ("TTOU", Signal::TTOU),
    ("URG", Signal::URG),
    ("XCPU", Signal::XCPU),
    ("XFSZ", Signal::XFSZ),
    ("VTALRM", Signal::VTALARM),
    ("PROF", Signal::PROF),
    ("WINCH", Signal::WINCH),
    ("IO", Signal::IO),
    ("PWR", Signal::POWER),
    ("SYS", Signal::SYS),
];

/// A key that names one; an empty text is as none.
pub(super) fn take(block: &mut Block, key: &'static str) -> Result<Option<SignalName>, HclError> {
    let Some(text) = super::text(block, key)? else { return Ok(None) };
    let read = text.parse::<SignalName>();
    read.map(Some).map_err(|error| block.error_at(key, &format!("{key}: {error}")))
}

impl FromStr for SignalName {
    type Err = SignalNameError;

    fn from_str(text: &str) -> Result<Self, SignalNameError> {
        let upper = text.to_ascii_uppercase();
        let short = upper.strip_prefix("SIG").unwrap_or(&upper);
        let known = NAMES.into_iter().find(|(name, _)| *name == short);
        known.map(|(_, signal)| Self(signal)).ok_or_else(|| SignalNameError(text.to_owned()))
    }
}

/// With `SIG` in front; a signal without a name by its number.
impl fmt::Display for SignalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.into_iter().find(|(_, signal)| *signal == self.0) {
            Some((name, _)) => write!(f, "SIG{name}"),
            None => write!(f, "signal {}", self.0.as_raw()),
        }
    }
}
