//! The configuration file: SPIRE's keys, as far as they are served.

mod authorities;
mod experimental;
mod federation;
mod node_attestors;
mod node_pruning;
mod plugins;
mod watching;

use std::path::PathBuf;
use std::time::Duration;

use finial_daemon::hcl::{self, Block, HclError};
use finial_daemon::log;
use finial_identity::TrustDomain;

use super::Config;
use super::keys::SERVER;

pub(super) fn read(text: &str, file: &str) -> Result<Config, HclError> {
    let mut top = hcl::parse(text, file)?;
    let server = required_block(&mut top, "server")?;
    let plugins = required_block(&mut top, "plugins")?;
    let watching = watching::take(&mut top)?;
    top.finish()?;
    let mut config = read_server(server)?;
    watching.set(&mut config);
    plugins::read(plugins, &mut config)?;
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
    set(&mut config.socket_path, server.take_unless_empty("socket_path")?);
    config.admin_ids = server.take_parsed_list("admin_ids")?;
    set(&mut config.log.level, server.take_parsed("log_level")?);
    set(&mut config.log.format, server.take_parsed("log_format")?);
    set(&mut config.log.output, server.take_unless_empty("log_file")?.map(log::Output::File));
    set(&mut config.log.source_location, server.take("log_source_location")?);
    if let Some(mut limits) = server.take_block("ratelimit")? {
        set(&mut config.rate_limits.attestation, limits.take("attestation")?);
        set(&mut config.rate_limits.signing, limits.take("signing")?);
        limits.finish()?;
    }
    config.proxy_protocol_trusted_cidrs = server.take_parsed_list("proxy_protocol_trusted_cidrs")?;
    set(&mut config.audit_log, server.take("audit_log_enabled")?);
    authorities::read(&mut server, &mut config.issue)?;
    config.node_pruning = node_pruning::read(&mut server)?;
    server.peek::<Duration>("max_attested_node_info_staleness")?;
    experimental::read(&mut server, &mut config)?;
    config.warnings.extend(federation::read(&mut server)?);
    config.warnings.extend(server.take_unserved(SERVER, "server")?);
    server.finish()?;
    Ok(config)
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
