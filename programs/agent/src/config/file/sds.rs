//! The keys of what the agent serves to Envoys.

use finial_daemon::hcl::{Block, HclError};
use finial_provide::SdsOptions;

use crate::config::Config;

pub(super) fn read(agent: &mut Block, config: &mut Config) -> Result<(), HclError> {
    let mut options = SdsOptions::default();
    if let Some(mut sds) = agent.take_block("sds")? {
        read_names(&mut sds, &mut options)?;
        options.disable_spiffe_cert_validation =
            sds.take("disable_spiffe_cert_validation")?.unwrap_or_default();
        sds.finish()?;
    }
    let is_disabled = agent.take::<bool>("disable_sds_api")?.unwrap_or_default();
    config.sds = (!is_disabled).then_some(options);
    Ok(())
}

/// An empty name is the default, as with SPIRE.
fn read_names(sds: &mut Block, options: &mut SdsOptions) -> Result<(), HclError> {
    for (key, name) in [
        ("default_svid_name", &mut options.default_svid_name),
        ("default_bundle_name", &mut options.default_bundle_name),
        ("default_all_bundles_name", &mut options.default_all_bundles_name),
    ] {
        if let Some(given) = sds.take::<String>(key)?.filter(|given| !given.is_empty()) {
            *name = given;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
