//! The `NodeAttestor` plugins: how agents may prove what node they are on, each way by name.

use std::path::PathBuf;

use finial_attest::{X509PopConfig, X509PopMode};
use finial_daemon::hcl::{Block, HclError};

use super::set;
use crate::config::NodeAttestorsConfig;
use crate::config::keys::PLUGINS;

/// Those that are named; when none is, the join token.
pub(super) fn read(plugins: &mut Block) -> Result<NodeAttestorsConfig, HclError> {
    let found = plugins.take_plugins("NodeAttestor")?;
    let mut config = NodeAttestorsConfig { join_token: found.is_empty(), x509pop: None };
    for plugin in found {
        match plugin.name.as_str() {
            "join_token" => {
                config.join_token = true;
                plugin.settings.finish()?;
            }
            "x509pop" => config.x509pop = Some(read_x509pop(plugin.settings)?),
            _ => return Err(plugin.unserved(PLUGINS, &["join_token", "x509pop"])),
        }
    }
    Ok(config)
}

fn read_x509pop(mut data: Block) -> Result<X509PopConfig, HclError> {
    let mode: Option<String> = data.take("mode")?;
    let mode = match mode.as_deref() {
        None | Some("external_pki") => read_external_pki(&mut data)?,
        Some("spiffe") => read_spiffe(&mut data)?,
        Some(other) => {
            let problem = format!("mode \"{other}\" is unknown: use \"external_pki\" or \"spiffe\"");
            return Err(data.error_at("mode", &problem));
        }
    };
    let mut config = X509PopConfig::new(mode);
    config.agent_path_template = data.take_parsed("agent_path_template")?;
    set(&mut config.max_intermediates, data.take("max_intermediates")?);
    set(&mut config.max_rsa_key_size, data.take("max_rsa_key_size")?);
    set(&mut config.verify_client_ip, data.take("verify_client_ip")?);
    data.finish()?;
    Ok(config)
}

fn read_external_pki(data: &mut Block) -> Result<X509PopMode, HclError> {
    let one: Option<PathBuf> = data.take("ca_bundle_path")?;
    let several: Option<Vec<PathBuf>> = data.take("ca_bundle_paths")?;
    if one.is_some() && several.is_some() {
        let problem = "ca_bundle_path and ca_bundle_paths exclude each other: keep one";
        return Err(data.error_at("ca_bundle_paths", problem));
    }
    let ca_bundle_paths: Vec<PathBuf> = one.into_iter().chain(several.into_iter().flatten()).collect();
    if ca_bundle_paths.is_empty() {
        return Err(
            data.error("x509pop has no ca_bundle_path: name a file with the authorities of the certificates")
        );
    }
    Ok(X509PopMode::ExternalPki { ca_bundle_paths })
}

/// The prefix is `svid_prefix` in SPIRE's documentation and `spiffe_prefix` in SPIRE.
fn read_spiffe(data: &mut Block) -> Result<X509PopMode, HclError> {
    let documented: Option<String> = data.take("svid_prefix")?;
    let actual: Option<String> = data.take("spiffe_prefix")?;
    if documented.is_some() && actual.is_some() {
        let problem = "svid_prefix and spiffe_prefix are the same setting: keep one";
        return Err(data.error_at("spiffe_prefix", problem));
    }
    let key = if actual.is_some() { "spiffe_prefix" } else { "svid_prefix" };
    let svid_prefix = documented.or(actual).unwrap_or_else(|| X509PopMode::SVID_PREFIX.to_owned());
    if !svid_prefix.is_empty() && !svid_prefix.starts_with('/') {
        return Err(data.error_at(key, &format!("{key} must begin with a slash, as every path does")));
    }
    Ok(X509PopMode::Spiffe { svid_prefix })
}
