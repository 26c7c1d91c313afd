//! The flags that choose entries, shared by `show` and `count`.

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use finial_identity::{Selector, SpiffeId, TrustDomain};
use finial_wire::{EntryFilter, FederatesWithMatch, SelectorMatch, SetMatch};

#[derive(Args)]
pub(super) struct Filter {
    /// Only entries below this parent
    #[arg(long = "parentID", visible_alias = "parent-id", value_name = "ID")]
    parent_id: Option<String>,
    /// Only entries with this SPIFFE ID
    #[arg(long = "spiffeID", visible_alias = "spiffe-id", value_name = "ID")]
    spiffe_id: Option<String>,
    /// Only entries with these selectors, as type:value; give it several times
    #[arg(long = "selector", value_name = "TYPE:VALUE")]
    selectors: Vec<String>,
    /// Only entries that federate with this trust domain; give it several times
    #[arg(long = "federatesWith", visible_alias = "federates-with", value_name = "TRUST DOMAIN")]
    federates_with: Vec<String>,
    /// Only entries of downstream servers
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = clap::ArgAction::Set)]
    downstream: bool,
    /// Only entries with this hint
    #[arg(long)]
    hint: Option<String>,
    /// How -selector is compared
    #[arg(long = "matchSelectorsOn", visible_alias = "match-selectors-on", value_enum, default_value_t = On::Superset)]
    match_selectors_on: On,
    /// How -federatesWith is compared
    #[arg(long = "matchFederatesWithOn", visible_alias = "match-federates-with-on", value_enum, default_value_t = On::Superset)]
    match_federates_with_on: On,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum On {
    Exact,
    Subset,
    Superset,
    Any,
}

impl From<On> for SetMatch {
    fn from(on: On) -> Self {
        match on {
            On::Exact => Self::Exact,
            On::Subset => Self::Subset,
            On::Superset => Self::Superset,
            On::Any => Self::Any,
        }
    }
}

impl Filter {
    pub(super) fn parse(&self) -> Result<EntryFilter> {
        let id = |flag: &str, text: &Option<String>| {
            text.as_ref()
                .map(|text| SpiffeId::parse(text).with_context(|| format!("{flag} {text:?}")))
                .transpose()
        };
        let selectors = self
            .selectors
            .iter()
            .map(|text| Selector::parse(text).with_context(|| format!("-selector {text:?}")))
            .collect::<Result<Vec<_>>>()?;
        let domains = self
            .federates_with
            .iter()
            .map(|text| {
                TrustDomain::from_name_or_id(text).with_context(|| format!("-federatesWith {text:?}"))
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(EntryFilter {
            parent_id: id("-parentID", &self.parent_id)?,
            spiffe_id: id("-spiffeID", &self.spiffe_id)?,
            selectors: (!selectors.is_empty()).then(|| SelectorMatch {
                selectors: selectors.into_iter().collect(),
                rule: self.match_selectors_on.into(),
            }),
            federates_with: (!domains.is_empty()).then(|| FederatesWithMatch {
                trust_domains: domains.into_iter().collect(),
                rule: self.match_federates_with_on.into(),
            }),
            downstream: self.downstream.then_some(true),
            hint: self.hint.clone(),
        })
    }
}
