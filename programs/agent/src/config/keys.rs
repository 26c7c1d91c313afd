//! Every key of a SPIRE agent's configuration, and what becomes of it here.

mod experimental;
mod plugins;
#[cfg(test)]
mod tests;

use finial_daemon::hcl::Key;
use finial_daemon::hcl::KeyState::{Differs, NoEffect, NotYet, Ours};
use finial_daemon::{health, telemetry};

pub(super) use experimental::EXPERIMENTAL;
pub(super) use plugins::PLUGINS;

/// All of them, block by block; SPIRE's names, as of version 1.15, and ours.
pub fn keys() -> impl Iterator<Item = &'static Key> {
    [AGENT, EXPERIMENTAL, health::KEYS, TELEMETRY, PLUGINS].into_iter().flatten()
}

const TELEMETRY: &[Key] = &telemetry::keys("spire_agent");

/// Why the settings of the profiler do nothing by themselves.
const PROFILER: &str = "there is no profiler: use perf";

/// Beside these, `experimental`.
pub(super) const AGENT: &[Key] = &[
    Key::works("agent.admin_socket_path", ""),
    Key::works("agent.allow_unauthenticated_verifiers", "false"),
    Key::works("agent.allowed_foreign_jwt_claims", "[]"),
    Key::works("agent.authorized_delegates", "[]"),
    Key::new("agent.availability_target", "", Differs("not for the agent's own SVID")),
    Key::works("agent.data_dir", "."),
    Key::works("agent.disable_sds_api", "false"),
    Key::works("agent.disable_workload_api", "false"),
    Key::works("agent.insecure_bootstrap", "false"),
    Key::works("agent.join_token", ""),
    Key::works("agent.join_token_file", ""),
    Key::works("agent.jwt_svid_cache_max_size", "1000"),
    Key::works("agent.log_file", ""),
    Key::works("agent.log_format", "text"),
    Key::works("agent.log_level", "INFO"),
    Key::not_yet("agent.log_selectors", "[]"),
    Key::works("agent.log_source_location", "false"),
    Key::new("agent.profiling_enabled", "false", NotYet("remove it, and use perf")),
    Key::new("agent.profiling_freq", "", NoEffect(PROFILER)),
    Key::new("agent.profiling_names", "[]", NoEffect(PROFILER)),
    Key::new("agent.profiling_port", "", NoEffect(PROFILER)),
    Key::works("agent.rebootstrap_delay", "10m"),
    Key::works("agent.rebootstrap_mode", "never"),
    Key::new("agent.require_peer_pidfd", "false", Ours("refuses callers that the kernel cannot pin")),
    Key::works("agent.sds", ""),
    Key::works("agent.sds.default_all_bundles_name", "ALL"),
    Key::works("agent.sds.default_bundle_name", "ROOTCA"),
    Key::works("agent.sds.default_svid_name", "default"),
    Key::works("agent.sds.disable_spiffe_cert_validation", "false"),
    Key::new("agent.server_address", "", Differs("several, with commas, too")),
    Key::works("agent.server_port", ""),
    Key::new("agent.server_srv", "", Ours("the name of SRV records of the servers")),
    Key::works("agent.socket_path", "/tmp/spire-agent/public/api.sock"),
    Key::works("agent.trust_bundle_format", "pem"),
    Key::works("agent.trust_bundle_path", ""),
    Key::works("agent.trust_bundle_spiffe_workload_api", ""),
    Key::works("agent.trust_bundle_unix_socket", ""),
    Key::works("agent.trust_bundle_url", ""),
    Key::works("agent.trust_domain", ""),
    Key::works("agent.workload_x509_svid_key_type", "ec-p256"),
    Key::works("agent.x509_svid_cache_max_size", "1000"),
];
