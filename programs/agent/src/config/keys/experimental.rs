//! The keys of `experimental`.

use finial_daemon::hcl::KeyState::{Differs, Never};
use finial_daemon::hcl::{Key, KeyState};

/// What the limits on calls have in common.
const ON: KeyState = Differs("on unless it is 0; SPIRE has no limit by default");

pub(in crate::config) const EXPERIMENTAL: &[Key] = &[
    Key::works("agent.experimental", ""),
    Key::new(
        "agent.experimental.admin_named_pipe_name",
        "",
        Never("it is for Windows, use admin_socket_path"),
    ),
    Key::not_yet("agent.experimental.broker", ""),
    Key::not_yet("agent.experimental.broker.bind_address", ""),
    Key::not_yet("agent.experimental.broker.brokers", ""),
    Key::not_yet("agent.experimental.broker.brokers.allowed_reference_types", ""),
    Key::not_yet("agent.experimental.broker.brokers.allowed_reference_types.allow_over_tcp", "false"),
    Key::not_yet("agent.experimental.broker.brokers.allowed_reference_types.type_url", ""),
    Key::not_yet("agent.experimental.broker.brokers.id", ""),
    Key::not_yet("agent.experimental.broker.socket_path", ""),
    Key::not_yet("agent.experimental.feature_flags", "[]"),
    Key::new("agent.experimental.jwt_svid_cache_hit_timeout", "5s", Differs("SPIRE's default is 30s")),
    Key::new("agent.experimental.named_pipe_name", "", Never("it is for Windows, use socket_path")),
    Key::works("agent.experimental.ratelimit", ""),
    Key::new("agent.experimental.ratelimit.fetch_jwt_bundles", "5000", ON),
    Key::new("agent.experimental.ratelimit.fetch_jwt_svid", "50000", ON),
    Key::new("agent.experimental.ratelimit.fetch_secrets", "5000", ON),
    Key::new("agent.experimental.ratelimit.fetch_x509_bundles", "5000", ON),
    Key::new("agent.experimental.ratelimit.fetch_x509_svid", "5000", ON),
    Key::new("agent.experimental.ratelimit.stream_secrets", "5000", ON),
    Key::new("agent.experimental.require_pq_kem", "false", Differs("without SecP384r1MLKEM1024")),
    Key::new("agent.experimental.sync_interval", "5s", Differs("for servers that do not push")),
    Key::not_yet("agent.experimental.use_sync_authorized_entries", "true"),
];
