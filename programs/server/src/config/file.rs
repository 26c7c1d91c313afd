//! The configuration file: SPIRE's keys, as far as they are served.

mod authorities;
mod node_attestors;
mod watching;

use std::path::PathBuf;

use finial_daemon::hcl::{self, Block, HclError};
use finial_daemon::log;
use finial_identity::TrustDomain;

use super::{Config, KeysConfig, StoreConfig};

pub(super) fn read(text: &str, file: &str) -> Result<Config, HclError> {
    let mut top = hcl::parse(text, file)?;
    let server = required_block(&mut top, "server")?;
    let plugins = required_block(&mut top, "plugins")?;
    let watching = watching::take(&mut top)?;
    top.finish()?;
    let mut config = read_server(server)?;
    watching.set(&mut config);
    read_plugins(plugins, &mut config)?;
    Ok(config)
}

fn read_server(mut server: Block) -> Result<Config, HclError> {
    let trust_domain: TrustDomain = match server.take_parsed("trust_domain")? {
        Some(trust_domain) => trust_domain,
        None => return Err(server.error("server has no trust_domain: name one, such as \"example.org\"")),
    };
    let data_dir: PathBuf = match server.take("data_dir")? {
        Some(data_dir) => data_dir,
        None => return Err(server.error("server has no data_dir: name the folder for its files")),
    };
    let mut config = Config::new(trust_domain, &data_dir);
    set(&mut config.bind_address, server.take_parsed("bind_address")?);
    set(&mut config.bind_port, server.take("bind_port")?);
    set(&mut config.socket_path, server.take("socket_path")?);
    config.admin_ids = server.take_parsed_list("admin_ids")?;
    set(&mut config.log.level, server.take_parsed("log_level")?);
    set(&mut config.log.format, server.take_parsed("log_format")?);
    set(&mut config.log.output, server.take("log_file")?.map(log::Output::File));
    if let Some(mut limits) = server.take_block("ratelimit")? {
        set(&mut config.rate_limits.attestation, limits.take("attestation")?);
        set(&mut config.rate_limits.signing, limits.take("signing")?);
        limits.finish()?;
    }
    set(&mut config.audit_log, server.take("audit_log_enabled")?);
    authorities::read(&mut server, &mut config.issue)?;
    server.finish()?;
    Ok(config)
}

fn read_plugins(mut plugins: Block, config: &mut Config) -> Result<(), HclError> {
    let (mut data, at) = only_plugin(&mut plugins, "DataStore", &["sql"])?;
    config.store = read_store(&mut data)?;
    finish_plugin(data, at)?;

    let (mut data, at) = only_plugin(&mut plugins, "KeyManager", &["memory", "disk"])?;
    config.keys = match at.name.as_str() {
        "disk" => match data.take("keys_path")? {
            Some(path) => KeysConfig::Disk(path),
            None => {
                return Err(data.error("KeyManager \"disk\" has no keys_path: name the file for the keys"));
            }
        },
        _ => KeysConfig::Memory,
    };
    finish_plugin(data, at)?;

    config.node_attestors = node_attestors::read(&mut plugins)?;
    plugins.finish()
}

/// A plugin whose `plugin_data` is being read.
struct Plugin {
    name: String,
    block: Block,
}

/// Takes the one plugin of a kind of which a server has exactly one, and its `plugin_data`.
fn only_plugin(
    plugins: &mut Block,
    kind: &'static str,
    served: &[&str],
) -> Result<(Block, Plugin), HclError> {
    let mut labelled = plugins.take_labelled(kind)?;
    let Some((name, mut block)) = labelled.pop() else {
        return Err(plugins.error(&format!("plugins has no {kind}: add {kind} \"{}\"", served[0])));
    };
    if !labelled.is_empty() {
        return Err(block.error(&format!("a server has one {kind}: keep one of them")));
    }
    if !served.contains(&name.as_str()) {
        return Err(not_served(&block, kind, &name, served));
    }
    let data = match block.take_block("plugin_data")? {
        Some(data) => data,
        None => return Err(block.error(&format!("{kind} \"{name}\" has no plugin_data {{ }}"))),
    };
    Ok((data, Plugin { name, block }))
}

fn finish_plugin(data: Block, plugin: Plugin) -> Result<(), HclError> {
    data.finish()?;
    plugin.block.finish()
}

fn not_served(block: &Block, kind: &str, name: &str, served: &[&str]) -> HclError {
    let served = served.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(" or ");
    block.error(&format!("{kind} \"{name}\" is not served by this version: use {served}"))
}

fn read_store(data: &mut Block) -> Result<StoreConfig, HclError> {
    let database: Option<String> = data.take("database_type")?;
    match database.as_deref() {
        Some("sqlite3") => {}
        Some(other) => {
            let problem = format!("database_type \"{other}\" is not served by this version: use \"sqlite3\"");
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

fn required_block(top: &mut Block, key: &'static str) -> Result<Block, HclError> {
    match top.take_block(key)? {
        Some(block) => Ok(block),
        None => Err(top.error(&format!("there is no {key} {{ }} block"))),
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}
