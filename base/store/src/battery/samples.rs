//! Nouns to store.

use std::time::{Duration, SystemTime};

use finial_identity::{
    Bundle, Entry, EntryDraft, EntryId, JwtAuthority, KeyKind, Node, PrivateKey, SelectorSet, SpiffeId,
    TrustDomain, X509Authority,
};

/// An instant in whole seconds.
pub(crate) fn instant() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

pub(crate) fn trust_domain() -> TrustDomain {
    TrustDomain::parse("example.org").unwrap()
}

pub(crate) fn spiffe_id(path: &str) -> SpiffeId {
    SpiffeId::new(&trust_domain(), path).unwrap()
}

pub(crate) fn entry_id(id: &str) -> EntryId {
    EntryId::new(id).unwrap()
}

pub(crate) fn selectors(texts: &[&str]) -> SelectorSet {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

pub(crate) fn draft(path: &str) -> EntryDraft {
    EntryDraft::new(spiffe_id(path), spiffe_id("/spire/agent/x"), selectors(&["unix:uid:1", "unix:gid:2"]))
}

pub(crate) fn entry(id: &str, draft: EntryDraft) -> Entry {
    Entry::new(draft, entry_id(id), &trust_domain(), instant()).unwrap()
}

/// An entry with a value of its own in every field.
pub(crate) fn full_entry(id: &str) -> Entry {
    let mut draft = draft("/full");
    draft.selectors = selectors(&["store:name:a \"quoted\" €", "store:arn:1"]);
    draft.x509_svid_ttl = Some(Duration::from_secs(61));
    draft.jwt_svid_ttl = Some(Duration::from_secs(62));
    draft.federates_with = vec![TrustDomain::parse("b.test").unwrap(), TrustDomain::parse("a.test").unwrap()];
    draft.admin = true;
    draft.downstream = true;
    draft.store_svid = true;
    draft.expires_at = Some(instant() + Duration::from_secs(63));
    draft.dns_names = vec!["z.example.org".into(), "a.example.org".into()];
    draft.hint = "hint'; DROP TABLE entries; --".into();
    draft.x509_svid_prefetch_disabled = true;
    draft.jwt_svid_includes_jti = true;
    entry(id, draft)
}

pub(crate) fn node(name: &str) -> Node {
    Node {
        id: spiffe_id(&format!("/spire/agent/{name}")),
        attestation_type: "join_token".into(),
        serial_number: "123456789012345678901234567890".into(),
        expires_at: instant(),
        new_serial_number: None,
        new_expires_at: None,
        selectors: SelectorSet::default(),
        can_reattest: false,
        agent_version: String::new(),
    }
}

/// A bundle with a tainted authority and a key that ends.
pub(crate) fn bundle(name: &str) -> Bundle {
    let mut bundle = Bundle::empty(TrustDomain::parse(name).unwrap());
    bundle.x509_authorities = vec![x509_authority(), x509_authority().tainted(true)];
    bundle.jwt_authorities = vec![jwt_authority("one", Some(instant())), jwt_authority("two", None)];
    bundle.refresh_hint = Some(Duration::from_secs(300));
    bundle
}

pub(crate) fn jwt_authority(key_id: &str, expires_at: Option<SystemTime>) -> JwtAuthority {
    let public_key = PrivateKey::generate(KeyKind::EcP256).unwrap().public_key().clone();
    JwtAuthority { key_id: key_id.into(), public_key, expires_at, tainted: expires_at.is_none() }
}

/// A certificate that was made for this file, and whose key is gone.
fn x509_authority() -> X509Authority {
    X509Authority::parse_der(include_bytes!("authority.der").to_vec()).unwrap()
}
