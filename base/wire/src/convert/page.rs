//! Page sizes and tokens. A token is the key of the page's last item in base64url, so that it is opaque on the wire
//! and typed within.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use finial_identity::{EntryId, SpiffeId, TrustDomain};
use tonic::Status;

use crate::error::WireError;
use crate::{Page, Paged};

/// The page of a list of entries; size 0 is everything.
pub(crate) fn entries(size: i32, token: &str) -> Result<Page<EntryId>, Status> {
    page(size, token, |key| EntryId::new(key).ok()).map_err(WireError::refusal)
}

/// The page of a list of agents; size 0 is everything.
pub(crate) fn agents(size: i32, token: &str) -> Result<Page<SpiffeId>, Status> {
    page(size, token, |key| SpiffeId::parse(key).ok()).map_err(WireError::refusal)
}

/// The page of a list of bundles; size 0 is everything.
pub(crate) fn bundles(size: i32, token: &str) -> Result<Page<TrustDomain>, Status> {
    page(size, token, |key| TrustDomain::parse(&key).ok()).map_err(WireError::refusal)
}

/// The token for the page after this one; empty when this is the last.
pub(crate) fn next_token<T>(page: &Paged<T>, key: impl Fn(&T) -> &str) -> String {
    let last = page.items.last().filter(|_| page.more);
    last.map_or_else(String::new, |item| URL_SAFE_NO_PAD.encode(key(item)))
}

fn page<K>(size: i32, token: &str, key: impl FnOnce(String) -> Option<K>) -> Result<Page<K>, WireError> {
    let size =
        usize::try_from(size).map_err(|_| WireError::Negative { field: "page_size", value: size.into() })?;
    Ok(Page { size: (size != 0).then_some(size), after: after(token, key)? })
}

fn after<K>(token: &str, key: impl FnOnce(String) -> Option<K>) -> Result<Option<K>, WireError> {
    if token.is_empty() {
        return Ok(None);
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    let after = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).and_then(key);
    after.map(Some).ok_or_else(|| WireError::PageToken(token.to_owned()))
}

#[cfg(test)]
mod tests;
