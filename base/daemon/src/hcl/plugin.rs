//! The `plugins` block: kinds, names, and the settings of each plugin.

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use super::keys::{Key, KeyState};
use super::value::{Block, Data, HclError, Position};

/// A plugin that is enabled.
#[derive(Clone, Debug)]
pub struct Plugin {
    /// What it is for.
    pub kind: &'static str,
    /// Its name among those of its kind.
    pub name: String,
    /// Its `plugin_data`, from wherever it comes; empty when there is none.
    pub settings: Block,
    file: Arc<str>,
    at: Position,
}

/// What begins a plugin of another process.
const EXTERNAL: [&str; 3] = ["plugin_cmd", "plugin_args", "plugin_checksum"];

impl Block {
    /// Takes the plugins of a kind that are not switched off (`enabled = false`), in the order of the file. Reads the
    /// files that `plugin_data_file` names.
    ///
    /// # Errors
    /// When one appears twice, is of another process, has settings in two places, or has a key that no plugin has;
    /// when its file cannot be read.
    pub fn take_plugins(&mut self, kind: &'static str) -> Result<Vec<Plugin>, HclError> {
        let mut plugins = Vec::new();
        for (name, mut block) in self.take_labelled(kind)? {
            let (file, at) = (Arc::clone(&block.file), block.at);
            if block.take::<bool>("enabled")?.unwrap_or(true) {
                plugins.push(Plugin { kind, name, settings: settings(block)?, file, at });
            }
        }
        Ok(plugins)
    }
}

impl Plugin {
    /// An error that points at the plugin.
    pub fn error(&self, problem: &str) -> HclError {
        HclError::one(&self.file, self.at, problem)
    }

    /// Why a plugin cannot be used that is not one of `served`: `table` may know it, by `plugins.KIND.NAME`.
    pub fn unserved(&self, table: &[Key], served: &[&str]) -> HclError {
        let Self { kind, name, .. } = self;
        let path = format!("plugins.{kind}.{name}");
        let known = table.iter().find(|key| key.path == path).map(|key| key.state);
        let served = served.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(" or ");
        let remedy = if served.is_empty() { "remove it".to_owned() } else { format!("use {served}") };
        let problem = match known {
            Some(KeyState::Never(remedy)) => format!("{kind} \"{name}\" is not supported: {remedy}"),
            Some(_) => format!("{kind} \"{name}\" is not supported yet: {remedy}"),
            None => format!("{kind} \"{name}\" is unknown: {remedy}"),
        };
        self.error(&problem)
    }
}

fn settings(mut plugin: Block) -> Result<Block, HclError> {
    let name = format!("the plugin_data of {}", plugin.name);
    for key in EXTERNAL {
        let asks = |data: &Data| !matches!(data, Data::Text(text) if text.is_empty());
        if plugin.take_value(key)?.is_some_and(|value| asks(&value.data)) {
            let problem = format!("{key} is not supported yet: use a plugin that is built in");
            return Err(plugin.error_at(key, &problem));
        }
    }
    let given = plugin.take_block("plugin_data")?;
    let read = plugin.take::<PathBuf>("plugin_data_file")?;
    let settings = match (given, read) {
        (Some(_), Some(_)) => {
            let problem = "plugin_data and plugin_data_file exclude each other: keep one";
            return Err(plugin.error_at("plugin_data_file", problem));
        }
        (Some(given), None) => Block { name, ..given },
        (None, Some(path)) => {
            let path = path.display().to_string();
            let text = std::fs::read_to_string(&path).map_err(|error| {
                plugin
                    .error_at("plugin_data_file", &format!("plugin_data_file {path} cannot be read: {error}"))
            })?;
            super::parse(&text, &path)?
        }
        (None, None) => Block {
            file: Arc::clone(&plugin.file),
            name,
            at: plugin.at,
            fields: Vec::new(),
            known: Vec::new(),
        },
    };
    plugin.finish()?;
    Ok(settings)
}
