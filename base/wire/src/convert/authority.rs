//! Signing authorities.

use super::time;
use crate::AuthorityState;
use crate::error::WireError;
use crate::proto::local_authority as proto;

pub(crate) fn to_authority(authority: AuthorityState) -> proto::AuthorityState {
    proto::AuthorityState {
        authority_id: authority.id,
        expires_at: time::seconds(authority.expires_at),
        upstream_authority_subject_key_id: authority.upstream_subject_key_id.unwrap_or_default(),
    }
}

pub(crate) fn authority(authority: proto::AuthorityState) -> Result<AuthorityState, WireError> {
    let upstream = authority.upstream_authority_subject_key_id;
    Ok(AuthorityState {
        id: authority.authority_id,
        expires_at: time::instant("authority's expires_at", authority.expires_at)?,
        upstream_subject_key_id: (!upstream.is_empty()).then_some(upstream),
    })
}
