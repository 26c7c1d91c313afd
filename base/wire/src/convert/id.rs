//! SPIFFE IDs, trust domains and selectors.

use finial_identity::{Selector, SelectorSet, SpiffeId, TrustDomain};

use crate::convert::batch::{at_most, no_longer_than};
use crate::error::WireError;
use crate::proto::types;
use crate::{MAX_SELECTOR_BYTES, MAX_SELECTORS};

/// A SPIFFE ID in two parts, which must be there.
pub(crate) fn spiffe_id(field: &'static str, id: Option<types::Spiffeid>) -> Result<SpiffeId, WireError> {
    let id = id.ok_or(WireError::Missing(field))?;
    let bad = |source| WireError::SpiffeId { field, source };
    SpiffeId::new(&TrustDomain::parse(&id.trust_domain).map_err(bad)?, &id.path).map_err(bad)
}

/// A SPIFFE ID in two parts, if it is there.
pub(crate) fn optional_spiffe_id(
    field: &'static str,
    id: Option<types::Spiffeid>,
) -> Result<Option<SpiffeId>, WireError> {
    id.map(|id| spiffe_id(field, Some(id))).transpose()
}

/// The two parts of a SPIFFE ID.
pub(crate) fn to_spiffe_id(id: &SpiffeId) -> types::Spiffeid {
    types::Spiffeid { trust_domain: id.trust_domain().name().to_owned(), path: id.path().to_owned() }
}

/// A trust domain by name, or by ID as some callers have it.
pub(crate) fn trust_domain(field: &'static str, text: &str) -> Result<TrustDomain, WireError> {
    TrustDomain::from_name_or_id(text).map_err(|source| WireError::TrustDomain { field, source })
}

/// At most [`MAX_SELECTORS`] selectors, none longer than [`MAX_SELECTOR_BYTES`].
pub(crate) fn selectors(selectors: Vec<types::Selector>) -> Result<SelectorSet, WireError> {
    at_most(MAX_SELECTORS, "selectors", selectors.len())?;
    for selector in &selectors {
        no_longer_than(MAX_SELECTOR_BYTES, "selector", selector.r#type.len() + 1 + selector.value.len())?;
    }
    any_selectors(selectors)
}

/// Selectors of which there may be any number: those that a server reports.
pub(crate) fn any_selectors(selectors: Vec<types::Selector>) -> Result<SelectorSet, WireError> {
    selectors.into_iter().map(selector).collect()
}

/// Empty parts are caught here: a selector without a type is all value, which an error must not show.
fn selector(selector: types::Selector) -> Result<Selector, WireError> {
    if selector.r#type.is_empty() {
        return Err(WireError::Missing("selector type"));
    }
    if selector.value.is_empty() {
        return Err(WireError::Missing("selector value"));
    }
    Selector::new(selector.r#type, selector.value).map_err(WireError::Selector)
}

/// The selectors, in order.
pub(crate) fn to_selectors(selectors: &SelectorSet) -> Vec<types::Selector> {
    let text = |selector: &Selector| (selector.kind().to_owned(), selector.value().to_owned());
    selectors.iter().map(text).map(|(r#type, value)| types::Selector { r#type, value }).collect()
}

#[cfg(test)]
mod tests;
