//! The nouns as SPIRE's commands print them: labels padded to 24 or 18 columns, and their JSON.

use std::{fmt::Write, time::SystemTime};

use base64::{Engine, engine::general_purpose::STANDARD};
use finial_daemon::go;
use finial_identity::{Bundle, Entry, EntryDraft, EntryId, Node, SpiffeId};
use serde_json::{Value, json};

/// One entry as `entry create` and `entry show` print it, with the empty line that ends it.
pub(crate) fn entry(entry: &Entry) -> String {
    described(entry.id.as_str(), entry.revision_number, entry)
}

/// One entry that a server refused, in the same form.
pub(crate) fn draft(id: Option<&EntryId>, draft: &EntryDraft) -> String {
    described(id.map_or("(none)", EntryId::as_str), 0, draft)
}

fn described(id: &str, revision: i64, entry: &EntryDraft) -> String {
    let mut out = String::new();
    let mut line = |label: &str, value: &dyn std::fmt::Display| {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{label:<24}: {value}");
    };
    let ttl =
        |ttl: Option<std::time::Duration>| ttl.map_or("default".to_owned(), |ttl| ttl.as_secs().to_string());
    line("Entry ID", &id);
    line("SPIFFE ID", &entry.spiffe_id);
    line("Parent ID", &entry.parent_id);
    line("Revision", &revision);
    if entry.downstream {
        line("Downstream", &true);
    }
    line("X509-SVID TTL", &ttl(entry.x509_svid_ttl));
    line("JWT-SVID TTL", &ttl(entry.jwt_svid_ttl));
    if let Some(expires_at) = entry.expires_at {
        line("Expiration time", &go::format_time(expires_at));
    }
    entry.selectors.iter().for_each(|selector| line("Selector", selector));
    entry.federates_with.iter().for_each(|domain| line("FederatesWith", domain));
    entry.dns_names.iter().for_each(|name| line("DNS name", name));
    if entry.admin {
        line("Admin", &true);
    }
    if entry.store_svid {
        line("StoreSvid", &true);
    }
    if !entry.hint.is_empty() {
        line("Hint", &entry.hint);
    }
    if entry.x509_svid_prefetch_disabled {
        line("DisableX509SvidPrefetch", &true);
    }
    if entry.jwt_svid_includes_jti {
        line("JwtSvidIncludeJti", &true);
    }
    out.push('\n');
    out
}

/// One entry as protobuf's JSON mapping writes it.
pub(crate) fn entry_json(entry: &Entry) -> Value {
    described_json(entry.id.as_str(), entry.revision_number, &seconds(Some(entry.created_at)), entry)
}

/// One entry that a server refused, in the same form.
pub(crate) fn draft_json(id: Option<&EntryId>, draft: &EntryDraft) -> Value {
    described_json(id.map_or("", EntryId::as_str), 0, &seconds(None), draft)
}

fn described_json(id: &str, revision: i64, created_at: &str, entry: &EntryDraft) -> Value {
    let mut json = json!({
        "id": id,
        "spiffe_id": id_json(&entry.spiffe_id),
        "parent_id": id_json(&entry.parent_id),
        "selectors": entry.selectors.iter().map(|s| json!({"type": s.kind(), "value": s.value()})).collect::<Vec<_>>(),
        "x509_svid_ttl": entry.x509_svid_ttl.map_or(0, |ttl| ttl.as_secs()),
        "jwt_svid_ttl": entry.jwt_svid_ttl.map_or(0, |ttl| ttl.as_secs()),
        "federates_with": entry.federates_with.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "admin": entry.admin,
        "downstream": entry.downstream,
        "expires_at": seconds(entry.expires_at),
        "dns_names": entry.dns_names,
        "revision_number": revision.to_string(),
        "store_svid": entry.store_svid,
        "hint": entry.hint,
        "created_at": created_at,
    });
    // A message, which is left out when it is not there.
    if entry.x509_svid_prefetch_disabled || entry.jwt_svid_includes_jti {
        json["additional_attributes"] = json!({
            "disable_x509_svid_prefetch": entry.x509_svid_prefetch_disabled,
            "jwt_svid_include_jti": entry.jwt_svid_includes_jti,
        });
    }
    json
}

/// The status of one item of a batch that was done, as protobuf's JSON mapping writes it.
pub(crate) fn ok_json() -> Value {
    json!({"code": 0, "message": "OK"})
}

/// One agent as `agent list` and `agent show` print it, without the selectors.
pub(crate) fn node(node: &Node) -> String {
    let mut out = String::new();
    let mut line = |label: &str, value: &dyn std::fmt::Display| {
        let _ = writeln!(out, "{label:<18}: {value}");
    };
    line("SPIFFE ID", &node.id);
    line("Attestation type", &node.attestation_type);
    line("Expiration time", &go::format_time(node.expires_at));
    match node.is_banned() {
        true => line("Banned", &true),
        false => line("Serial number", &node.serial_number),
    }
    line("Can re-attest", &node.can_reattest);
    if !node.agent_version.is_empty() {
        line("Agent version", &node.agent_version);
    }
    out
}

/// One agent as protobuf's JSON mapping writes it.
pub(crate) fn node_json(node: &Node) -> Value {
    json!({
        "id": id_json(&node.id),
        "attestation_type": node.attestation_type,
        "x509svid_serial_number": node.serial_number,
        "x509svid_expires_at": seconds(Some(node.expires_at)),
        "selectors": node.selectors.iter().map(|s| json!({"type": s.kind(), "value": s.value()})).collect::<Vec<_>>(),
        "banned": node.is_banned(),
        "can_reattest": node.can_reattest,
        "agent_version": node.agent_version,
    })
}

/// One bundle as protobuf's JSON mapping writes it.
pub(crate) fn bundle_json(bundle: &Bundle) -> Value {
    let x509 = bundle.x509_authorities.iter().map(|authority| {
        json!({"asn1": STANDARD.encode(authority.certificate()), "tainted": authority.is_tainted()})
    });
    let jwt = bundle.jwt_authorities.iter().map(|authority| {
        json!({
            "public_key": STANDARD.encode(authority.public_key.spki_der()),
            "key_id": authority.key_id,
            "expires_at": seconds(authority.expires_at),
            "tainted": authority.tainted,
        })
    });
    json!({
        "trust_domain": bundle.trust_domain.name(),
        "x509_authorities": x509.collect::<Vec<_>>(),
        "jwt_authorities": jwt.collect::<Vec<_>>(),
        "refresh_hint": bundle.refresh_hint.map_or(0, |hint| hint.as_secs()).to_string(),
        "sequence_number": bundle.sequence_number.to_string(),
        "wit_authorities": [],
    })
}

/// A SPIFFE ID as protobuf's JSON mapping writes it.
pub(crate) fn id_json(id: &SpiffeId) -> Value {
    json!({"trust_domain": id.trust_domain().name(), "path": id.path()})
}

/// Seconds since the epoch, as a string: protobuf's JSON mapping of int64.
pub(crate) fn seconds(time: Option<SystemTime>) -> String {
    time.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok())
        .map_or(0, |since| since.as_secs())
        .to_string()
}

/// `1 entry`, `2 entries`.
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
