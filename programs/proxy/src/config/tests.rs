//! The rules on a configuration, each broken once.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::error::Error;
use std::time::Duration;

use finial_receive::Endpoint;

use super::{ClientConfig, Config, Plan, ServerConfig};
use crate::Address;

fn server() -> ServerConfig {
    let (listen, target) = (Address::parse("0.0.0.0:1").unwrap(), Address::parse("localhost:2").unwrap());
    let config = ServerConfig::new(listen, target, Endpoint::parse("unix:///run/agent.sock").unwrap());
    ServerConfig { allow_uri: vec!["spiffe://example.org/a".to_owned()], ..config }
}

fn client() -> ClientConfig {
    let (listen, target) = (Address::parse("localhost:1").unwrap(), Address::parse("b.test:2").unwrap());
    let config = ClientConfig::new(listen, target, Endpoint::parse("unix:///run/agent.sock").unwrap());
    ClientConfig { verify_uri: vec!["spiffe://example.org/b".to_owned()], ..config }
}

fn refusal(config: impl Into<Config>) -> String {
    Plan::new(config.into()).unwrap_err().to_string()
}

#[test]
fn without_a_pattern_nothing_starts() {
    assert_eq!(
        refusal(ServerConfig { allow_uri: vec![], ..server() }),
        "at least one access control flag (--allow-uri) is required"
    );
    assert_eq!(
        refusal(ClientConfig { verify_uri: vec![], ..client() }),
        "at least one access control flag (--verify-uri) is required"
    );
}

#[test]
fn any_pattern_permits_and_no_other_identity() {
    let allow_uri = vec!["spiffe://example.org/a".to_owned(), "spiffe://*/sa/**".to_owned()];
    let plan = Plan::new(ServerConfig { allow_uri, ..server() }.into()).unwrap();
    for (id, permitted) in [
        ("spiffe://example.org/a", true),
        ("spiffe://other.org/sa/b", true),
        ("spiffe://example.org/b", false),
    ] {
        assert_eq!(plan.policy.permits(&id.parse().unwrap()), permitted, "{id}");
    }
}

#[test]
fn a_bad_pattern_is_refused_with_its_flag_and_rule() {
    let allow_uri = vec!["spiffe://example.org/a*".to_owned()];
    let error = Plan::new(ServerConfig { allow_uri, ..server() }.into()).unwrap_err();
    assert_eq!(error.to_string(), "invalid URI pattern in --allow-uri flag (`spiffe://example.org/a*`)");
    let rule = error.source().unwrap().to_string();
    assert_eq!(rule, "wildcard '*' can only appear between two separators");
}

#[test]
fn the_plain_side_stays_on_this_machine_unless_told_otherwise() {
    let target = Address::parse("10.0.0.1:80").unwrap();
    let config = ServerConfig { target, ..server() };
    assert_eq!(
        refusal(config.clone()),
        "--target must be unix:PATH or localhost:PORT (unless --unsafe-target is set)"
    );
    assert!(Plan::new(ServerConfig { unsafe_target: true, ..config }.into()).is_ok());

    let listen = Address::parse("0.0.0.0:80").unwrap();
    let config = ClientConfig { listen, ..client() };
    assert_eq!(
        refusal(config.clone()),
        "--listen must be unix:PATH or localhost:PORT (unless --unsafe-listen is set)"
    );
    assert!(Plan::new(ClientConfig { unsafe_listen: true, ..config }.into()).is_ok());
}

#[test]
fn a_client_reaches_its_target_over_tcp() {
    let target = Address::parse("unix:/run/app.sock").unwrap();
    assert_eq!(
        refusal(ClientConfig { target, ..client() }),
        "invalid --target network \"unix\": client mode requires a HOST:PORT TCP target"
    );
}

#[test]
fn zero_time_to_connect_is_refused() {
    let mut config = client();
    config.limits.connect_timeout = Duration::ZERO;
    assert_eq!(refusal(config), "--connect-timeout duration must not be zero");
}
