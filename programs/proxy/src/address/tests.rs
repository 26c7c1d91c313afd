//! Addresses that are read, and ones that are refused with a remedy.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::{Address, StatusAddress};

fn tcp(host: &str, port: u16) -> Address {
    Address::Tcp { host: host.to_owned(), port }
}

#[test]
fn addresses_are_read_and_written_the_same() {
    for (text, address) in [
        ("127.0.0.1:8443", tcp("127.0.0.1", 8443)),
        (":8443", tcp("", 8443)),
        ("localhost:0", tcp("localhost", 0)),
        ("[::1]:80", tcp("::1", 80)),
        ("db.example.org:5432", tcp("db.example.org", 5432)),
        ("unix:/run/app.sock", Address::Unix("/run/app.sock".into())),
        ("unix:relative.sock", Address::Unix("relative.sock".into())),
    ] {
        assert_eq!(Address::parse(text).as_ref(), Ok(&address), "{text}");
        assert_eq!(address.to_string(), text);
    }
}

#[test]
fn bad_addresses_are_refused_with_the_text_and_a_remedy() {
    for (text, message) in [
        ("", "`` has no port: write HOST:PORT"),
        ("localhost", "`localhost` has no port: write HOST:PORT"),
        ("localhost:http", "`localhost:http` has a port that is no number from 0 to 65535"),
        ("localhost:65536", "`localhost:65536` has a port that is no number from 0 to 65535"),
        ("[::1:80", "`[::1:80` has a bracket that is not closed: write [IPv6]:PORT"),
        ("::1:80", "`::1:80` is neither HOST:PORT nor [IPv6]:PORT nor unix:PATH"),
        ("http://localhost:80", "`http://localhost:80` is neither HOST:PORT nor [IPv6]:PORT nor unix:PATH"),
        ("unix:", "`unix:` names no path: write unix:PATH"),
        ("systemd:", "`systemd:` names no socket: write systemd:NAME, as in FileDescriptorName=NAME"),
        (
            "launchd:web",
            "`launchd:web` is a socket of launchd, which is not on this system: use HOST:PORT or unix:PATH",
        ),
    ] {
        assert_eq!(Address::parse(text).unwrap_err().to_string(), message);
    }
}

#[test]
fn status_is_by_tls_unless_it_says_http_or_has_no_network() {
    for (text, address, tls) in [
        ("http://localhost:6060", tcp("localhost", 6060), false),
        ("https://localhost:6060", tcp("localhost", 6060), true),
        ("localhost:6060", tcp("localhost", 6060), true),
        ("unix:/run/status", Address::Unix("/run/status".into()), false),
        ("systemd:status", Address::Passed("status".to_owned()), false),
    ] {
        assert_eq!(StatusAddress::parse(text).unwrap(), StatusAddress { address, tls }, "{text}");
    }
    for (text, refusal) in [
        (
            "http://unix:/run/status",
            "invalid --status network \"unix\": http(s):// scheme requires a HOST:PORT target",
        ),
        (
            "https://systemd:status",
            "invalid --status network \"systemd\": http(s):// scheme requires a HOST:PORT target",
        ),
        ("ftp://localhost:21", "invalid --status address"),
    ] {
        assert_eq!(StatusAddress::parse(text).unwrap_err().to_string(), refusal);
    }
}

#[test]
fn only_loopback_names_and_paths_are_local() {
    for (text, local) in [
        ("127.0.0.1:1", true),
        ("[::1]:1", true),
        ("localhost:1", true),
        ("unix:/run/a", true),
        ("systemd:web", true),
        ("launchd:web", true),
        ("0.0.0.0:1", false),
        (":1", false),
        ("127.0.0.1", false),
        ("127.0.0.2:1", false),
        ("LOCALHOST:1", false),
        ("127.0.0.1.example.org:1", false),
        ("localhost.example.org:1", false),
        ("", false),
    ] {
        assert_eq!(Address::is_local(text), local, "{text}");
    }
}
