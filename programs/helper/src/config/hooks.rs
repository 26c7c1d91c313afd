//! Whom to tell of what was delivered.

use finial_daemon::hcl::{Block, HclError};

/// The program that is started, or signalled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HookConfig {
    /// The program to start after the first delivery.
    pub(crate) cmd: Option<String>,
    /// Its arguments, as one text.
    pub(crate) cmd_args: String,
    /// The file with the process id of a program to signal.
    pub(crate) pid_file_name: Option<String>,
    /// The signal.
    pub(crate) renew_signal: Option<String>,
}

impl HookConfig {
    /// Takes the keys of hooks.
    ///
    /// # Errors
    /// At the line of the key at fault.
    pub(crate) fn take(block: &mut Block) -> Result<Self, HclError> {
        let hooks = Self {
            cmd: text(block, "cmd")?,
            cmd_args: text(block, "cmd_args")?.unwrap_or_default(),
            pid_file_name: text(block, "pid_file_name")?,
            renew_signal: text(block, "renew_signal")?,
        };
        if hooks.pid_file_name.is_some() && hooks.renew_signal.is_none() {
            return Err(block.error_at("pid_file_name", "must specify renew_signal when using pid_file_name"));
        }
        Ok(hooks)
    }

    /// What of it does not go with a single delivery, after which nobody is told: warnings.
    ///
    /// # Errors
    /// At the line of the key at fault.
    pub(crate) fn check_once(&self, block: &Block) -> Result<Vec<String>, HclError> {
        if self.pid_file_name.is_some() {
            let problem = "pid_file_name is set but daemon_mode is false. pid_file_name is only supported in daemon_mode";
            return Err(block.error_at("pid_file_name", problem));
        }
        let ignored = [("cmd", self.cmd.is_some()), ("renew_signal", self.renew_signal.is_some())];
        let told = ignored.into_iter().filter(|(_, is_set)| *is_set).map(|(key, _)| {
            format!("{key} is set but daemon_mode is false. {key} will be ignored. This may become an error in a future release.")
        });
        Ok(told.collect())
    }
}

fn text(block: &mut Block, key: &'static str) -> Result<Option<String>, HclError> {
    Ok(block.take::<String>(key)?.filter(|text| !text.is_empty()))
}
