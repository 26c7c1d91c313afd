//! The rules on a configuration, each broken once.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::error::Error;
use std::time::Duration;

use finial_receive::Endpoint;

use super::{AccessFlags, ClientConfig, Config, CredentialFlags, PeerFlags, Plan, ServerConfig, StatusFlags};
use crate::ProxyProtocol;

fn agent() -> CredentialFlags {
    CredentialFlags::workload_api(Endpoint::parse("unix:///run/agent.sock").unwrap())
}

fn server() -> ServerConfig {
    ServerConfig {
        allow: AccessFlags::uri("spiffe://example.org/a"),
        ..ServerConfig::new("0.0.0.0:1", "localhost:2", agent())
    }
}

fn client() -> ClientConfig {
    ClientConfig {
        verify: AccessFlags::uri("spiffe://example.org/b"),
        ..ClientConfig::new("localhost:1", "b.test:2", agent())
    }
}

fn files(text: &str) -> CredentialFlags {
    let mut flags = CredentialFlags::default();
    for word in text.split_whitespace() {
        match word {
            "agent" => flags.workload_api = agent().workload_api,
            "keystore" => flags.keystore = Some("/keystore.pem".into()),
            "cert" => flags.certificate = Some("/cert.pem".into()),
            "key" => flags.key = Some("/key.pem".into()),
            "ca" => flags.authorities = Some("/ca.pem".into()),
            other => panic!("{other}"),
        }
    }
    flags
}

fn refusal(config: impl Into<Config>) -> String {
    Plan::new(config.into()).unwrap_err().to_string()
}

const NO_SERVER: &str = "at least one of --keystore, --cert/--key, --auto-acme-cert, or --keychain-identity/issuer (if supported) flags is required";
const MANY_SERVER: &str =
    "--keystore, --cert/--key, --auto-acme-cert, and --keychain-identity/issuer flags are mutually exclusive";
const NO_CLIENT: &str = "at least one of --keystore, --cert/--key, --keychain-identity/issuer (if supported), --use-workload-api or --disable-authentication flags is required";
const MANY_CLIENT: &str = "--keystore, --cert/--key, --keychain-identity/issuer, --use-workload-api and --disable-authentication flags are mutually exclusive";
const HALF: &str = "--cert/--key must be set together, unless using PKCS11 for private key";
const AGENTS: &str =
    "--cacert and --use-workload-api are mutually exclusive: the agent gives the authorities";

#[test]
fn a_server_has_exactly_one_identity() {
    for (given, says) in [
        ("", Some(NO_SERVER)),
        ("ca", Some(NO_SERVER)),
        ("agent keystore", Some(MANY_SERVER)),
        ("keystore cert key", Some(MANY_SERVER)),
        ("keystore cert", Some(HALF)),
        ("agent key", Some(HALF)),
        ("agent cert key", Some(MANY_SERVER)),
        ("cert", Some(NO_SERVER)),
        ("key", Some(NO_SERVER)),
        ("agent ca", Some(AGENTS)),
        ("agent", None),
        ("keystore", None),
        ("cert key", None),
        ("cert key ca", None),
    ] {
        let config = ServerConfig { credentials: files(given), ..server() };
        let refused = Plan::new(config.into()).err().map(|error| error.to_string());
        assert_eq!(refused.as_deref(), says, "{given}");
    }
}

#[test]
fn a_client_has_one_identity_or_says_that_it_has_none() {
    for (given, anonymous, says) in [
        ("", false, Some(NO_CLIENT)),
        ("ca", false, Some(NO_CLIENT)),
        ("agent keystore", false, Some(MANY_CLIENT)),
        ("keystore cert key", false, Some(MANY_CLIENT)),
        ("keystore", true, Some(MANY_CLIENT)),
        ("cert key", true, Some(MANY_CLIENT)),
        ("cert", false, Some(NO_CLIENT)),
        ("keystore key", false, Some(HALF)),
        ("cert", true, Some(HALF)),
        ("agent", false, None),
        ("agent", true, None),
        ("", true, None),
        ("ca", true, None),
        ("keystore", false, None),
        ("cert key ca", false, None),
    ] {
        let config =
            ClientConfig { credentials: files(given), disable_authentication: anonymous, ..client() };
        let refused = Plan::new(config.into()).err().map(|error| error.to_string());
        assert_eq!(refused.as_deref(), says, "{given} {anonymous}");
    }
}

