//! Headers byte by byte, and what they leave out.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use finial_receive::testing::{Authority, start};
use rcgen::DnType;

use super::{Ends, ProxyProtocol, TlsFacts};

fn ends(from: &str, to: &str) -> Ends {
    Some((from.parse().unwrap(), to.parse().unwrap()))
}

fn facts() -> TlsFacts {
    let (chain, _) = Authority::new("example.org").leaf("spiffe://example.org/web", start(), |params| {
        params.distinguished_name.push(DnType::CommonName, "web");
    });
    TlsFacts {
        version: Some("TLS 1.3"),
        server_name: Some("a.test".to_owned()),
        alpn: Some(b"h2".to_vec()),
        certificate: chain.into_iter().next(),
        vouched_for: true,
    }
}

const START: &[u8] = b"\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a\x21";

#[test]
fn addresses_are_told_in_network_order() {
    let header = |ends| ProxyProtocol::Connection.header(ends, &facts()).unwrap();
    assert_eq!(
        header(ends("10.1.2.3:4660", "10.0.0.1:443")),
        [START, b"\x11\x00\x0c\x0a\x01\x02\x03\x0a\x00\x00\x01\x12\x34\x01\xbb"].concat()
    );
    let v6 = header(ends("[2001:db8::1]:1", "[::1]:2"));
    assert_eq!(v6[12..16], [0x21, 0x21, 0, 36]);
    assert_eq!(v6[16..20], [0x20, 0x01, 0x0d, 0xb8]);
    assert_eq!(v6[48..], [0, 1, 0, 2]);
    let mapped = header(ends("[::ffff:10.1.2.3]:4660", "[::ffff:10.0.0.1]:443"));
    assert_eq!(mapped, header(ends("10.1.2.3:4660", "10.0.0.1:443")));
    let unix = header(None);
    assert_eq!((unix[13], unix.len()), (0x31, 16 + 216));
}

/// Fields with their values, without what they hold inside.
fn fields(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut fields = Vec::new();
    while let [kind, high, low, rest @ ..] = bytes {
        let (value, after) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        fields.push((*kind, value.to_vec()));
        bytes = after;
    }
    assert!(bytes.is_empty());
    fields
}

fn told(mode: ProxyProtocol, facts: &TlsFacts) -> Vec<(u8, Vec<u8>)> {
    let header = mode.header(ends("10.1.2.3:1", "10.0.0.1:2"), facts).unwrap();
    assert_eq!(usize::from(u16::from_be_bytes([header[14], header[15]])), header.len() - 16);
    fields(&header[28..])
}

#[test]
fn tls_tells_the_handshake_and_not_the_certificate() {
    let told = told(ProxyProtocol::Tls, &facts());
    assert_eq!(told[0], (0x01, b"h2".to_vec()));
    assert_eq!(told[1], (0x02, b"a.test".to_vec()));
    let (kind, ssl) = &told[2];
    assert_eq!((*kind, &ssl[..5]), (0x20, &[0x01, 0, 0, 0, 0][..]));
    assert_eq!(fields(&ssl[5..]), [(0x21, b"TLS 1.3".to_vec())]);
}

#[test]
fn tls_full_tells_the_certificate_that_was_verified() {
    let facts = facts();
    let told = told(ProxyProtocol::TlsFull, &facts);
    let (_, ssl) = &told[2];
    assert_eq!(ssl[..5], [0x07, 0, 0, 0, 0]);
    let inside = fields(&ssl[5..]);
    assert_eq!(inside[1], (0x22, b"web".to_vec()));
    assert_eq!(inside[2], (0x28, facts.certificate.unwrap().to_vec()));
}

#[test]
fn name_that_only_the_caller_vouches_for_is_not_told() {
    let facts = TlsFacts { vouched_for: false, ..facts() };
    let told = told(ProxyProtocol::TlsFull, &facts);
    let (_, ssl) = &told[2];
    assert_eq!(ssl[..5], [0x07, 0, 0, 0, 1]);
    let kinds: Vec<u8> = fields(&ssl[5..]).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [0x21, 0x28]);
}

#[test]
fn caller_without_a_certificate_claims_none() {
    let facts = TlsFacts { certificate: None, alpn: None, server_name: None, ..facts() };
    let told = told(ProxyProtocol::TlsFull, &facts);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].1[0], 0x01);
}

#[test]
fn certificate_that_does_not_fit_makes_no_header_that_hides_it() {
    let ends = ends("10.1.2.3:1", "10.0.0.1:2");
    // By itself, or together with what else is told.
    for length in [65_536, 65_500] {
        let facts = TlsFacts { certificate: Some(vec![0; length].into()), ..facts() };
        let refused = ProxyProtocol::TlsFull.header(ends, &facts).unwrap_err();
        assert!(refused.0 > 65_535, "{refused}");
        assert!(ProxyProtocol::Tls.header(ends, &facts).is_ok());
    }
    let facts = TlsFacts { certificate: Some(vec![0; 65_400].into()), ..facts() };
    let header = ProxyProtocol::TlsFull.header(ends, &facts).unwrap();
    assert_eq!(usize::from(u16::from_be_bytes([header[14], header[15]])), header.len() - 16);
}
