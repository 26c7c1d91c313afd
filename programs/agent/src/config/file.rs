//! SPIRE's `agent.conf`: the keys that this version serves, and a refusal by name for every other.

mod apis;
mod bootstrap;
mod delivery;
mod node_attestor;
mod plugins;
mod sds;
mod watching;
mod workload_attestors;

use std::path::PathBuf;

use finial_daemon::hcl::{self, Block, HclError};
use finial_daemon::log;
use finial_identity::TrustDomain;

use super::Config;
use super::keys::AGENT;

pub(super) fn read(text: &str, file: &str) -> Result<Config, HclError> {
    let mut top = hcl::parse(text, file)?;
    let agent = required_block(&mut top, "agent")?;
    let plugins = required_block(&mut top, "plugins")?;
    let watching = watching::take(&mut top)?;
    top.finish()?;
    let mut config = read_agent(agent)?;
    watching.set(&mut config);
    plugins::read(plugins, &mut config)?;
    Ok(config)
}

fn read_agent(mut agent: Block) -> Result<Config, HclError> {
    let trust_domain = agent.take::<String>("trust_domain")?;
    let trust_domain = required(&agent, "trust_domain", trust_domain)?;
    let trust_domain = TrustDomain::from_name_or_id(&trust_domain)
        .map_err(|error| agent.error_at("trust_domain", &format!("trust_domain: {error}")))?;
    let servers = bootstrap::servers(&mut agent)?;
    let data_dir = agent.take::<PathBuf>("data_dir")?.unwrap_or_else(|| PathBuf::from("."));
    let mut config = Config::with_servers(trust_domain, servers, data_dir);
    bootstrap::read(&mut agent, &mut config)?;
    apis::read(&mut agent, &mut config)?;
    delivery::read(&mut agent, &mut config)?;
    sds::read(&mut agent, &mut config)?;
    read_log(&mut agent, &mut config)?;
    config.warnings.extend(agent.take_unserved(AGENT, "agent")?);
    agent.finish()?;
    Ok(config)
}

fn read_log(agent: &mut Block, config: &mut Config) -> Result<(), HclError> {
    config.log = log::Settings {
        level: agent.take_parsed("log_level")?.unwrap_or_default(),
        format: agent.take_parsed("log_format")?.unwrap_or_default(),
        output: agent.take_unless_empty("log_file")?.map(log::Output::File).unwrap_or_default(),
        source_location: agent.take("log_source_location")?.unwrap_or_default(),
    };
    Ok(())
}

fn required_block(parent: &mut Block, key: &'static str) -> Result<Block, HclError> {
    let block = parent.take_block(key)?;
    block.ok_or_else(|| parent.error(&format!("there is no {key} {{ }} block: add one")))
}

fn required<T>(block: &Block, key: &str, value: Option<T>) -> Result<T, HclError> {
    value.ok_or_else(|| block.error(&format!("{key} is missing: add it to this block")))
}
