//! The keys of the first contact: where the server is, what it is verified against, and the token to join with.

use std::path::PathBuf;
use std::time::Duration;

use finial_daemon::hcl::{Block, HclError};
use finial_receive::Endpoint;

use super::required;
use crate::config::{BundleUrl, Config, RebootstrapMode, Servers, TrustBundle};

/// Where the servers are.
pub(super) fn servers(agent: &mut Block) -> Result<Servers, HclError> {
    let address = text(agent, "server_address")?;
    let srv = text(agent, "server_srv")?;
    let port = agent.take::<u16>("server_port")?;
    let Some(name) = srv else {
        let address = required(agent, "server_address", address)?;
        let servers = Servers::parse(&address, port);
        return servers.map_err(|error| agent.error_at("server_address", &error.to_string()));
    };
    if address.is_some() {
        let problem = "server_address and server_srv exclude each other: keep one";
        return Err(agent.error_at("server_srv", problem));
    }
    if port.is_some() {
        let problem = "server_port does not go with server_srv, whose records name the ports: remove it";
        return Err(agent.error_at("server_port", problem));
    }
    Ok(Servers::Srv(name))
}

pub(super) fn read(agent: &mut Block, config: &mut Config) -> Result<(), HclError> {
    config.trust_bundle = read_trust_bundle(agent)?;
    config.trust_bundle_format = agent.take_parsed("trust_bundle_format")?.unwrap_or_default();
    read_rebootstrap(agent, config)?;
    read_join_token(agent, config)
}

fn read_trust_bundle(agent: &mut Block) -> Result<TrustBundle, HclError> {
    let path = agent
        .take_unless_empty::<PathBuf>("trust_bundle_path")?
        .map(|path| ("trust_bundle_path", TrustBundle::File(path)));
    let url = read_url(agent)?.map(|url| ("trust_bundle_url", TrustBundle::Url(url)));
    let api = read_workload_api(agent)?
        .map(|api| ("trust_bundle_spiffe_workload_api", TrustBundle::WorkloadApi(api)));
    let insecure = agent.take::<bool>("insecure_bootstrap")? == Some(true);
    let insecure = insecure.then_some(("insecure_bootstrap", TrustBundle::Insecure));
    let mut given = [path, url, api, insecure].into_iter().flatten();
    let first = given.next();
    if let (Some((one, _)), Some((other, _))) = (&first, given.next()) {
        let problem = format!(
            "only one of insecure_bootstrap, trust_bundle_url, trust_bundle_path or trust_bundle_spiffe_workload_api \
             can be specified: keep {one} or {other}"
        );
        return Err(agent.error_at(other, &problem));
    }
    Ok(first.map_or(TrustBundle::NotGiven, |(_, source)| source))
}

fn read_url(agent: &mut Block) -> Result<Option<BundleUrl>, HclError> {
    let url = text(agent, "trust_bundle_url")?;
    let socket = agent.take_unless_empty::<PathBuf>("trust_bundle_unix_socket")?;
    match url {
        Some(url) => {
            let parsed = BundleUrl::parse(&url, socket);
            parsed.map(Some).map_err(|error| agent.error_at("trust_bundle_url", &error.to_string()))
        }
        None if socket.is_some() => {
            let problem = "if trust_bundle_unix_socket is specified, so must be trust_bundle_url";
            Err(agent.error_at("trust_bundle_unix_socket", problem))
        }
        None => Ok(None),
    }
}

/// The address of a Workload API, or the path of its socket alone.
fn read_workload_api(agent: &mut Block) -> Result<Option<Endpoint>, HclError> {
    const KEY: &str = "trust_bundle_spiffe_workload_api";
    match text(agent, KEY)? {
        None => Ok(None),
        Some(path) if path.starts_with('/') => Ok(Some(Endpoint::Unix(path.into()))),
        Some(address) => {
            let parsed = Endpoint::parse(&address);
            parsed.map(Some).map_err(|error| agent.error_at(KEY, &error.to_string()))
        }
    }
}

fn read_rebootstrap(agent: &mut Block, config: &mut Config) -> Result<(), HclError> {
    config.rebootstrap_mode = agent.take_parsed("rebootstrap_mode")?.unwrap_or_default();
    if let Some(delay) = agent.take::<Duration>("rebootstrap_delay")? {
        config.rebootstrap_delay = delay;
    }
    if config.rebootstrap_mode == RebootstrapMode::Never {
        return Ok(());
    }
    config.rebootstrap_source().map_err(|error| agent.error_at("rebootstrap_mode", &error.to_string()))
}

fn read_join_token(agent: &mut Block, config: &mut Config) -> Result<(), HclError> {
    config.join_token = text(agent, "join_token")?;
    config.join_token_file = agent.take_unless_empty("join_token_file")?;
    if config.join_token.is_some() && config.join_token_file.is_some() {
        let problem = "join_token and join_token_file exclude each other: keep one";
        return Err(agent.error_at("join_token_file", problem));
    }
    Ok(())
}

/// An empty text counts as absent, as in SPIRE.
fn text(agent: &mut Block, key: &'static str) -> Result<Option<String>, HclError> {
    Ok(agent.take::<String>(key)?.filter(|text| !text.is_empty()))
}
