//! What a file says, and what is told of one that is at fault.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use finial_receive::Endpoint;

use super::ProxyFile;
use crate::{AccessFlags, Config, CredentialFlags, ProxyProtocol, Quiet, StatusFlags};

fn parse(text: &str) -> Result<ProxyFile, String> {
    ProxyFile::parse(text, "proxy.conf").map_err(|error| error.to_string())
}

fn agent(path: &str) -> CredentialFlags {
    CredentialFlags::workload_api(Endpoint::parse(path).unwrap())
}

const GOOD: &str = r#"
use_workload_api_addr = "unix:///run/agent.sock"
status = "http://127.0.0.1:6060"
metrics_prefix = "edge"
quiet = "conns"
connect_timeout = "3s"

server "web" {
  listen = "0.0.0.0:8443"
  target = "127.0.0.1:8080"
  allow_uri = ["spiffe://example.org/a", "spiffe://example.org/b/*"]
  allow_dns = "a.example.org"
  allow_ip = ["10.0.0.1"]
  crl = ["/etc/revoked.crl", "/etc/more.crl"]
  close_on_expiry = true
  proxy_protocol_mode = "tls-full"
  max_concurrent_conns = 0
}

server "open" {
  listen = "unix:/run/open.sock"
  target = "unix:/run/app.sock"
  disable_authentication = true
  cert = "/etc/cert.pem"
  key = "/etc/key.pem"
  timed_reload = "1h"
  quiet = ["handshake-errs", "conn-errs"]
  connect_timeout = "1s"
  close_timeout = "2s"
}

client "db" {
  listen = "localhost:5432"
  target = "db.example.org:5432"
  verify_uri = "spiffe://example.org/db"
  override_server_name = "db"
  proxy = "http://way.example.org:3128"
}
"#;

#[test]
fn blocks_take_what_the_top_level_says_and_may_say_otherwise() {
    let file = parse(GOOD).unwrap();
    let names = file.listeners.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>();
    assert_eq!(names, ["web", "open", "db"]);
    let status = StatusFlags {
        address: Some("http://127.0.0.1:6060".to_owned()),
        metrics_prefix: "edge".to_owned(),
        ..StatusFlags::default()
    };
    assert_eq!(file.status, status);
    let [(_, Config::Server(web)), (_, Config::Server(open)), (_, Config::Client(db))] =
        file.listeners.as_slice()
    else {
        panic!("{file:?}")
    };
    assert_eq!(web.peers.revocation_lists.len(), 2);
    assert!(web.peers.close_on_expiry);
    assert_eq!((web.listen.as_str(), web.limits.connections), ("0.0.0.0:8443", usize::MAX));
    assert_eq!(web.credentials, agent("unix:///run/agent.sock"));
    assert_eq!(web.limits.connect_timeout, Duration::from_secs(3));
    assert_eq!(web.proxy_protocol_mode, Some(ProxyProtocol::TlsFull));
    assert_eq!(web.quiet, Quiet { connections: true, ..Quiet::default() });
    let allow = AccessFlags {
        uris: vec!["spiffe://example.org/a".to_owned(), "spiffe://example.org/b/*".to_owned()],
        dns_names: vec!["a.example.org".to_owned()],
        ip_names: vec!["10.0.0.1".parse().unwrap()],
        ..AccessFlags::default()
    };
    assert_eq!(web.allow, allow);
    assert_eq!(open.credentials.workload_api, None);
    assert_eq!(open.credentials.timed_reload, Some(Duration::from_secs(3600)));
    assert_eq!(open.quiet, Quiet { connection_errors: true, handshake_errors: true, connections: false });
    assert_eq!(open.limits.connect_timeout, Duration::from_secs(1));
    assert_eq!(open.limits.close_timeout, Duration::from_secs(2));
    assert_eq!(db.server_name.as_deref(), Some("db"));
    assert_eq!(db.credentials, agent("unix:///run/agent.sock"));
    assert!(db.upstream.is_some());
}

const AGENT: &str = "use_workload_api_addr = \"unix:///a\"\n";

fn refusal(text: &str) -> String {
    parse(&format!("{AGENT}{text}")).unwrap_err()
}