#[test]
fn a_server_says_whom_it_permits() {
    let one = AccessFlags { common_names: vec!["web".to_owned()], ..AccessFlags::default() };
    let all = AccessFlags { all: true, ..AccessFlags::default() };
    let both = AccessFlags { all: true, ..one.clone() };
    for (allow, open, says) in [
        (
            AccessFlags::default(),
            false,
            Some(
                "at least one access control flag (--allow-{all,cn,ou,dns,uri,spki-pin}, or OPA flags, or --disable-authentication) is required",
            ),
        ),
        (both, false, Some("--allow-all is mutually exclusive with other access control flags")),
        (
            one.clone(),
            true,
            Some("--disable-authentication is mutually exclusive with other access control flags"),
        ),
        (
            all.clone(),
            true,
            Some("--disable-authentication is mutually exclusive with other access control flags"),
        ),
        (one, false, None),
        (all, false, None),
        (AccessFlags::default(), true, None),
    ] {
        let config = ServerConfig { allow, disable_authentication: open, ..server() };
        let refused = Plan::new(config.into()).err().map(|error| error.to_string());
        assert_eq!(refused.as_deref(), says);
    }
}

const PIN: &str = "sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

fn pinned() -> AccessFlags {
    AccessFlags { pins: vec![PIN.to_owned()], ..AccessFlags::default() }
}

#[test]
fn a_pin_of_a_server_goes_with_no_other_rule() {
    let names = AccessFlags { common_names: vec!["web".to_owned()], ..pinned() };
    let bad = AccessFlags { pins: vec!["sha256:?".to_owned()], ..AccessFlags::default() };
    for (allow, open, given, says) in [
        (
            names,
            false,
            "keystore",
            Some("--allow-spki-pin is mutually exclusive with other access control flags"),
        ),
        (
            AccessFlags { all: true, ..pinned() },
            false,
            "keystore",
            Some("--allow-all is mutually exclusive with other access control flags"),
        ),
        (
            pinned(),
            true,
            "keystore",
            Some("--disable-authentication is mutually exclusive with other access control flags"),
        ),
        (pinned(), false, "agent", Some("--allow-spki-pin is mutually exclusive with --use-workload-api")),
        (bad, false, "keystore", Some("invalid pin \"sha256:?\": base64 decode failed")),
        (pinned(), false, "keystore", None),
        (pinned(), false, "cert key ca", None),
    ] {
        let config =
            ServerConfig { allow, disable_authentication: open, credentials: files(given), ..server() };
        let refused = Plan::new(config.into()).err().map(|error| error.to_string());
        assert_eq!(refused.as_deref(), says);
    }
}

#[test]
fn a_pin_of_a_client_goes_with_no_other_rule_and_needs_no_name() {
    let others = Some("--verify-spki-pin is mutually exclusive with other verification flags");
    let agents = Some("--verify-spki-pin is mutually exclusive with --use-workload-api");
    let names = AccessFlags { common_names: vec!["web".to_owned()], ..pinned() };
    for (verify, anonymous, given, says) in [
        (names, false, "keystore", others),
        (pinned(), false, "agent", agents),
        (pinned(), false, "keystore", None),
        (pinned(), true, "", None),
    ] {
        let name = Some("no_name, at all".to_owned());
        let config = ClientConfig {
            verify,
            disable_authentication: anonymous,
            server_name: name,
            credentials: files(given),
            ..client()
        };
        let refused = Plan::new(config.into()).err().map(|error| error.to_string());
        assert_eq!(refused.as_deref(), says);
    }
}

