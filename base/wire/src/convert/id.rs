//! SPIFFE IDs, trust domains and selectors.

use finial_identity::{Selector, SelectorSet, SpiffeId, TrustDomain};

use crate::convert::batch::{at_most, no_longer_than};
use crate::error::WireError;
use crate::proto::types;
use crate::{MAX_SELECTOR_BYTES, MAX_SELECTORS};

/// A SPIFFE ID in two parts, which must be there.
pub(crate) fn spiffe_id(field: &'static str, id: Option<types::Spiffeid>) -> Result<SpiffeId, WireError> {
    let types::Spiffeid { trust_domain, path } = id.ok_or(WireError::Missing(field))?;
    spiffe_id_of(field, Some((&trust_domain, &path)))
}

/// The same, from the two parts themselves.
pub(crate) fn spiffe_id_of(field: &'static str, id: Option<(&str, &str)>) -> Result<SpiffeId, WireError> {
    let (trust_domain, path) = id.ok_or(WireError::Missing(field))?;
    SpiffeId::from_name_and_path(trust_domain, path).map_err(|source| WireError::SpiffeId { field, source })
}

/// The SPIFFE ID that was read last, lent to the next that is the same: entries that travel together mostly have one parent.
#[derive(Debug, Default)]
pub(crate) struct LastId(Option<SpiffeId>);

impl LastId {
    /// [`spiffe_id_of`] these parts.
    pub(crate) fn or_next(
        &mut self,
        field: &'static str,
        id: Option<(&str, &str)>,
    ) -> Result<SpiffeId, WireError> {
        if let Some(last) = &self.0
            && id == Some((last.trust_domain_name(), last.path()))
        {
            return Ok(last.clone());
        }
        let next = spiffe_id_of(field, id)?;
        self.0 = Some(next.clone());
        Ok(next)
    }
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
    types::Spiffeid { trust_domain: id.trust_domain_name().to_owned(), path: id.path().to_owned() }
}

/// A trust domain by name, or by ID as some callers have it.
pub(crate) fn trust_domain(field: &'static str, text: &str) -> Result<TrustDomain, WireError> {
    TrustDomain::from_name_or_id(text).map_err(|source| WireError::TrustDomain { field, source })
}

/// At most [`MAX_SELECTORS`] selectors, none longer than [`MAX_SELECTOR_BYTES`].
pub(crate) fn selectors(selectors: Vec<types::Selector>) -> Result<SelectorSet, WireError> {
    at_most(MAX_SELECTORS, "selectors", selectors.len())?;
    selectors.iter().try_for_each(|selector| fits(&selector.r#type, &selector.value))?;
    any_selectors(selectors)
}

/// The same, from types and values.
pub(crate) fn selectors_of(selectors: &[(&str, &str)]) -> Result<SelectorSet, WireError> {
    at_most(MAX_SELECTORS, "selectors", selectors.len())?;
    selectors.iter().try_for_each(|(kind, value)| fits(kind, value))?;
    let mut checked = Vec::with_capacity(selectors.len());
    for (kind, value) in selectors {
        checked.push(selector(kind, value)?);
    }
    Ok(checked.into_iter().collect())
}

fn fits(kind: &str, value: &str) -> Result<(), WireError> {
    no_longer_than(MAX_SELECTOR_BYTES, "selector", kind.len() + 1 + value.len())
}

/// Selectors of which there may be any number: those that a server reports.
pub(crate) fn any_selectors(selectors: Vec<types::Selector>) -> Result<SelectorSet, WireError> {
    selectors.into_iter().map(|given| selector(&given.r#type, &given.value)).collect()
}

/// Empty parts are caught here: a selector without a type is all value, which an error must not show.
fn selector(kind: &str, value: &str) -> Result<Selector, WireError> {
    if kind.is_empty() {
        return Err(WireError::Missing("selector type"));
    }
    if value.is_empty() {
        return Err(WireError::Missing("selector value"));
    }
    Selector::new(kind, value).map_err(WireError::Selector)
}

/// The selectors, in order.
pub(crate) fn to_selectors(selectors: &SelectorSet) -> Vec<types::Selector> {
    let text = |selector: &Selector| (selector.kind().to_owned(), selector.value().to_owned());
    selectors.iter().map(text).map(|(r#type, value)| types::Selector { r#type, value }).collect()
}

#[cfg(test)]
mod tests;
