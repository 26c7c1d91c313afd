//! SPIFFE IDs: every row of the standard's checklist that concerns reading one.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::{BadByte, SpiffeId, SpiffeIdError, TrustDomain};

fn refuse(ids: &[&str]) {
    for id in ids {
        assert!(SpiffeId::parse(id).is_err(), "`{id}` was accepted");
    }
}

fn accept(ids: &[&str]) {
    for id in ids {
        assert_eq!(SpiffeId::parse(id).unwrap().as_str(), *id);
    }
}

fn td() -> TrustDomain {
    TrustDomain::parse("td").unwrap()
}

#[test]
fn sid_01_scheme_is_spiffe() {
    refuse(&[
        "",
        "s",
        "spiffe:/td",
        "spiffe:td/a",
        "http://td/a",
        " spiffe://td/a",
        "spiffe://td/a\n",
        "//td/a",
        "td/a",
    ]);
    accept(&["spiffe://td/a"]);
}

#[test]
fn sid_02_trust_domain_is_not_empty() {
    for id in ["spiffe://", "spiffe:///", "spiffe:///a"] {
        assert_eq!(SpiffeId::parse(id), Err(SpiffeIdError::TrustDomainEmpty), "{id}");
    }
}

#[test]
fn sid_03_query_is_refused() {
    refuse(&["spiffe://td/a?x=1", "spiffe://td?x", "spiffe://td/a?", "spiffe://td?"]);
}

#[test]
fn sid_04_fragment_is_refused() {
    refuse(&["spiffe://td/a#f", "spiffe://td/a#", "spiffe://td#"]);
}

#[test]
fn sid_05_userinfo_and_port_are_refused() {
    refuse(&["spiffe://u@td/a", "spiffe://@td/a", "spiffe://td:80/a", "spiffe://td:/a", "spiffe://u:p@td/a"]);
}

#[test]
fn sid_06_trust_domain_has_exactly_39_characters_to_choose_from() {
    let allowed = (0..=u8::MAX).filter(|byte| {
        let mut id = b"spiffe://td".to_vec();
        id.push(*byte);
        SpiffeId::parse(&id).is_ok()
    });
    let allowed: Vec<u8> = allowed.collect();
    assert_eq!(allowed, b"-.0123456789_abcdefghijklmnopqrstuvwxyz");
    assert_eq!(allowed.len(), 39);
    refuse(&["spiffe://tdé/a", "spiffe://td\0/a", "spiffe://\u{212A}/a", "spiffe://td /a"]);
}

#[test]
fn sid_07_trust_domain_has_no_percent_encoding() {
    refuse(&["spiffe://t%64/a", "spiffe://%74d/a"]);
}

#[test]
fn sid_08_upper_case_is_refused_not_folded() {
    refuse(&["spiffe://TD/a", "spiffe://Td/a", "SPIFFE://td/a", "Spiffe://td/a"]);
    assert_eq!(SpiffeId::parse("spiffe://tD/a"), Err(SpiffeIdError::TrustDomainByte(BadByte(b'D'))));
}

#[test]
fn sid_09_trust_domain_is_no_dns_name_and_no_address() {
    for name in ["1.2.3.4", "-", "_", "...", "a..b", ".", "xn--a", &"l".repeat(64)] {
        accept(&[&format!("spiffe://{name}/a")]);
    }
    refuse(&["spiffe://[::1]/a", "spiffe://[v1.a]/a"]);
    assert_ne!(SpiffeId::parse("spiffe://td/a").unwrap(), SpiffeId::parse("spiffe://td./a").unwrap());
}

#[test]
fn sid_10_path_has_no_percent_encoding() {
    refuse(&["spiffe://td/%41", "spiffe://td/a%2fb", "spiffe://td/%2e%2e", "spiffe://td/a%"]);
}

#[test]
fn sid_11_path_has_no_empty_and_no_dot_segments() {
    refuse(&[
        "spiffe://td//",
        "spiffe://td//a",
        "spiffe://td/a//b",
        "spiffe://td/.",
        "spiffe://td/..",
        "spiffe://td/a/./b",
        "spiffe://td/a/../b",
        "spiffe://td/a/..",
        "spiffe://td/./a",
    ]);
    accept(&[
        "spiffe://td/...",
        "spiffe://td/.a",
        "spiffe://td/..a",
        "spiffe://td/a..",
        "spiffe://td/a/.../b",
    ]);
}

#[test]
fn sid_12_path_has_no_trailing_slash() {
    for id in ["spiffe://td/", "spiffe://td/a/"] {
        assert_eq!(SpiffeId::parse(id), Err(SpiffeIdError::TrailingSlash), "{id}");
    }
}

#[test]
fn sid_13_segments_have_exactly_65_characters_to_choose_from() {
    let allowed =
        (0..=u8::MAX).filter(|byte| SpiffeId::parse([b"spiffe://td/a", &[*byte][..]].concat()).is_ok());
    let allowed: Vec<u8> = allowed.collect();
    assert_eq!(allowed, b"-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz");
    assert_eq!(allowed.len(), 65);
    for character in "~!$&'()*+,;=:@[]".chars() {
        refuse(&[&format!("spiffe://td/a{character}")]);
    }
}

#[test]
fn sid_14_ids_of_2048_bytes_are_accepted_and_longer_ones_refused() {
    let longest = format!("spiffe://td/{}", "a".repeat(2048 - 12));
    assert_eq!(longest.len(), SpiffeId::MAX_BYTES);
    accept(&[&longest]);
    let longer = format!("{longest}a");
    assert_eq!(SpiffeId::parse(&longer), Err(SpiffeIdError::TooLong(2049)));
    assert_eq!(SpiffeId::new(&td(), &longer[11..]), Err(SpiffeIdError::TooLong(2049)));
    assert_eq!(SpiffeId::from_segments(&td(), &[&longer[12..]]), Err(SpiffeIdError::TooLong(2049)));
}

