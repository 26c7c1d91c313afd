//! The `plugins` block: one key manager, one node attestor, and the workload attestors, each by name.

use std::path::PathBuf;

use finial_daemon::hcl::{Block, HclError};

use super::{node_attestor, required, workload_attestors};
use crate::config::{Config, KeysConfig};

pub(super) fn read(mut plugins: Block, config: &mut Config) -> Result<(), HclError> {
    config.keys = read_key_manager(&mut plugins)?;
    config.node_attestor = node_attestor::read(&mut plugins)?;
    workload_attestors::read(&mut plugins, config)?;
    plugins.finish()
}

fn read_key_manager(plugins: &mut Block) -> Result<KeysConfig, HclError> {
    let mut data = only(plugins, "KeyManager", &["disk", "memory"])?;
    let keys = match data.name {
        "memory" => KeysConfig::Memory,
        _ => {
            let directory = data.settings.take::<PathBuf>("directory")?;
            KeysConfig::Disk(required(&data.settings, "directory", directory)?)
        }
    };
    data.settings.finish()?;
    Ok(keys)
}

/// A plugin that is built in, and its `plugin_data`.
pub(super) struct Plugin {
    pub(super) name: &'static str,
    pub(super) settings: Block,
}

/// The one plugin of a kind, out of those that this version serves.
pub(super) fn only(
    plugins: &mut Block,
    kind: &'static str,
    served: &[&'static str],
) -> Result<Plugin, HclError> {
    let mut found = plugins.take_labelled(kind)?;
    let served_names = served.join(" or ");
    for (name, block) in &found {
        if !served.contains(&name.as_str()) {
            let problem = format!("{kind} \"{name}\" is not served by this version: use {served_names}");
            return Err(block.error(&problem));
        }
    }
    if let Some((_, second)) = found.get(1) {
        return Err(second.error(&format!("there is more than one {kind}: keep one")));
    }
    let missing = || plugins.error(&format!("there is no {kind}: add {kind} \"{}\" {{ }}", served[0]));
    let (label, block) = found.pop().ok_or_else(missing)?;
    let name = served.iter().copied().find(|name| *name == label).ok_or_else(missing)?;
    Ok(Plugin { name, settings: plugin_data(block)? })
}

/// The settings of a plugin; a plugin without any may leave out the block.
pub(super) fn plugin_data(mut plugin: Block) -> Result<Block, HclError> {
    let data = plugin.take_block("plugin_data")?;
    plugin.clone().finish()?;
    Ok(data.unwrap_or(plugin))
}
