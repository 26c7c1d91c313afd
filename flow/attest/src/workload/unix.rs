//! The `unix` attestor: user, group, and on request the program, of a process.

mod digest;
mod names;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use finial_daemon::Clock;
use finial_identity::Selector;

use self::digest::Digests;
use self::names::Names;
use super::WorkloadAttestor;
use crate::process::stat::Ids;
use crate::{AttestError, PinnedProcess};

/// The settings of the `unix` attestor, under SPIRE's names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnixConfig {
    /// Add the selectors `unix:path` and `unix:sha256`. Default: false.
    pub discover_workload_path: bool,
    /// The largest executable, in bytes, that a digest is made of; a larger one fails attestation. 0 means no limit, a
    /// negative number no digest. Default: 0.
    pub workload_size_limit: i64,
}

/// Attests by what the kernel knows about any process.
///
/// Selectors, all ids effective: `unix:uid:1000`, `unix:user:alice`, `unix:gid:1000`, `unix:group:staff`,
/// `unix:supplementary_gid:4`, `unix:supplementary_group:adm`, and with
/// [`discover_workload_path`](UnixConfig::discover_workload_path) `unix:path:/usr/bin/app` and `unix:sha256:<hex>`.
/// An id without a name gives no selector by name.
#[derive(Debug)]
pub struct UnixAttestor {
    config: UnixConfig,
    names: Names,
    digests: Digests,
}

impl UnixAttestor {
    /// An attestor with these settings.
    pub fn new(config: UnixConfig, clock: Clock) -> Self {
        Self { config, names: Names::new(clock.clone()), digests: Digests::new(clock) }
    }

    async fn by_ids(&self, ids: &Ids, found: &mut Found) -> Result<(), AttestError> {
        found.add("uid", ids.uid);
        found.add_some("user", self.names.user(ids.uid).await?);
        found.add("gid", ids.gid);
        found.add_some("group", self.names.group(ids.gid).await?);
        for &gid in &ids.groups {
            found.add("supplementary_gid", gid);
            found.add_some("supplementary_group", self.names.group(gid).await?);
        }
        Ok(())
    }

    async fn by_program(&self, process: &PinnedProcess, found: &mut Found) -> Result<(), AttestError> {
        let executable = process.executable()?;
        let path = executable
            .path()?
            .into_os_string()
            .into_string()
            .map_err(|_| AttestError::PathNotUtf8 { pid: process.pid() })?;
        found.add("path", path);
        if let Ok(limit) = u64::try_from(self.config.workload_size_limit) {
            let limit = if limit == 0 { u64::MAX } else { limit };
            found.add("sha256", self.digests.sha256(executable, limit).await?);
        }
        Ok(())
    }
}

#[async_trait]
impl WorkloadAttestor for UnixAttestor {
    fn kind(&self) -> &str {
        KIND
    }

    async fn attest(&self, process: &PinnedProcess) -> Result<Vec<Selector>, AttestError> {
        let mut found = Found::default();
        self.by_ids(&process.ids()?, &mut found).await?;
        if self.config.discover_workload_path {
            self.by_program(process, &mut found).await?;
        }
        Ok(found.0)
    }
}

/// The selectors found so far.
#[derive(Default)]
struct Found(Vec<Selector>);

impl Found {
    fn add(&mut self, name: &str, value: impl std::fmt::Display) {
        // Has a type and, with the name, a value: never refused.
        self.0.extend(Selector::new(KIND, format!("{name}:{value}")));
    }

    fn add_some(&mut self, name: &str, value: Option<impl std::fmt::Display>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }
}

const KIND: &str = "unix";
