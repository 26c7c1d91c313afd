//! The names an agent gives to what Envoys ask for, and what one Envoy wants otherwise.

use finial_wire::EnvoyNode;

use crate::agent::workload_api::limits::StreamLimits;
use crate::agent::workload_api::rates::RateLimits;

/// The first Envoy with a SPIFFE validator.
const FIRST_WITH_VALIDATOR: (u32, u32) = (1, 18);

/// What an administrator may choose about the Secret Discovery Service, under SPIRE's names where SPIRE has them. An
/// Envoy overrides all but the limits in the metadata of its node, under the same names.
#[derive(Debug, Clone)]
pub struct SdsOptions {
    /// The name of the caller's default identity. Default: `default`.
    pub default_svid_name: String,
    /// The name of the agent's own bundle. Default: `ROOTCA`.
    pub default_bundle_name: String,
    /// The name of all bundles in one. Default: `ALL`.
    pub default_all_bundles_name: String,
    /// Whether bundles are given to Envoy's own check of the chain, which looks at no SPIFFE ID, instead of to its SPIFFE
    /// validator. Default: no.
    pub disable_spiffe_cert_validation: bool,
    /// How many streams may be open, apart from those of the Workload API.
    pub streams: StreamLimits,
    /// How often Envoys may ask (SPIRE's `ratelimit`).
    pub rates: RateLimits,
}

impl Default for SdsOptions {
    fn default() -> Self {
        Self {
            default_svid_name: "default".to_owned(),
            default_bundle_name: "ROOTCA".to_owned(),
            default_all_bundles_name: "ALL".to_owned(),
            disable_spiffe_cert_validation: false,
            streams: StreamLimits::default(),
            rates: RateLimits::default(),
        }
    }
}

/// The options as they are for one Envoy.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) svid_name: String,
    pub(super) bundle_name: String,
    pub(super) all_bundles_name: String,
    pub(super) has_spiffe_validator: bool,
}

impl Settings {
    pub(super) fn of(options: &SdsOptions, node: &EnvoyNode) -> Self {
        let metadata = |name: &str| node.metadata.get(name).filter(|value| !value.is_empty());
        let name = |key, default: &String| metadata(key).unwrap_or(default).clone();
        let is_disabled = metadata("disable_spiffe_cert_validation").and_then(|value| truth(value));
        // An Envoy that does not tell its version is taken for a new one, as by SPIRE.
        let is_old = node.version.is_some_and(|version| version < FIRST_WITH_VALIDATOR);
        Self {
            svid_name: name("default_svid_name", &options.default_svid_name),
            bundle_name: name("default_bundle_name", &options.default_bundle_name),
            all_bundles_name: name("default_all_bundles_name", &options.default_all_bundles_name),
            has_spiffe_validator: !is_old && !is_disabled.unwrap_or(options.disable_spiffe_cert_validation),
        }
    }
}

/// The spellings that Go, and so SPIRE, takes for a truth value; others count for nothing.
fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "True" | "TRUE" => Some(true),
        "0" | "f" | "F" | "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