#[test]
fn every_fault_is_told_with_its_line_and_block() {
    for (text, says) in [
        ("", "proxy.conf:1:1: there is no server \"NAME\" { } and no client \"NAME\" { } block: add one"),
        (
            "server \"a\" { listen = \"localhost:1\"\n target = \"localhost:2\"\n allow_url = \"x\" }",
            "proxy.conf:4:2: unknown key \"allow_url\" in server \"a\" (did you mean \"allow_uri\"?)",
        ),
        (
            "sever \"a\" { }",
            "proxy.conf:2:1: unknown key \"sever\" at the top level (did you mean \"server\"?)",
        ),
        (
            "server \"a\" { listen = \"localhost:2\"\n keystore = \"/a.pem\"\n allow_all = true }",
            "proxy.conf:2:8: server \"a\": target is missing: add it to this block",
        ),
        (
            "server \"a\" { target = \"localhost:2\"\n keystore = \"/a.pem\"\n allow_all = true }",
            "proxy.conf:2:8: server \"a\": listen is missing: add it to this block",
        ),
        (
            "server \"a\" { listen = \"localhost:1\"\n target = \"localhost:2\" }",
            "proxy.conf:2:8: server \"a\": at least one access control flag",
        ),
        (
            "server \"a\" { listen = \"localhost:1\"\n target = \"10.0.0.1:2\"\n allow_all = true }",
            "proxy.conf:2:8: server \"a\": target must be unix:PATH or localhost:PORT (unless unsafe_target is set)",
        ),
        (
            "server \"a\" { listen = \"localhost:1\"\n target = \"localhost:2\"\n allow_uri = \"spiffe://x/a*\" }",
            "proxy.conf:2:8: server \"a\": invalid URI pattern in allow_uri flag (`spiffe://x/a*`): wildcard",
        ),
        (
            "client \"a\" { listen = \"localhost:1\"\n target = \"b:2\"\n verify_uri = \"spiffe://x/a\"\n connect_timeout = \"soon\" }",
            "proxy.conf:5:20: connect_timeout must be a duration",
        ),
        (
            "client \"a\" { listen = \"localhost:1\"\n target = \"b:2\"\n quiet = \"errors\" }",
            "proxy.conf:4:2: quiet: each is all, conns, conn-errs or handshake-errs, not `errors`",
        ),
        (
            "server \"a\" { listen = \"localhost:1\"\n target = \"localhost:2\"\n allow_all = true }\nserver \"b\" { listen = \"localhost:1\"\n target = \"localhost:2\"\n allow_all = true }",
            "proxy.conf:5:8: server \"b\": listen: localhost:1 is that of server \"a\" already",
        ),
        (
            "status = \"http://localhost:1\"\nserver \"a\" { listen = \"localhost:1\"\n target = \"localhost:2\"\n allow_all = true }",
            "proxy.conf:3:8: server \"a\": listen: localhost:1 is that of the status",
        ),
        (
            "server \"a\" { listen = \"localhost:1\"\n target = \"localhost:2\"\n allow_all = true }\nclient \"a\" { listen = \"localhost:3\"\n target = \"b:2\"\n verify_uri = \"spiffe://x/a\" }",
            "proxy.conf:5:8: client \"a\": `a` is the name of a server and of a client",
        ),
        (
            "enable_shutdown = true\nserver \"a\" { listen = \"localhost:1\"\n target = \"localhost:2\"\n allow_all = true }",
            "proxy.conf:1:1: enable_shutdown requires status to be set",
        ),
    ] {
        let refusal = refusal(text);
        assert!(refusal.starts_with(says), "{refusal}\n  instead of\n{says}");
        assert!(!refusal.contains('\n'), "{refusal}");
    }
}

#[test]
fn all_faults_are_told_at_once_in_the_order_of_the_file() {
    let refusal = refusal(
        "client \"c\" { listen = 1\n verify_ip = [\"10.0.0\"] }\nserver \"s\" { listen = \"localhost:1\"\n target = \"localhost:2\"\n proxy_protocol_mode = \"v1\" }\nkeysore = \"x\"",
    );
    let lines = refusal.lines().map(|line| line.split_once(": ").unwrap().0).collect::<Vec<_>>();
    assert_eq!(lines, ["proxy.conf:2:8", "proxy.conf:3:2", "proxy.conf:6:2", "proxy.conf:7:1"], "{refusal}");
}

#[test]
fn an_identity_of_its_own_takes_nothing_from_the_top_level() {
    let text = "cacert = \"/ca.pem\"\ncert = \"/c.pem\"\nkey = \"/k.pem\"\nserver \"a\" { listen = \"localhost:1\"\n target = \"localhost:2\"\n allow_all = true\n keystore = \"/s.pem\" }";
    let file = parse(text).unwrap();
    let [(_, Config::Server(server))] = file.listeners.as_slice() else { panic!("{file:?}") };
    let keystore = CredentialFlags { keystore: Some("/s.pem".into()), ..CredentialFlags::default() };
    assert_eq!(server.credentials, keystore);
}

#[test]
fn any_port_may_be_taken_twice() {
    let block = |name| {
        format!(
            "server \"{name}\" {{ listen = \"localhost:0\"\n target = \"localhost:2\"\n allow_all = true }}\n"
        )
    };
    assert!(parse(&(AGENT.to_owned() + &block("a") + &block("b"))).is_ok());
}

#[test]
fn a_server_may_tell_who_asks_and_only_of_callers_that_are_known() {
    let told = |keys: &str| {
        let agent = "use_workload_api_addr = \"unix:///run/agent.sock\"";
        parse(&format!(
            "{agent}\nserver \"web\" {{\n listen = \"a:1\"\n target = \"localhost:2\"\n{keys}\n}}\n"
        ))
    };
    let file = told("allow_all = true\nidentity_header = true\ntarget_http2 = true").unwrap();
    let Config::Server(server) = &file.listeners[0].1 else { panic!("{file:?}") };
    assert!(server.identity_header && server.target_http2);
    let error = told("allow_all = true\ntarget_http2 = true").unwrap_err();
    assert!(error.contains("target_http2 requires identity_header"), "{error}");
    let error = told("disable_authentication = true\nidentity_header = true").unwrap_err();
    assert!(error.contains("identity_header and disable_authentication are mutually exclusive"), "{error}");
}

#[test]
fn the_example_is_read() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/examples/proxy.conf");
    let file = ProxyFile::read(&path).unwrap();
    let names = file.listeners.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>();
    assert_eq!(names, ["web", "db", "legacy", "orders"]);
    let [(_, Config::Server(web)), ..] = file.listeners.as_slice() else { panic!("{file:?}") };
    assert_eq!(web.targets, ["127.0.0.1:8080", "127.0.0.1:8081"]);
    assert_eq!(web.health_check.as_ref().unwrap().path.as_deref(), Some("/healthz"));
}
