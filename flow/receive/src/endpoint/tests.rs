//! The forms of SPIFFE Workload Endpoint §4, good and bad.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use super::Endpoint;
use crate::ReceiveError;

#[test]
fn wep_09_unix_endpoints_are_absolute_paths() {
    for (text, path) in [
        ("unix:///run/agent.sock", "/run/agent.sock"),
        ("unix:/run/agent.sock", "/run/agent.sock"),
        ("unix:///a%20b", "/a b"),
        ("unix:///a b", "/a b"),
        ("unix:///a/../b", "/a/../b"),
        ("unix:///p@1", "/p@1"),
    ] {
        assert_eq!(Endpoint::parse(text).unwrap(), Endpoint::Unix(path.into()), "{text}");
    }
}

#[test]
fn wep_10_tcp_endpoints_are_an_ip_and_a_port() {
    for (text, address) in [("tcp://127.0.0.1:8000", "127.0.0.1:8000"), ("tcp://[::1]:1", "[::1]:1")] {
        assert_eq!(Endpoint::parse(text).unwrap(), Endpoint::Tcp(address.parse().unwrap()), "{text}");
    }
}

#[test]
fn wep_08_09_10_anything_else_is_refused_with_the_rule() {
    for (text, rule) in [
        ("", "begin with"),
        ("/run/agent.sock", "begin with"),
        ("http://127.0.0.1:80", "begin with"),
        ("UNIX:///run/agent.sock", "begin with"),
        (" unix:///run/agent.sock", "begin with"),
        ("unix", "begin with"),
        ("unix:", "absolute"),
        ("unix:run/agent.sock", "absolute"),
        ("unix://run/agent.sock", "absolute"),
        ("unix://localhost/run/agent.sock", "absolute"),
        ("unix:///", "missing"),
        ("unix:///run/agent.sock?x=1", "%3F"),
        ("unix:///run/agent.sock#x", "%3F"),
        ("unix:///a%2", "hexadecimal"),
        ("unix:///a%+1", "hexadecimal"),
        ("unix:///a%00", "hexadecimal"),
        ("tcp:127.0.0.1:8000", "IP address"),
        ("tcp://127.0.0.1", "IP address"),
        ("tcp://localhost:8000", "IP address"),
        ("tcp://127.0.0.1:8000/", "IP address"),
        ("tcp://127.0.0.1:8000/foo", "IP address"),
        ("tcp://127.0.0.1:8000?x", "IP address"),
        ("tcp://user@127.0.0.1:8000", "IP address"),
        ("tcp://127.0.0.1:65536", "IP address"),
        ("tcp://:8000", "IP address"),
        ("tcp://127.0.0.1:0", "port 0"),
    ] {
        let error = Endpoint::parse(text).expect_err(text).to_string();
        assert!(error.contains(rule) && error.contains(text), "{text}: {error}");
    }
}

#[test]
fn wep_07_an_unset_variable_is_an_error_that_names_the_remedy() {
    for unset in [None, Some("".into())] {
        let error = Endpoint::from_variable(unset).unwrap_err();
        assert!(matches!(error, ReceiveError::EndpointUnset));
        assert!(error.to_string().contains("SPIFFE_ENDPOINT_SOCKET=unix:///"), "{error}");
    }
    let set = Endpoint::from_variable(Some("unix:/a".into())).unwrap();
    assert_eq!(set, Endpoint::Unix(Path::new("/a").into()));
}

#[test]
fn what_is_displayed_reads_back() {
    for text in ["unix:///a%20b%25", "unix:///run/agent.sock", "tcp://[::1]:1"] {
        let endpoint = Endpoint::parse(text).unwrap();
        assert_eq!(endpoint.to_string(), text);
        assert_eq!(Endpoint::parse(&endpoint.to_string()).unwrap(), endpoint);
    }
}