#[test]
fn peers_that_are_not_verified_can_be_neither_revoked_nor_expired() {
    const OPEN: &str =
        "--crl and --disable-authentication are mutually exclusive: no certificate is asked for";
    const PINNED: &str =
        "--close-on-expiry and --allow-spki-pin are mutually exclusive: of a pinned peer only the key counts";
    let lists = PeerFlags { revocation_lists: vec!["/revoked.crl".into()], ..PeerFlags::default() };
    let expiry = PeerFlags { close_on_expiry: true, ..PeerFlags::default() };
    let both = PeerFlags { close_on_expiry: true, ..lists.clone() };
    let nobody = AccessFlags::default();
    for (allow, open, peers, says) in [
        (nobody.clone(), true, lists, Some(OPEN)),
        (pinned(), false, expiry, Some(PINNED)),
        (nobody, true, PeerFlags::default(), None),
        (AccessFlags::uri("spiffe://example.org/a"), false, both.clone(), None),
    ] {
        let config = ServerConfig {
            allow,
            peers,
            disable_authentication: open,
            credentials: files("keystore"),
            ..server()
        };
        let refused = Plan::new(config.into()).err().map(|error| error.to_string());
        assert_eq!(refused.as_deref(), says);
    }
    let anonymous = ClientConfig {
        peers: both.clone(),
        disable_authentication: true,
        credentials: files("ca"),
        ..client()
    };
    assert!(Plan::new(anonymous.into()).is_ok());
    let pinned = ClientConfig { peers: both, verify: pinned(), credentials: files("keystore"), ..client() };
    assert!(refusal(pinned).starts_with("--crl and --verify-spki-pin are mutually exclusive"));
}

#[test]
fn faults_are_told_in_ghostunnels_order() {
    let mut config = server();
    config.limits.connect_timeout = Duration::ZERO;
    config.credentials = files("");
    config.allow = AccessFlags::default();
    config.targets = vec!["10.0.0.1:80".to_owned()];
    assert_eq!(refusal(config.clone()), "--connect-timeout duration must not be zero");
    config.limits.connect_timeout = Duration::from_secs(1);
    assert_eq!(refusal(config.clone()), NO_SERVER);
    config.credentials = files("keystore");
    assert!(refusal(config.clone()).starts_with("at least one access control flag"));
    config.allow = AccessFlags { all: true, ..AccessFlags::default() };
    assert_eq!(
        refusal(config),
        "--target must be unix:PATH or localhost:PORT (unless --unsafe-target is set)"
    );
}

#[test]
fn a_client_of_the_workload_api_says_which_server_it_means() {
    let verify = AccessFlags::default();
    assert_eq!(
        refusal(ClientConfig { verify: verify.clone(), ..client() }),
        "at least one verification flag (--verify-{cn,ou,dns,uri}) is required with --use-workload-api"
    );
    let config = ClientConfig { verify, credentials: files("keystore"), ..client() };
    let plan = Plan::new(config.into()).unwrap();
    assert_eq!(plan.targets[0].name, Some("b.test".try_into().unwrap()));
    assert!(plan.rules.is_empty());
}

#[test]
fn the_name_of_a_server_is_the_host_unless_another_is_given() {
    let config = ClientConfig { server_name: Some("c.test".to_owned()), ..client() };
    assert_eq!(Plan::new(config.into()).unwrap().targets[0].name, Some("c.test".try_into().unwrap()));
    let odd = Some("no name".to_owned());
    let config = ClientConfig { server_name: odd, credentials: files("keystore"), ..client() };
    assert_eq!(
        refusal(config),
        "`no name` is no DNS name and no IP address: give the server's with --override-server-name"
    );
}

#[test]
fn nobody_may_end_a_proxy_that_has_no_status() {
    let status = StatusFlags { shutdown: true, ..StatusFlags::default() };
    assert_eq!(refusal(ServerConfig { status, ..server() }), "--enable-shutdown requires --status to be set");
}

#[test]
fn files_are_not_read_again_without_pause() {
    let credentials = CredentialFlags { timed_reload: Some(Duration::ZERO), ..files("keystore") };
    assert_eq!(refusal(ServerConfig { credentials, ..server() }), "--timed-reload duration must not be zero");
}

