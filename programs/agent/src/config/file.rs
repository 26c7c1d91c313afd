//! SPIRE's `agent.conf`: the keys that this version serves, and a refusal by name for every other.

use std::path::PathBuf;

use finial_attest::{PeerPidfd, UnixConfig};
use finial_daemon::hcl::{self, Block, HclError};
use finial_identity::TrustDomain;

use super::{BundleFormat, Config, KeysConfig, TrustBundle};

pub(super) fn read(text: &str, file: &str) -> Result<Config, HclError> {
    let mut top = hcl::parse(text, file)?;
    let agent = required_block(&mut top, "agent")?;
    let plugins = required_block(&mut top, "plugins")?;
    top.finish()?;
    let mut config = read_agent(agent)?;
    read_plugins(plugins, &mut config)?;
    Ok(config)
}

fn read_agent(mut agent: Block) -> Result<Config, HclError> {
    let trust_domain = agent.take::<String>("trust_domain")?;
    let trust_domain = required(&agent, "trust_domain", trust_domain)?;
    let trust_domain = TrustDomain::from_name_or_id(&trust_domain)
        .map_err(|error| agent.error_at("trust_domain", &format!("trust_domain: {error}")))?;
    let server_address = agent.take::<String>("server_address")?.filter(|address| !address.is_empty());
    let server_address = required(&agent, "server_address", server_address)?;
    let server_port = agent.take::<u16>("server_port")?;
    let server_port = required(&agent, "server_port", server_port)?;
    let data_dir = agent.take::<PathBuf>("data_dir")?.unwrap_or_else(|| PathBuf::from("."));
    let mut config = Config::new(trust_domain, server_address, server_port, data_dir);
    config.trust_bundle = read_trust_bundle(&mut agent)?;
    config.trust_bundle_format = read_bundle_format(&mut agent)?;
    read_join_token(&mut agent, &mut config)?;
    read_log(&mut agent, &mut config)?;
    if let Some(path) = agent.take("socket_path")? {
        config.socket_path = path;
    }
    if agent.take::<bool>("require_peer_pidfd")? == Some(true) {
        config.peer_pidfd = PeerPidfd::Required;
    }
    agent.finish()?;
    Ok(config)
}

fn read_trust_bundle(agent: &mut Block) -> Result<TrustBundle, HclError> {
    let path = agent.take::<PathBuf>("trust_bundle_path")?;
    if agent.take::<bool>("insecure_bootstrap")? == Some(true) {
        let problem = "insecure_bootstrap is not served by this version: give trust_bundle_path, \
                       a file written with `finial bundle show` on the server";
        return Err(agent.error_at("insecure_bootstrap", problem));
    }
    Ok(path.map_or(TrustBundle::NotGiven, TrustBundle::File))
}

fn read_bundle_format(agent: &mut Block) -> Result<BundleFormat, HclError> {
    match agent.take::<String>("trust_bundle_format")?.as_deref() {
        None | Some("pem") => Ok(BundleFormat::Pem),
        Some("spiffe") => Ok(BundleFormat::Spiffe),
        Some(other) => {
            let problem = format!("unknown bundle format `{other}`: use pem or spiffe");
            Err(agent.error_at("trust_bundle_format", &problem))
        }
    }
}

fn read_join_token(agent: &mut Block, config: &mut Config) -> Result<(), HclError> {
    config.join_token = agent.take::<String>("join_token")?.filter(|token| !token.is_empty());
    config.join_token_file = agent.take("join_token_file")?;
    if config.join_token.is_some() && config.join_token_file.is_some() {
        let problem = "join_token and join_token_file exclude each other: keep one";
        return Err(agent.error_at("join_token_file", problem));
    }
    Ok(())
}

fn read_log(agent: &mut Block, config: &mut Config) -> Result<(), HclError> {
    config.log_level = agent.take_parsed("log_level")?.unwrap_or_default();
    config.log_format = agent.take_parsed("log_format")?.unwrap_or_default();
    config.log_file = agent.take("log_file")?;
    Ok(())
}

fn read_plugins(mut plugins: Block, config: &mut Config) -> Result<(), HclError> {
    config.keys = read_key_manager(&mut plugins)?;
    read_node_attestor(&mut plugins)?;
    config.unix = Some(read_workload_attestor(&mut plugins)?);
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

fn read_node_attestor(plugins: &mut Block) -> Result<(), HclError> {
    only(plugins, "NodeAttestor", &["join_token"])?.settings.finish()
}

fn read_workload_attestor(plugins: &mut Block) -> Result<UnixConfig, HclError> {
    let mut settings = only(plugins, "WorkloadAttestor", &["unix"])?.settings;
    let unix = UnixConfig {
        discover_workload_path: settings.take("discover_workload_path")?.unwrap_or_default(),
        workload_size_limit: settings.take("workload_size_limit")?.unwrap_or_default(),
    };
    settings.finish()?;
    Ok(unix)
}

fn required_block(parent: &mut Block, key: &'static str) -> Result<Block, HclError> {
    let block = parent.take_block(key)?;
    block.ok_or_else(|| parent.error(&format!("there is no {key} {{ }} block: add one")))
}

fn required<T>(block: &Block, key: &str, value: Option<T>) -> Result<T, HclError> {
    value.ok_or_else(|| block.error(&format!("{key} is missing: add it to this block")))
}

/// A plugin that is built in, and its `plugin_data`.
struct Plugin {
    name: &'static str,
    settings: Block,
}

/// The one plugin of a kind, out of those that this version serves.
fn only(plugins: &mut Block, kind: &'static str, served: &[&'static str]) -> Result<Plugin, HclError> {
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
fn plugin_data(mut plugin: Block) -> Result<Block, HclError> {
    let data = plugin.take_block("plugin_data")?;
    plugin.clone().finish()?;
    Ok(data.unwrap_or(plugin))
}
