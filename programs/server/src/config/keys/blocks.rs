//! The keys of federation, telemetry and health checks.

use finial_daemon::hcl::Key;
use finial_daemon::hcl::KeyState::Differs;

pub(in crate::config) const FEDERATION: &[Key] = &[
    Key::works("server.federation", ""),
    Key::not_yet("server.federation.bundle_endpoint", ""),
    Key::not_yet("server.federation.bundle_endpoint.acme", ""),
    Key::not_yet("server.federation.bundle_endpoint.address", ""),
    Key::not_yet("server.federation.bundle_endpoint.port", ""),
    Key::not_yet("server.federation.bundle_endpoint.profile", ""),
    Key::not_yet("server.federation.bundle_endpoint.profile.https_spiffe", ""),
    Key::not_yet("server.federation.bundle_endpoint.profile.https_web", ""),
    Key::not_yet("server.federation.bundle_endpoint.profile.https_web.acme", ""),
    Key::not_yet("server.federation.bundle_endpoint.profile.https_web.acme.directory_url", LETS_ENCRYPT),
    Key::not_yet("server.federation.bundle_endpoint.profile.https_web.acme.domain_name", ""),
    Key::not_yet("server.federation.bundle_endpoint.profile.https_web.acme.email", ""),
    Key::not_yet("server.federation.bundle_endpoint.profile.https_web.acme.tos_accepted", "false"),
    Key::not_yet("server.federation.bundle_endpoint.profile.https_web.serving_cert_file", ""),
    Key::not_yet("server.federation.bundle_endpoint.profile.https_web.serving_cert_file.cert_file_path", ""),
    Key::not_yet(
        "server.federation.bundle_endpoint.profile.https_web.serving_cert_file.file_sync_interval",
        "1h",
    ),
    Key::not_yet("server.federation.bundle_endpoint.profile.https_web.serving_cert_file.key_file_path", ""),
    Key::not_yet("server.federation.bundle_endpoint.refresh_hint", "5m"),
    Key::not_yet("server.federation.federates_with", ""),
    Key::not_yet("server.federation.federates_with.bundle_endpoint_profile", ""),
    Key::not_yet("server.federation.federates_with.bundle_endpoint_profile.https_spiffe", ""),
    Key::not_yet(
        "server.federation.federates_with.bundle_endpoint_profile.https_spiffe.endpoint_spiffe_id",
        "",
    ),
    Key::not_yet("server.federation.federates_with.bundle_endpoint_profile.https_web", ""),
    Key::not_yet("server.federation.federates_with.bundle_endpoint_url", ""),
];

/// SPIRE's default.
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Beside `server` and `plugins`.
pub(super) const TOP: &[Key] = &[
    Key::works("health_checks", ""),
    Key::works("health_checks.bind_address", "localhost"),
    Key::works("health_checks.bind_port", "80"),
    Key::works("health_checks.listener_enabled", "false"),
    Key::works("health_checks.live_path", "/live"),
    Key::works("health_checks.ready_path", "/ready"),
    Key::works("telemetry", ""),
    Key::works("telemetry.AllowedLabels", "[]"),
    Key::works("telemetry.AllowedPrefixes", "[]"),
    Key::works("telemetry.BlockedLabels", "[]"),
    Key::works("telemetry.BlockedPrefixes", "[]"),
    Key::not_yet("telemetry.DogStatsd", ""),
    Key::not_yet("telemetry.DogStatsd.address", ""),
    Key::works("telemetry.EnableHostnameLabel", "true"),
    Key::works("telemetry.EnableTrustDomainLabel", "false"),
    Key::new("telemetry.InMem", "", Differs("it is dumped nowhere")),
    Key::not_yet("telemetry.M3", ""),
    Key::not_yet("telemetry.M3.address", ""),
    Key::not_yet("telemetry.M3.env", ""),
    Key::works("telemetry.MetricPrefix", "spire_server"),
    Key::works("telemetry.Prometheus", ""),
    Key::works("telemetry.Prometheus.host", "localhost"),
    Key::works("telemetry.Prometheus.port", ""),
    Key::works("telemetry.Prometheus.tls", ""),
    Key::works("telemetry.Prometheus.tls.authorized_spiffe_ids", "[]"),
    Key::works("telemetry.Prometheus.tls.cert_file", ""),
    Key::works("telemetry.Prometheus.tls.client_ca_file", ""),
    Key::works("telemetry.Prometheus.tls.key_file", ""),
    Key::works("telemetry.Prometheus.tls.use_spire_svid", "false"),
    Key::not_yet("telemetry.Statsd", ""),
    Key::not_yet("telemetry.Statsd.address", ""),
];
