//! One proxy among several of a process.

use super::{Config, Plan};
use crate::ProxyError;

/// A configuration that passed every check, with its name.
#[derive(Debug)]
pub(crate) struct Named {
    /// Of its block in a file; empty where there is one proxy, of flags.
    pub(crate) name: String,
    pub(crate) plan: Plan,
}

impl Named {
    /// # Errors
    /// As [`Plan::new`].
    pub(crate) fn new(name: String, config: Config) -> Result<Self, ProxyError> {
        Ok(Self { name, plan: Plan::new(config)? })
    }
}