#[test]
fn a_bad_pattern_is_refused_with_its_flag_and_rule() {
    let allow = AccessFlags::uri("spiffe://example.org/a*");
    let error = Plan::new(ServerConfig { allow, ..server() }.into()).unwrap_err();
    assert_eq!(error.to_string(), "invalid URI pattern in --allow-uri flag (`spiffe://example.org/a*`)");
    let rule = error.source().unwrap().to_string();
    assert_eq!(rule, "wildcard '*' can only appear between two separators");
}

#[test]
fn the_plain_side_stays_on_this_machine_unless_told_otherwise() {
    let targets = vec!["10.0.0.1:80".to_owned()];
    let config = ServerConfig { targets, ..server() };
    assert_eq!(
        refusal(config.clone()),
        "--target must be unix:PATH or localhost:PORT (unless --unsafe-target is set)"
    );
    assert!(Plan::new(ServerConfig { unsafe_target: true, ..config }.into()).is_ok());

    let listen = "0.0.0.0:80".to_owned();
    let config = ClientConfig { listen, ..client() };
    assert_eq!(
        refusal(config.clone()),
        "--listen must be unix:PATH, localhost:PORT, systemd:NAME or launchd:NAME (unless --unsafe-listen is set)"
    );
    assert!(Plan::new(ClientConfig { unsafe_listen: true, ..config }.into()).is_ok());
}

#[test]
fn a_client_reaches_its_target_over_tcp() {
    let targets = vec!["unix:/run/app.sock".to_owned()];
    assert_eq!(
        refusal(ClientConfig { targets, ..client() }),
        "invalid --target network \"unix\": client mode requires a HOST:PORT TCP target"
    );
}

#[test]
fn a_socket_of_systemd_only_listens() {
    let passed = "systemd:web".to_owned();
    assert_eq!(
        refusal(ServerConfig { targets: vec![passed.clone()], ..server() }),
        "invalid --target network \"systemd\": only tcp and unix targets are supported (systemd:/launchd: cannot be dialed)"
    );
    assert_eq!(
        refusal(ClientConfig { targets: vec![passed.clone()], ..client() }),
        "invalid --target network \"systemd\": client mode requires a HOST:PORT TCP target"
    );
    assert!(Plan::new(ClientConfig { listen: passed, ..client() }.into()).is_ok());
}

#[test]
fn zero_time_to_connect_is_refused() {
    let mut config = client();
    config.limits.connect_timeout = Duration::ZERO;
    assert_eq!(refusal(config), "--connect-timeout duration must not be zero");
}

#[test]
fn the_backend_is_told_in_one_way() {
    let both =
        ServerConfig { proxy_protocol: true, proxy_protocol_mode: Some(ProxyProtocol::Tls), ..server() };
    assert_eq!(refusal(both), "--proxy-protocol and --proxy-protocol-mode are mutually exclusive");
    let short = Plan::new(ServerConfig { proxy_protocol: true, ..server() }.into()).unwrap();
    assert_eq!(short.proxy_protocol, Some(ProxyProtocol::Connection));
}

#[test]
fn urls_and_intervals_of_metrics_are_checked_in_ghostunnels_words() {
    let url = |text: &str| Some(text.to_owned());
    let every = Duration::from_secs(30);
    for (url, graphite, every, fault) in [
        (url("ftp://host/"), None, every, "--metrics-url should start with http:// or https://"),
        (url("http://host/"), None, Duration::ZERO, "--metrics-interval duration must not be zero"),
        (None, url("graphite"), every, "invalid --metrics-graphite address"),
        (None, url("unix:/run/graphite"), every, "--metrics-graphite must be HOST:PORT"),
    ] {
        let flags = StatusFlags {
            metrics_url: url,
            metrics_graphite: graphite,
            metrics_interval: every,
            ..StatusFlags::default()
        };
        assert_eq!(refusal(ServerConfig { status: flags, ..server() }), fault);
    }
    let target_status = Some("unix:/run/status".to_owned());
    let fault = "--target-status should start with http:// or https://";
    assert_eq!(refusal(ServerConfig { target_status, ..server() }), fault);
}

#[test]
fn profiles_need_a_status_server() {
    let status = StatusFlags { pprof: true, ..StatusFlags::default() };
    assert_eq!(refusal(ServerConfig { status, ..server() }), "--enable-pprof requires --status to be set");
}
