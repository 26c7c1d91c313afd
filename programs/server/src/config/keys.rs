//! Every key of a SPIRE server's configuration, and what becomes of it here.

mod federation;
mod plugins;
#[cfg(test)]
mod tests;

use finial_daemon::hcl::Key;
use finial_daemon::hcl::KeyState::{Differs, Never, NoEffect, NotYet};
use finial_daemon::{health, telemetry};

pub(super) use federation::FEDERATION;
pub(super) use plugins::PLUGINS;

/// All of them, block by block; SPIRE's names, as of version 1.15.
pub fn keys() -> impl Iterator<Item = &'static Key> {
    [SERVER, EXPERIMENTAL, FEDERATION, health::KEYS, TELEMETRY, PLUGINS].into_iter().flatten()
}

const TELEMETRY: &[Key] = &telemetry::keys("spire_server");

/// Why the settings of SPIRE's caches do nothing.
const CURRENT: &str = "the index follows each write at once";
/// Why the settings of the profiler do nothing by themselves.
const PROFILER: &str = "there is no profiler: use perf";

/// Beside these, `experimental` and `federation`.
pub(super) const SERVER: &[Key] = &[
    Key::works("server.admin_ids", "[]"),
    Key::works("server.agent_ttl", ""),
    Key::works("server.audit_log_enabled", "false"),
    Key::new("server.bind_address", "0.0.0.0", Differs("an IP address, no host name")),
    Key::works("server.bind_port", "8081"),
    Key::works("server.ca_key_type", "ec-p256"),
    Key::works("server.ca_subject", ""),
    Key::works("server.ca_subject.common_name", ""),
    Key::works("server.ca_subject.country", "[\"US\"]"),
    Key::works("server.ca_subject.organization", "[\"SPIFFE\"]"),
    Key::works("server.ca_ttl", "24h"),
    Key::works("server.data_dir", ""),
    Key::works("server.default_jwt_svid_ttl", "5m"),
    Key::works("server.default_x509_svid_ttl", "1h"),
    Key::not_yet("server.disable_jwt_svids", "false"),
    Key::works("server.jwt_issuer", ""),
    Key::works("server.jwt_key_type", ""),
    Key::works("server.log_file", ""),
    Key::works("server.log_format", "text"),
    Key::works("server.log_level", "INFO"),
    Key::works("server.log_source_location", "false"),
    Key::new("server.max_attested_node_info_staleness", "0s", NoEffect(CURRENT)),
    Key::new("server.profiling_enabled", "false", NotYet("remove it, and use perf")),
    Key::new("server.profiling_freq", "", NoEffect(PROFILER)),
    Key::new("server.profiling_names", "[]", NoEffect(PROFILER)),
    Key::new("server.profiling_port", "", NoEffect(PROFILER)),
    Key::works("server.proxy_protocol_trusted_cidrs", "[]"),
    Key::works("server.prune_attested_nodes_batch_size", "1000"),
    Key::works("server.prune_attested_nodes_expired_for", ""),
    Key::works("server.prune_tofu_nodes", "false"),
    Key::works("server.ratelimit", ""),
    Key::new("server.ratelimit.attestation", "true", Differs("ten at once after a pause")),
    Key::works("server.ratelimit.signing", "true"),
    Key::works("server.socket_path", "/tmp/spire-server/private/api.sock"),
    Key::works("server.trust_domain", ""),
];

pub(super) const EXPERIMENTAL: &[Key] = &[
    Key::works("server.experimental", ""),
    Key::new(
        "server.experimental.agent_spiffe_id_as_selector",
        "false",
        NoEffect("every agent has this selector"),
    ),
    Key::not_yet("server.experimental.auth_opa_policy_engine", ""),
    Key::not_yet("server.experimental.auth_opa_policy_engine.local", ""),
    Key::not_yet("server.experimental.auth_opa_policy_engine.local.policy_data_path", ""),
    Key::not_yet("server.experimental.auth_opa_policy_engine.local.rego_path", ""),
    Key::new("server.experimental.cache_reload_interval", "5s", NoEffect(CURRENT)),
    Key::new("server.experimental.event_timeout", "15m", NoEffect(CURRENT)),
    Key::new("server.experimental.events_based_cache", "false", NoEffect(CURRENT)),
    Key::not_yet("server.experimental.feature_flags", "[]"),
    Key::new("server.experimental.full_cache_reload_interval", "24h", NoEffect(CURRENT)),
    Key::new("server.experimental.named_pipe_name", "", Never("it is for Windows, use socket_path")),
    Key::new("server.experimental.prune_events_older_than", "12h", NoEffect("the store keeps what it needs")),
    Key::new("server.experimental.require_pq_kem", "false", Differs("without SecP384r1MLKEM1024")),
    Key::new("server.experimental.sql_transaction_timeout", "15m", NoEffect(CURRENT)),
    Key::not_yet("server.experimental.wit_issuer", ""),
    Key::not_yet("server.experimental.wit_key_type", ""),
];
