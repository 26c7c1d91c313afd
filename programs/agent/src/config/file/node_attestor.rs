//! The `NodeAttestor` plugin: how the node proves what it is, unless it has a join token.

use std::path::PathBuf;

use finial_attest::X509PopFiles;
use finial_daemon::hcl::{Block, HclError, Plugin};
use finial_receive::Endpoint;

use super::plugins::at_most_one;
use super::required;
use crate::config::NodeAttestorConfig;

/// Without any, by a join token: that may come by a flag.
pub(super) fn read(plugins: &mut Block) -> Result<NodeAttestorConfig, HclError> {
    let served = ["join_token", "x509pop"];
    let Some(Plugin { name, mut settings, .. }) = at_most_one(plugins, "NodeAttestor", &served)? else {
        return Ok(NodeAttestorConfig::JoinToken);
    };
    let config = match name.as_str() {
        "x509pop" => read_x509pop(&mut settings)?,
        _ => NodeAttestorConfig::JoinToken,
    };
    settings.finish()?;
    Ok(config)
}

/// With a socket named, files do not count in SPIRE; here they are refused.
fn read_x509pop(settings: &mut Block) -> Result<NodeAttestorConfig, HclError> {
    if let Some(endpoint) = settings.take_parsed::<Endpoint>("spiffe_endpoint_socket")? {
        return Ok(NodeAttestorConfig::X509PopSpiffe(endpoint));
    }
    let private_key_path = settings.take::<PathBuf>("private_key_path")?;
    let certificate_path = settings.take::<PathBuf>("certificate_path")?;
    Ok(NodeAttestorConfig::X509Pop(X509PopFiles {
        private_key_path: required(settings, "private_key_path", private_key_path)?,
        certificate_path: required(settings, "certificate_path", certificate_path)?,
        intermediates_path: settings.take("intermediates_path")?,
    }))
}
