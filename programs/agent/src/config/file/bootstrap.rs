//! The keys of the first contact: where the server is, what it is verified against, and the token to join with.

use std::path::PathBuf;

use finial_daemon::hcl::{Block, HclError};

use super::required;
use crate::config::{BundleFormat, Config, TrustBundle};

/// Where the server is: host and port.
pub(super) fn server(agent: &mut Block) -> Result<(String, u16), HclError> {
    let address = agent.take::<String>("server_address")?.filter(|address| !address.is_empty());
    let address = required(agent, "server_address", address)?;
    let port = agent.take::<u16>("server_port")?;
    Ok((address, required(agent, "server_port", port)?))
}

pub(super) fn read(agent: &mut Block, config: &mut Config) -> Result<(), HclError> {
    config.trust_bundle = read_trust_bundle(agent)?;
    config.trust_bundle_format = read_bundle_format(agent)?;
    read_join_token(agent, config)
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
