//! The names of this binary: called by another than its own, it is the program of that name.

#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::path::Path;

/// What the binary is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// Itself, whatever it is called.
    Finial,
    /// The TLS proxy whose flags ours are.
    Ghostunnel,
    /// The helper whose files ours are.
    SpiffeHelper,
    /// The server whose flags, file and wire ours are.
    SpireServer,
    /// The agent to it.
    SpireAgent,
}

/// Each name, by which a link to the binary makes it that program.
const NAMES: [(&str, Program); 4] = [
    ("ghostunnel", Program::Ghostunnel),
    ("spiffe-helper", Program::SpiffeHelper),
    ("spire-server", Program::SpireServer),
    ("spire-agent", Program::SpireAgent),
];

impl Program {
    /// By the first word of the command line, whose folder says nothing.
    pub(crate) fn called(word: Option<&OsStr>) -> Self {
        let name = word.and_then(|word| Path::new(word).file_name());
        let known = NAMES.into_iter().find(|(known, _)| name == Some(OsStr::new(known)));
        known.map_or(Self::Finial, |(_, program)| program)
    }
}
