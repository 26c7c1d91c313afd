//! The `plugins` block: where state and keys are kept, and how agents attest.

use finial_daemon::hcl::{Block, HclError, Plugin};

use super::node_attestors;
use crate::config::keys::PLUGINS;
use crate::config::{Config, KeysConfig, StoreConfig};

/// The kinds of which no plugin is served.
const UNSERVED: [&str; 4] = ["UpstreamAuthority", "Notifier", "BundlePublisher", "CredentialComposer"];

pub(super) fn read(mut plugins: Block, config: &mut Config) -> Result<(), HclError> {
    let Plugin { mut settings, .. } = only(&mut plugins, "DataStore", &["sql"])?;
    config.store = read_store(&mut settings)?;
    finish(settings, "DataStore.sql", config)?;

    let Plugin { name, mut settings, .. } = only(&mut plugins, "KeyManager", &["memory", "disk"])?;
    config.keys = match name.as_str() {
        "disk" => match settings.take("keys_path")? {
            Some(path) => KeysConfig::Disk(path),
            None => {
                return Err(
                    settings.error("KeyManager \"disk\" has no keys_path: name the file for the keys")
                );
            }
        },
        _ => KeysConfig::Memory,
    };
    settings.finish()?;

    config.node_attestors = node_attestors::read(&mut plugins)?;
    for kind in UNSERVED {
        if let Some(plugin) = plugins.take_plugins(kind)?.first() {
            return Err(plugin.unserved(PLUGINS, &[]));
        }
    }
    plugins.finish()
}

/// The one plugin of a kind of which a server has exactly one.
fn only(plugins: &mut Block, kind: &'static str, served: &[&str]) -> Result<Plugin, HclError> {
    let mut found = plugins.take_plugins(kind)?;
    let Some(plugin) = found.pop() else {
        return Err(plugins.error(&format!("plugins has no {kind}: add {kind} \"{}\"", served[0])));
    };
    if !found.is_empty() {
        return Err(plugin.error(&format!("a server has one {kind}: keep one of them")));
    }
    if served.contains(&plugin.name.as_str()) { Ok(plugin) } else { Err(plugin.unserved(PLUGINS, served)) }
}

/// Refuses the settings that nobody has taken; those that have no effect are told.
fn finish(mut settings: Block, plugin: &str, config: &mut Config) -> Result<(), HclError> {
    config.warnings.extend(settings.take_unserved(PLUGINS, &format!("plugins.{plugin}"))?);
    settings.finish()
}

fn read_store(data: &mut Block) -> Result<StoreConfig, HclError> {
    // A block in SPIRE's files, where a cloud gives the password: database_type "aws_postgres" { }.
    if data.peek::<Block>("database_type").is_ok_and(|block| block.is_some()) {
        let problem = "database_type with a block is not supported yet: use \"sqlite3\"";
        return Err(data.error_at("database_type", problem));
    }
    let database: Option<String> = data.take("database_type")?;
    match database.as_deref() {
        Some("sqlite3") => {}
        Some(other) => {
            let problem = format!("database_type \"{other}\" is not supported yet: use \"sqlite3\"");
            return Err(data.error_at("database_type", &problem));
        }
        None => return Err(data.error("DataStore \"sql\" has no database_type: set \"sqlite3\"")),
    }
    let connection: Option<String> = data.take("connection_string")?;
    match connection.as_deref() {
        Some(":memory:") => Ok(StoreConfig::Memory),
        Some(uri) if uri.starts_with("file:") || uri.contains('?') => Err(data.error_at(
            "connection_string",
            "connection_string must be the path of a file, without parameters",
        )),
        Some(path) if !path.is_empty() => Ok(StoreConfig::Sqlite(path.into())),
        _ => Err(data.error("DataStore \"sql\" has no connection_string: name the database file")),
    }
}
