//! A configuration file with any number of proxies, in the format of `server.conf` and `agent.conf`.

mod access;
mod identity;
mod keys;
mod limits;
mod listeners;
mod peers;
mod status;
#[cfg(test)]
mod tests;

use std::path::Path;

use finial_daemon::hcl::{self, HclError};

use self::keys::Keys;
use super::{Config, CredentialFlags, Limits, Named, Quiet, StatusFlags};
use crate::ProxyError;

/// The proxies of one process, each with a name of its own, and what is told of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyFile {
    /// The blocks `server "NAME"` and `client "NAME"`, in the order of the file but servers first.
    pub listeners: Vec<(String, Config)>,
    /// Of the whole process.
    pub status: StatusFlags,
}

/// What holds for every block that does not say otherwise.
struct Defaults {
    credentials: Option<CredentialFlags>,
    limits: Limits,
    quiet: Quiet,
}

impl ProxyFile {
    /// Reads and checks the whole file.
    ///
    /// # Errors
    /// [`ProxyError::ReadConfiguration`], [`ProxyError::Configuration`] with every fault, by line and block.
    pub fn read(path: &Path) -> Result<Self, ProxyError> {
        let read = std::fs::read_to_string(path);
        let text = read.map_err(|cause| ProxyError::ReadConfiguration { path: path.to_owned(), cause })?;
        Ok(Self::parse(&text, &path.display().to_string())?)
    }

    /// Checks a text that `file` names in errors. Reads none of the files that it names.
    ///
    /// # Errors
    /// With every fault that can be told at once, by line and block.
    pub fn parse(text: &str, file: &str) -> Result<Self, HclError> {
        let mut top = Keys::new(hcl::parse(text, file)?);
        let defaults = Defaults {
            credentials: identity::read(&mut top),
            limits: limits::read(&mut top, &Limits::default()),
            quiet: status::quiet(&mut top).unwrap_or_default(),
        };
        let status = status::read(&mut top);
        let listeners = listeners::read(&mut top, &defaults, &status);
        top.finish()?;
        Ok(Self { listeners, status })
    }

    pub(crate) fn plans(self) -> Result<Vec<Named>, ProxyError> {
        self.listeners.into_iter().map(|(name, config)| Named::new(name, config)).collect()
    }
}
