//! SVIDs, and what is needed to ask for them.

use finial_identity::{Audience, EntryId, JwtSvid, SpiffeId, X509Svid};
use rustls_pki_types::CertificateDer;

use super::batch::{at_most, no_longer_than};
use super::{entry, id, time};
use crate::error::WireError;
use crate::proto::svid as proto;
use crate::proto::types;
use crate::{MAX_AUDIENCE_BYTES, MAX_AUDIENCES};

pub(crate) fn to_x509_svid(svid: &X509Svid) -> types::X509svid {
    types::X509svid {
        cert_chain: svid.chain().iter().map(|certificate| certificate.to_vec()).collect(),
        id: Some(id::to_spiffe_id(svid.id())),
        expires_at: time::seconds(svid.not_after()),
        hint: String::new(),
    }
}

/// An X.509-SVID as a server gives it. Its certificates speak; the ID beside them must agree.
pub(crate) fn x509_svid(svid: Option<types::X509svid>) -> Result<X509Svid, WireError> {
    let svid = svid.ok_or(WireError::Missing("x509-svid"))?;
    let stated = id::spiffe_id("x509-svid's id", svid.id)?;
    let chain = svid.cert_chain.into_iter().map(CertificateDer::from).collect();
    let svid = X509Svid::from_chain(chain).map_err(WireError::X509Svid)?;
    same_id("x509-svid", &stated, svid.id())?;
    Ok(svid)
}

pub(crate) fn to_jwt_svid(svid: &JwtSvid) -> types::Jwtsvid {
    types::Jwtsvid {
        token: svid.token().to_owned(),
        id: Some(id::to_spiffe_id(svid.id())),
        expires_at: time::seconds(svid.expires_at()),
        issued_at: time::optional_seconds(svid.issued_at()),
        hint: svid.hint().to_owned(),
    }
}

/// A JWT-SVID as a server gives it. Its claims speak; the ID beside them must agree.
pub(crate) fn jwt_svid(svid: Option<types::Jwtsvid>) -> Result<JwtSvid, WireError> {
    let svid = svid.ok_or(WireError::Missing("jwt-svid"))?;
    let stated = id::spiffe_id("jwt-svid's id", svid.id)?;
    let parsed = JwtSvid::parse_unverified(&svid.token).map_err(WireError::JwtSvid)?;
    same_id("jwt-svid", &stated, parsed.id())?;
    Ok(parsed.with_hint(svid.hint))
}

/// Refuses a document that is not of the ID it was announced for.
pub(crate) fn same_id(document: &'static str, stated: &SpiffeId, actual: &SpiffeId) -> Result<(), WireError> {
    if stated != actual {
        return Err(WireError::OtherId { document, stated: stated.to_string(), actual: actual.to_string() });
    }
    Ok(())
}

/// What is needed for one X.509-SVID; both must be there.
pub(crate) fn x509_params(params: proto::NewX509svidParams) -> Result<(EntryId, Vec<u8>), WireError> {
    Ok((entry::id(&params.entry_id)?, csr(params.csr)?))
}

/// A CSR that must be there.
pub(crate) fn csr(csr: Vec<u8>) -> Result<Vec<u8>, WireError> {
    if csr.is_empty() { Err(WireError::Missing("CSR")) } else { Ok(csr) }
}

/// At least one audience, and at most [`MAX_AUDIENCES`] of [`MAX_AUDIENCE_BYTES`] together.
pub(crate) fn audience(audience: Vec<String>) -> Result<Audience, WireError> {
    at_most(MAX_AUDIENCES, "audiences", audience.len())?;
    no_longer_than(MAX_AUDIENCE_BYTES, "audiences", audience.iter().map(String::len).sum())?;
    Audience::new(audience).map_err(WireError::JwtSvid)
}

#[cfg(test)]
mod tests;
