//! One proxy among several of a process.

use std::time::Duration;

use super::{Config, Own, Plan};
use crate::ProxyError;

/// A configuration that passed every check, as it was given and as it is used.
#[derive(Debug)]
pub(crate) struct Named {
    /// Of its block in a file; empty where there is one proxy, of flags.
    pub(crate) name: String,
    pub(crate) config: Config,
    pub(crate) plan: Plan,
}

impl Named {
    /// # Errors
    /// As [`Plan::new`].
    pub(crate) fn new(name: String, config: Config) -> Result<Self, ProxyError> {
        Ok(Self { name, plan: Plan::new(config.clone())?, config })
    }

    /// The identity, and how long to wait for it.
    pub(crate) fn wanted(&self) -> (Own, Duration) {
        (self.plan.own.clone(), self.plan.limits.workload_api_timeout)
    }
}
