//! Servers, sources of the bundle, and rebootstrapping.

use std::path::Path;
use std::time::Duration;

use finial_receive::Endpoint;

use super::{AGENT, Config, PLUGINS, read, with};
use crate::config::{RebootstrapMode, Servers, TrustBundle};

fn refusal(text: &str) -> String {
    Config::from_hcl(text, "agent.conf").expect_err(text).to_string()
}

/// The smallest configuration, with other lines in place of the server's address and port.
fn with_servers(lines: &str) -> String {
    let agent = AGENT.replace("  server_address = \"server.example.org\"\n  server_port = \"8081\"\n", lines);
    assert_ne!(agent, AGENT);
    agent + PLUGINS
}

#[test]
fn servers_are_listed_with_commas() {
    let good = [
        ("a.example", "a.example:8081"),
        ("a.example,b.example:443", "a.example:8081, b.example:443"),
        (" ::1 , [::1]:1 , 10.0.0.1", "[::1]:8081, [::1]:1, 10.0.0.1:8081"),
        ("[::1]", "[::1]:8081"),
    ];
    for (text, servers) in good {
        assert_eq!(Servers::parse(text, Some(8081)).unwrap().to_string(), servers);
    }
}

#[test]
fn servers_that_are_none_are_refused() {
    let many = vec!["a"; 33].join(",");
    let bad = [
        ("", "empty item"),
        ("a,,b", "empty item"),
        ("[]", "empty item"),
        ("a:0", "`a:0` has no port between 1 and 65535"),
        ("a:65536", "no port between"),
        ("a:http", "no port between"),
        ("[::1]8081x", "no port between"),
        (&many, "has 33 items; at most 32"),
    ];
    for (text, problem) in bad {
        let error = Servers::parse(text, Some(8081)).expect_err(text).to_string();
        assert!(error.contains(problem), "{text}: {error}");
    }
    let error = Servers::parse("a", None).unwrap_err().to_string();
    assert_eq!(error, "server_port is missing: add it, or write `a:8081`");
}

#[test]
fn servers_with_ports_need_no_server_port() {
    let config = read(&with_servers("  server_address = \"a:1,b:2\"\n"));
    assert_eq!(config.servers.to_string(), "a:1, b:2");
}

#[test]
fn servers_may_be_looked_up_by_service() {
    let config = read(&with_servers("  server_srv = \"_spire._tcp.example.org\"\n"));
    assert_eq!(config.servers, Servers::Srv("_spire._tcp.example.org".to_owned()));
    let both = "  server_srv = \"_spire._tcp.example.org\"\n  server_address = \"a\"\n";
    assert!(refusal(&with_servers(both)).contains("server_address and server_srv exclude each other"));
    let port = "  server_srv = \"_spire._tcp.example.org\"\n  server_port = 1\n";
    assert!(refusal(&with_servers(port)).contains("server_port does not go with server_srv"));
    assert!(refusal(&with_servers("")).contains("server_address is missing"));
}

#[test]
fn a_bundle_may_be_published_at_an_https_url() {
    let config = read(&with("trust_bundle_url = \"https://example.org/bundle?a=b\""));
    let TrustBundle::Url(url) = config.trust_bundle else { panic!("{:?}", config.trust_bundle) };
    assert_eq!(url.uri(), "https://example.org/bundle?a=b");
    assert_eq!(url.socket(), None);
}

#[test]
fn a_bundle_may_be_asked_of_a_socket() {
    let lines =
        "trust_bundle_url = \"http://localhost/bundle\"\n  trust_bundle_unix_socket = \"/run/b.sock\"";
    let TrustBundle::Url(url) = read(&with(lines)).trust_bundle else { panic!("a url") };
    assert_eq!(url.socket().unwrap(), Path::new("/run/b.sock"));
}

#[test]
fn a_bundle_may_come_from_another_agent() {
    for address in ["/run/agent.sock", "unix:///run/agent.sock"] {
        let config = read(&with(&format!("trust_bundle_spiffe_workload_api = \"{address}\"")));
        let TrustBundle::WorkloadApi(endpoint) = config.trust_bundle else { panic!("an endpoint") };
        assert_eq!(endpoint, Endpoint::Unix("/run/agent.sock".into()));
    }
}

#[test]
fn the_first_server_may_be_trusted_when_told_so() {
    assert!(matches!(read(&with("insecure_bootstrap = true")).trust_bundle, TrustBundle::Insecure));
    assert!(matches!(read(&with("insecure_bootstrap = false")).trust_bundle, TrustBundle::NotGiven));
}

#[test]
fn rebootstrapping_has_a_mode_and_a_delay() {
    let config = read(&with("trust_bundle_path = \"/b\"\n  rebootstrap_mode = \"auto\""));
    assert_eq!(config.rebootstrap_mode, RebootstrapMode::Auto);
    assert_eq!(config.rebootstrap_delay, Duration::from_secs(600));
    let config = read(&with(
        "trust_bundle_path = \"/b\"\n  rebootstrap_mode = \"always\"\n  rebootstrap_delay = \"0s\"",
    ));
    assert_eq!(
        (config.rebootstrap_mode, config.rebootstrap_delay),
        (RebootstrapMode::Always, Duration::ZERO)
    );
    assert_eq!(read(&with("")).rebootstrap_mode, RebootstrapMode::Never);
}

#[test]
fn bad_sources_are_refused_by_name() {
    let bad = [
        (
            "trust_bundle_path = \"/b\"\n  insecure_bootstrap = true",
            "only one of insecure_bootstrap, trust_bundle_url, trust_bundle_path or \
             trust_bundle_spiffe_workload_api can be specified: keep trust_bundle_path or insecure_bootstrap",
        ),
        (
            "trust_bundle_url = \"https://a/b\"\n  trust_bundle_spiffe_workload_api = \"/s\"",
            "keep trust_bundle_url or trust_bundle_spiffe_workload_api",
        ),
        ("trust_bundle_url = \"http://a/b\"", "trust bundle URL must start with https://: `http://a/b`"),
        (
            "trust_bundle_url = \"https://a/b\"\n  trust_bundle_unix_socket = \"/s\"",
            "trust bundle URL must start with http:// when trust_bundle_unix_socket is given",
        ),
        ("trust_bundle_url = \"https://\"", "is no URL of a host"),
        ("trust_bundle_url = \"https://u:p@a/\"", "is no URL of a host"),
        (
            "trust_bundle_url = \"https://a/?x=1&spiffe-y=2\"",
            "can not start with spiffe- or spire-, as `spiffe-y`",
        ),
        ("trust_bundle_url = \"https://a/?spire-y\"", "as `spire-y` does"),
        (
            "trust_bundle_unix_socket = \"/s\"",
            "if trust_bundle_unix_socket is specified, so must be trust_bundle_url",
        ),
        ("trust_bundle_spiffe_workload_api = \"agent.sock\"", "it must begin with unix: or tcp:"),
        ("trust_bundle_format = \"der\"", "unknown bundle format `der`: use pem or spiffe"),
        ("trust_bundle_path = \"/b\"\n  rebootstrap_mode = \"maybe\"", "use never, auto or always"),
        ("rebootstrap_mode = \"auto\"", "there is nothing to ask for the bundle again"),
        (
            "insecure_bootstrap = true\n  rebootstrap_mode = \"always\"",
            "rebootstrapping does not go with insecure_bootstrap",
        ),
    ];
    for (lines, problem) in bad {
        let error = refusal(&with(lines));
        assert!(error.contains(problem), "{error}\nlacks {problem}");
    }
}
