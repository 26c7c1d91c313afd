//! The keys of federation.

use finial_daemon::hcl::Key;

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