#[test]
fn sid_16_trust_domain_has_at_most_255_bytes() {
    let longest = "t".repeat(TrustDomain::MAX_BYTES);
    accept(&[&format!("spiffe://{longest}"), &format!("spiffe://{longest}/a")]);
    let longer = format!("{longest}t");
    assert_eq!(TrustDomain::parse(&longer), Err(SpiffeIdError::TrustDomainTooLong(256)));
    assert_eq!(SpiffeId::parse(format!("spiffe://{longer}/a")), Err(SpiffeIdError::TrustDomainTooLong(256)));
}

#[test]
fn sid_17_path_is_case_sensitive() {
    assert_ne!(SpiffeId::parse("spiffe://td/A").unwrap(), SpiffeId::parse("spiffe://td/a").unwrap());
}

#[test]
fn sid_18_path_is_optional() {
    let id = SpiffeId::parse("spiffe://td").unwrap();
    assert_eq!(id.path(), "");
    assert!(!id.has_path());
    assert_eq!(id, td().id());
}

#[test]
fn parts_of_an_id_are_as_written() {
    let id = SpiffeId::parse("spiffe://td/ns/shop").unwrap();
    assert_eq!(id.trust_domain(), td());
    assert_eq!(id.path(), "/ns/shop");
    assert_eq!(id.to_string(), "spiffe://td/ns/shop");
    assert!(id.is_member_of(&td()));
}

#[test]
fn domain_with_the_same_beginning_is_another_domain() {
    let evil = SpiffeId::parse("spiffe://td.evil/a").unwrap();
    assert!(!evil.is_member_of(&td()));
    assert!(!SpiffeId::parse("spiffe://t/d").unwrap().is_member_of(&td()));
}

#[test]
fn segments_from_outside_cannot_add_a_level() {
    assert_eq!(SpiffeId::from_segments(&td(), &["a", "b"]).unwrap().as_str(), "spiffe://td/a/b");
    assert_eq!(SpiffeId::from_segments(&td(), &[]).unwrap(), td().id());
    for segment in ["", ".", "..", "a/b", "/", "a b", "a%2fb", "ä"] {
        assert!(SpiffeId::from_segments(&td(), &["a", segment]).is_err(), "{segment}");
    }
}

#[test]
fn new_takes_a_path_with_its_slash_or_none() {
    assert_eq!(SpiffeId::new(&td(), "").unwrap(), td().id());
    assert_eq!(SpiffeId::new(&td(), "/a/b").unwrap().as_str(), "spiffe://td/a/b");
    assert_eq!(SpiffeId::new(&td(), "a"), Err(SpiffeIdError::PathStart("a".into())));
    for path in ["/", "/a/", "//", "/..", "?", ":80/a", ".evil/a"] {
        assert!(SpiffeId::new(&td(), path).is_err(), "{path}");
    }
}

#[test]
fn reserved_paths_are_spire_and_below() {
    let is_reserved = |path: &str| SpiffeId::new(&td(), path).unwrap().is_reserved();
    assert!(is_reserved("/spire") && is_reserved("/spire/server") && is_reserved("/spire/agent/x/y"));
    assert!(
        !is_reserved("/spires") && !is_reserved("/a/spire") && !is_reserved("") && !is_reserved("/Spire")
    );
}

#[test]
fn agents_are_below_spire_agent() {
    let is_agent = |path: &str| SpiffeId::new(&td(), path).unwrap().is_agent();
    assert!(is_agent("/spire/agent/join_token/1"));
    assert!(!is_agent("/spire/agent") && !is_agent("/spire/agents/x") && !is_agent("/spire/server"));
}

#[test]
fn trust_domain_is_read_from_its_name_or_from_any_of_its_ids() {
    for text in ["td", "spiffe://td", "spiffe://td/a"] {
        assert_eq!(TrustDomain::from_name_or_id(text).unwrap(), td());
    }
    for text in
        ["", "TD", "td/", "td/a", "spiffe://td/", "spiffe://td/../bad", "https://td", "td:80", "spiffe:td"]
    {
        assert!(TrustDomain::from_name_or_id(text).is_err(), "{text}");
    }
}

#[test]
fn trust_domain_of_an_id_equals_the_parsed_one() {
    use std::hash::{BuildHasher, RandomState};
    let of_id = SpiffeId::parse("spiffe://td/a/b").unwrap().trust_domain();
    assert_eq!(of_id, td());
    assert_eq!(of_id.cmp(&td()), std::cmp::Ordering::Equal);
    let state = RandomState::new();
    assert_eq!(state.hash_one(&of_id), state.hash_one(td()));
    assert_eq!(of_id.id().as_str(), "spiffe://td");
    assert_eq!(of_id.server_id().as_str(), "spiffe://td/spire/server");
}

#[test]
fn errors_name_the_byte_at_fault() {
    let message = |id: &[u8]| SpiffeId::parse(id).unwrap_err().to_string();
    assert_eq!(
        message(b"spiffe://tD"),
        "trust domain name has `D` in it; use only a-z, 0-9, dot, dash and underscore"
    );
    assert_eq!(
        message(b"spiffe://td/\xff"),
        "path has the byte 0xff in it; use only letters, digits, dot, dash, underscore and slash"
    );
}
