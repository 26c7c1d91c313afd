//! The `plugins` block: one key manager, one node attestor, and the workload attestors, each by name.

use std::path::PathBuf;

use finial_daemon::hcl::{Block, HclError, Plugin};

use super::{node_attestor, required, workload_attestors};
use crate::config::keys::PLUGINS;
use crate::config::{Config, KeysConfig};

pub(super) fn read(mut plugins: Block, config: &mut Config) -> Result<(), HclError> {
    config.keys = read_key_manager(&mut plugins)?;
    config.node_attestor = node_attestor::read(&mut plugins)?;
    workload_attestors::read(&mut plugins, config)?;
    if let Some(store) = plugins.take_plugins("SVIDStore")?.first() {
        return Err(store.unserved(PLUGINS, &[]));
    }
    plugins.finish()
}

fn read_key_manager(plugins: &mut Block) -> Result<KeysConfig, HclError> {
    let served = ["disk", "memory"];
    let Some(Plugin { name, mut settings, .. }) = at_most_one(plugins, "KeyManager", &served)? else {
        return Err(plugins.error("there is no KeyManager: add KeyManager \"disk\" { }"));
    };
    let keys = match name.as_str() {
        "memory" => KeysConfig::Memory,
        _ => {
            let directory = settings.take::<PathBuf>("directory")?;
            KeysConfig::Disk(required(&settings, "directory", directory)?)
        }
    };
    settings.finish()?;
    Ok(keys)
}

/// The plugin of a kind, out of those that this version serves.
pub(super) fn at_most_one(
    plugins: &mut Block,
    kind: &'static str,
    served: &[&str],
) -> Result<Option<Plugin>, HclError> {
    let mut found = plugins.take_plugins(kind)?;
    if let Some(other) = found.iter().find(|plugin| !served.contains(&plugin.name.as_str())) {
        return Err(other.unserved(PLUGINS, served));
    }
    match found.get(1) {
        Some(second) => Err(second.error(&format!("there is more than one {kind}: keep one"))),
        None => Ok(found.pop()),
    }
}
