//! Files of entries: good ones, and ones that break one rule each.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use super::parse;

const ENTRY: &str = r#"{"spiffe_id": "spiffe://td/web", "parent_id": "spiffe://td/node",
    "selectors": [{"type": "unix", "value": "uid:7"}] MORE}"#;

/// A file of one entry, with these members more.
fn file(more: &str) -> String {
    format!("{{\"entries\": [{}]}}", ENTRY.replace("MORE", more))
}

#[test]
fn every_field_is_read() {
    let text = file(
        r#", "entry_id": "web", "x509_svid_ttl": 60, "jwt_svid_ttl": 30, "federates_with": ["spiffe://other.test"],
        "admin": true, "entryExpiry": 4000000000, "dns_names": ["web", "db"], "hint": "internal",
        "additional_attributes": {"disable_x509_svid_prefetch": true, "jwt_svid_include_jti": true}"#,
    );
    let entries = parse(text.as_bytes()).unwrap();
    let [(id, draft)] = &entries[..] else { panic!("one entry") };
    assert_eq!(id.as_ref().unwrap().as_str(), "web");
    assert_eq!(draft.spiffe_id.as_str(), "spiffe://td/web");
    assert_eq!(draft.parent_id.as_str(), "spiffe://td/node");
    assert_eq!(draft.selectors.iter().map(ToString::to_string).collect::<Vec<_>>(), ["unix:uid:7"]);
    assert_eq!(draft.x509_svid_ttl, Some(Duration::from_secs(60)));
    assert_eq!(draft.jwt_svid_ttl, Some(Duration::from_secs(30)));
    assert_eq!(draft.federates_with[0].name(), "other.test");
    assert!(draft.admin && draft.expires_at.is_some());
    assert_eq!(draft.dns_names, ["web", "db"]);
    assert_eq!(draft.hint, "internal");
    assert!(draft.x509_svid_prefetch_disabled && draft.jwt_svid_includes_jti);
}

#[test]
fn what_is_left_out_has_its_default() {
    let entries = parse(file("").as_bytes()).unwrap();
    let [(None, draft)] = &entries[..] else { panic!("one entry without an ID") };
    assert!(draft.x509_svid_ttl.is_none() && draft.expires_at.is_none() && !draft.admin);
}

#[test]
fn each_mistake_is_named() {
    for (text, words) in [
        ("", "EOF"),
        ("[]", "invalid length 0"),
        ("{}", "missing field `entries`"),
        (r#"{"entries": []}"#, "it has no entries"),
        (r#"{"entries": [{}]}"#, "missing field `spiffe_id`"),
        (&file(r#", "ttl": 60"#), "unknown field `ttl`"),
        (&file(r#", "x509_svid_ttl": -1"#), "invalid value: integer `-1`"),
        (&file(r#", "entry_id": "a/b""#), "entry 1 of the file: entry id must be"),
        (&file(r#", "federates_with": ["Other"]"#), "entry 1 of the file: federates_with"),
        (&file(r#", "entryExpiry": 18446744073709551615"#), "entryExpiry is too far away"),
        (&file(r#", "downstream": true"#), "downstream is not supported yet"),
        (&file(r#", "store_svid": true"#), "storeSVID is not supported yet"),
        (&file("").replace("spiffe://td/web", "web"), "entry 1 of the file: spiffe_id \"web\""),
        (&file("").replace("\"unix\"", "\"\""), "entry 1 of the file: selectors"),
    ] {
        let error = format!("{:#}", parse(text.as_bytes()).unwrap_err());
        assert!(error.contains(words), "{words:?} is not in {error:?}");
    }
}
