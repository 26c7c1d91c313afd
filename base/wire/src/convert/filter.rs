//! Matches of sets.

use finial_identity::TrustDomain;

use super::{batch::at_most, id};
use crate::error::WireError;
use crate::proto::types::{self, federates_with_match, selector_match};
use crate::{FederatesWithMatch, MAX_LIST, SelectorMatch, SetMatch};

/// A match of selectors, of which there must be one.
pub(crate) fn selector_match(given: types::SelectorMatch) -> Result<SelectorMatch, WireError> {
    let rule = match selector_match::MatchBehavior::try_from(given.r#match) {
        Ok(selector_match::MatchBehavior::MatchExact) => SetMatch::Exact,
        Ok(selector_match::MatchBehavior::MatchSubset) => SetMatch::Subset,
        Ok(selector_match::MatchBehavior::MatchSuperset) => SetMatch::Superset,
        Ok(selector_match::MatchBehavior::MatchAny) => SetMatch::Any,
        Err(_) => return Err(WireError::Match(given.r#match)),
    };
    if given.selectors.is_empty() {
        return Err(WireError::Missing("selectors to match with"));
    }
    Ok(SelectorMatch { selectors: id::selectors(given.selectors)?, rule })
}

pub(crate) fn to_selector_match(given: &SelectorMatch) -> types::SelectorMatch {
    let rule = match given.rule {
        SetMatch::Exact => selector_match::MatchBehavior::MatchExact,
        SetMatch::Subset => selector_match::MatchBehavior::MatchSubset,
        SetMatch::Superset => selector_match::MatchBehavior::MatchSuperset,
        SetMatch::Any => selector_match::MatchBehavior::MatchAny,
    };
    types::SelectorMatch { selectors: id::to_selectors(&given.selectors), r#match: rule.into() }
}

/// A match of trust domains, of which there must be one.
pub(crate) fn federates_with_match(
    given: &types::FederatesWithMatch,
) -> Result<FederatesWithMatch, WireError> {
    let rule = match federates_with_match::MatchBehavior::try_from(given.r#match) {
        Ok(federates_with_match::MatchBehavior::MatchExact) => SetMatch::Exact,
        Ok(federates_with_match::MatchBehavior::MatchSubset) => SetMatch::Subset,
        Ok(federates_with_match::MatchBehavior::MatchSuperset) => SetMatch::Superset,
        Ok(federates_with_match::MatchBehavior::MatchAny) => SetMatch::Any,
        Err(_) => return Err(WireError::Match(given.r#match)),
    };
    if given.trust_domains.is_empty() {
        return Err(WireError::Missing("trust domains to match with"));
    }
    at_most(MAX_LIST, "trust domains", given.trust_domains.len())?;
    let names = given.trust_domains.iter();
    Ok(FederatesWithMatch {
        trust_domains: names
            .map(|name| id::trust_domain("by_federates_with", name))
            .collect::<Result<_, _>>()?,
        rule,
    })
}

pub(crate) fn to_federates_with_match(given: &FederatesWithMatch) -> types::FederatesWithMatch {
    let rule = match given.rule {
        SetMatch::Exact => federates_with_match::MatchBehavior::MatchExact,
        SetMatch::Subset => federates_with_match::MatchBehavior::MatchSubset,
        SetMatch::Superset => federates_with_match::MatchBehavior::MatchSuperset,
        SetMatch::Any => federates_with_match::MatchBehavior::MatchAny,
    };
    let trust_domains = given.trust_domains.iter().map(TrustDomain::name).map(str::to_owned).collect();
    types::FederatesWithMatch { trust_domains, r#match: rule.into() }
}

#[cfg(test)]
mod tests;
