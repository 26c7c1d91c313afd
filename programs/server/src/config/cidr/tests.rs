//! What is a network, and who is in it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::Cidr;

#[test]
fn a_network_has_the_addresses_that_begin_like_it() {
    for (network, inside, outside) in [
        ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
        ("10.1.2.3/8", "10.9.9.9", "9.255.255.255"),
        ("192.0.2.7/32", "192.0.2.7", "192.0.2.6"),
        ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
        ("192.0.2.0/25", "::ffff:192.0.2.127", "192.0.2.128"),
        ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
        ("::/0", "::1", "127.0.0.1"),
        ("::1/128", "::1", "::2"),
    ] {
        let network: Cidr = network.parse().unwrap();
        assert!(network.contains(inside.parse().unwrap()), "{network} has not {inside}");
        assert!(!network.contains(outside.parse().unwrap()), "{network} has {outside}");
    }
}

#[test]
fn what_is_no_network_is_refused() {
    for text in [
        "",
        "/",
        "10.0.0.0",
        "10.0.0/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "::/129",
        "::1",
        "host/8",
        "10.0.0.0/8/8",
        " 10.0.0.0/8",
        "10.0.0.0/256",
    ] {
        let error = text.parse::<Cidr>().unwrap_err().to_string();
        assert!(error.starts_with(&format!("`{text}` is no network")), "{error}");
    }
}
