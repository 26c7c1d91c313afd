//! What the bundle must hold, given the journal: the bundle follows the decisions.

use std::time::{Duration, SystemTime};

use finial_identity::{Bundle, JwtAuthority, X509Authority};

use super::journal::{Journal, Mark};
use super::schedule::{KEEP_EXPIRED, refresh_hint};
use super::{Authority, AuthorityKind, AuthorityRecord, State};

/// The stored bundle brought in line with the journal: every unexpired authority is in it, those revoked are not,
/// taints are marked, and what expired a day ago is gone. Authorities that the journal does not know stay, for what
/// they signed is still in use.
pub(super) fn bundle(journal: &Journal, stored: &Bundle, now: SystemTime) -> Bundle {
    let mut bundle = stored.clone();
    for record in journal.authorities.iter().filter(|record| now < record.not_after) {
        if holds(&bundle, record) {
            continue;
        }
        bundle.x509_authorities.extend(record.x509_authority());
        bundle.jwt_authorities.extend(record.jwt_authority());
    }
    let marked = |marks: &[Mark], kind, id: &str| marks.iter().any(|mark| mark.kind == kind && mark.id == id);
    bundle.x509_authorities = bundle
        .x509_authorities
        .into_iter()
        .filter(|authority| now < authority.not_after() + KEEP_EXPIRED)
        .filter(|authority| !marked(&journal.revoked, AuthorityKind::X509, &authority.subject_key_id_hex()))
        .map(|authority| {
            let taint = marked(&journal.tainted, AuthorityKind::X509, &authority.subject_key_id_hex());
            if taint { authority.tainted(true) } else { authority }
        })
        .collect();
    bundle.jwt_authorities.retain(|authority| {
        authority.expires_at.is_none_or(|end| now < end + KEEP_EXPIRED)
            && !marked(&journal.revoked, AuthorityKind::Jwt, &authority.key_id)
    });
    for authority in &mut bundle.jwt_authorities {
        authority.tainted |= marked(&journal.tainted, AuthorityKind::Jwt, &authority.key_id);
    }
    bundle.refresh_hint = shortest_life(journal).map(refresh_hint);
    bundle
}

/// Whether the bundle holds exactly this certificate or key, so that what it signs verifies.
pub(super) fn holds(bundle: &Bundle, record: &AuthorityRecord) -> bool {
    let document = record.document.as_slice();
    match record.kind {
        AuthorityKind::X509 => {
            bundle.x509_authorities.iter().any(|authority| authority.certificate().as_ref() == document)
        }
        AuthorityKind::Jwt => bundle
            .jwt_authorities
            .iter()
            .any(|authority| authority.key_id == record.id && authority.public_key.spki_der() == document),
    }
}

/// An authority in the bundle, and whether it is tainted.
pub(super) fn find(bundle: &Bundle, kind: AuthorityKind, id: &str) -> Option<(Authority, bool)> {
    match kind {
        AuthorityKind::X509 => {
            let found =
                bundle.x509_authorities.iter().find(|authority| authority.subject_key_id_hex() == id)?;
            Some((of_x509(found), found.is_tainted()))
        }
        AuthorityKind::Jwt => {
            let found = bundle.jwt_authorities.iter().find(|authority| authority.key_id == id)?;
            Some((of_jwt(found), found.tainted))
        }
    }
}

/// When the next authority leaves the bundle because it expired a day before.
pub(super) fn next_prune(bundle: &Bundle) -> Option<SystemTime> {
    let x509 = bundle.x509_authorities.iter().map(X509Authority::not_after);
    let jwt = bundle.jwt_authorities.iter().filter_map(|authority| authority.expires_at);
    x509.chain(jwt).min().map(|end| end + KEEP_EXPIRED)
}

fn of_x509(authority: &X509Authority) -> Authority {
    Authority { id: authority.subject_key_id_hex(), expires_at: authority.not_after() }
}

fn of_jwt(authority: &JwtAuthority) -> Authority {
    let far = SystemTime::UNIX_EPOCH + Duration::from_hours(24 * 365 * 1000);
    Authority { id: authority.key_id.clone(), expires_at: authority.expires_at.unwrap_or(far) }
}

fn shortest_life(journal: &Journal) -> Option<Duration> {
    let signing = journal.authorities.iter().filter(|record| record.state != State::Old);
    signing.filter(|record| record.kind == AuthorityKind::X509).map(AuthorityRecord::life).min()
}
