//! What a helper needs to know before it starts: spiffe-helper's file, and our keys beside its own.

mod address;
mod hooks;
mod keys;
mod outputs;
mod ownership;
mod place;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use finial_daemon::hcl::{self, HclError};
use finial_receive::Endpoint;

use crate::HelperError;

pub(crate) use self::hooks::{
    Action, CommandConfig, CommandLine, HealthConfig, HookEntry, HookUrl, Kinds, Method, Restart, SignalName,
};
pub use self::hooks::{HookConfig, ProgramError};
use self::keys::Keys;
pub use self::outputs::{JwtOutput, Outputs, Whose, X509Output};
pub use self::ownership::{Ownership, Principal};
pub use self::place::{FileName, Mode, Place, PlaceError};

/// The settings of a helper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the Workload API is. Default: what `SPIFFE_ENDPOINT_SOCKET` names, else `/tmp/spire-agent/public/api.sock`.
    pub agent: Endpoint,
    /// The folder of all files, which must be there. Default: the folder in which the helper runs.
    pub cert_dir: PathBuf,
    /// How the files of one update come to stand there together. Default: generations.
    pub layout: Layout,
    /// Whose the files are. Default: of whoever runs the helper.
    pub ownership: Ownership,
    /// Whether to go on after the first delivery. Default: yes.
    pub daemon_mode: bool,
    /// What is written.
    pub outputs: Outputs,
    /// Who is told.
    pub hooks: HookConfig,
    /// What the writer of the file should know, each a sentence.
    pub warnings: Vec<String>,
}

/// How the files of one update come to stand there together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// Each name is a link into a folder that holds one generation, and one rename switches all of them.
    #[default]
    Generations,
    /// Each name is a file, and each is replaced by a rename of its own.
    Plain,
    /// Generations, and in them the files of a draft: SPIFFE Filesystem Delivery.
    SpiffeDraft,
}

/// What overrules a configuration file, or stands in for what it leaves open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// The flag `-daemon-mode`.
    pub daemon_mode: Option<bool>,
    /// The environment variable `SPIFFE_ENDPOINT_SOCKET`.
    pub endpoint: Option<String>,
}

/// Each key as spiffe-helper wrote it before version 0.9, and as it is now.
const RENAMED: [(&str, &str); 8] = [
    ("agentAddress", "agent_address"),
    ("cmdArgs", "cmd_args"),
    ("certDir", "cert_dir"),
    ("renewSignal", "renew_signal"),
    ("svidFileName", "svid_file_name"),
    ("svidKeyFileName", "svid_key_file_name"),
    ("svidBundleFileName", "svid_bundle_file_name"),
    ("addIntermediatesToBundle", "add_intermediates_to_bundle"),
];

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// [`HelperError::ReadConfiguration`]; else as [`from_hcl`](Self::from_hcl).
    pub fn read(path: &Path, overrides: &Overrides) -> Result<Self, HelperError> {
        let read = std::fs::read_to_string(path);
        let text = read.map_err(|cause| HelperError::ReadConfiguration { path: path.to_owned(), cause })?;
        Ok(Self::from_hcl(&text, &path.display().to_string(), overrides)?)
    }

    /// Reads a configuration that `file` names in errors. Reads none of the files that it names.
    ///
    /// # Errors
    /// With every fault that can be told at once, by line and column.
    pub fn from_hcl(text: &str, file: &str, overrides: &Overrides) -> Result<Self, HclError> {
        let mut top = Keys::new(hcl::parse(text, file)?);
        for (old, new) in RENAMED {
            top.rename(old, new);
        }
        if top.take::<String>("timeout").is_some() {
            top.warn("timeout has no effect any more: remove it");
        }
        let agent = address::read(&mut top, overrides.endpoint.as_deref());
        let layout = layout(&mut top);
        let daemon_mode = top.take("daemon_mode");
        let daemon_mode = overrides.daemon_mode.or(daemon_mode).unwrap_or(true);
        let cert_dir = top.text("cert_dir").map_or_else(|| Path::new(".").to_owned(), PathBuf::from);
        let ownership = ownership::read(&mut top);
        let outputs = outputs::read(&mut top, layout == Layout::SpiffeDraft);
        let hooks = top.with(HookConfig::take);
        if let Some(hooks) = hooks.as_ref().filter(|_| !daemon_mode) {
            let warnings = top.with(|block| hooks.check_once(block));
            warnings.into_iter().flatten().for_each(|warning| top.warn(warning));
        }
        let warnings = top.finish("unknown top level key(s)")?;
        // What could not be read was a fault, so that nothing of these is missing.
        let hooks = hooks.unwrap_or_default();
        let agent = agent.unwrap_or_else(address::default);
        Ok(Self { agent, cert_dir, layout, ownership, daemon_mode, outputs, hooks, warnings })
    }
}

fn layout(top: &mut Keys) -> Layout {
    let read = top.read("layout", |text| match text {
        "generations" => Ok(Layout::Generations),
        "plain" => Ok(Layout::Plain),
        "spiffe-draft" => Ok(Layout::SpiffeDraft),
        other => Err(format!("must be generations, plain or spiffe-draft, not `{}`", other.escape_debug())),
    });
    read.unwrap_or_default()
}
