//! The flags that describe an entry, shared by `create` and `update`.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use clap::Args;
use finial_identity::{EntryDraft, Selector, SpiffeId, TrustDomain};

/// What the entry says. Names are SPIRE's; `--spiffe-id` and its like are accepted too.
#[derive(Args)]
pub(super) struct Fields {
    /// SPIFFE ID of the agent, or of the entry, below which this one hangs
    #[arg(long = "parentID", visible_alias = "parent-id", value_name = "ID")]
    pub(super) parent_id: Option<String>,
    /// SPIFFE ID that the workload is given
    #[arg(long = "spiffeID", visible_alias = "spiffe-id", value_name = "ID")]
    spiffe_id: Option<String>,
    /// A property the workload must show, as type:value; give it several times
    #[arg(long = "selector", value_name = "TYPE:VALUE")]
    selectors: Vec<String>,
    /// Life of its X.509-SVIDs in seconds [default: the server's]
    #[arg(
        long = "x509SVIDTTL",
        visible_alias = "x509-svid-ttl",
        value_name = "SECONDS",
        default_value_t = 0
    )]
    x509_svid_ttl: u32,
    /// Life of its JWT-SVIDs in seconds [default: the server's]
    #[arg(long = "jwtSVIDTTL", visible_alias = "jwt-svid-ttl", value_name = "SECONDS", default_value_t = 0)]
    jwt_svid_ttl: u32,
    /// A foreign trust domain whose bundle the workload is given; give it several times
    #[arg(long = "federatesWith", visible_alias = "federates-with", value_name = "TRUST DOMAIN")]
    federates_with: Vec<String>,
    /// The workload may use the server's administrative API
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = clap::ArgAction::Set)]
    admin: bool,
    /// Not supported yet: the workload is a downstream server
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = clap::ArgAction::Set)]
    downstream: bool,
    /// Not supported yet: put its SVIDs in a secret store
    #[arg(long = "storeSVID", alias = "store-svid", hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = clap::ArgAction::Set)]
    store_svid: bool,
    /// When the entry ends, in seconds since 1970
    #[arg(long = "entryExpiry", visible_alias = "entry-expiry", value_name = "SECONDS", default_value_t = 0)]
    entry_expiry: u64,
    /// A DNS name for its X.509-SVIDs; give it several times
    #[arg(long = "dns", value_name = "NAME")]
    dns_names: Vec<String>,
    /// What the workload may tell this identity by, among several
    #[arg(long, default_value = "")]
    hint: String,
    /// Agents make its X.509-SVID when somebody asks for it first, not before
    #[arg(long = "disableX509SVIDPrefetch", visible_alias = "disable-x509-svid-prefetch", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = clap::ArgAction::Set)]
    disable_x509_svid_prefetch: bool,
    /// Its JWT-SVIDs have an ID of their own (the claim jti)
    #[arg(long = "jwtSVIDIncludeJTI", visible_alias = "jwt-svid-include-jti", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = clap::ArgAction::Set)]
    jwt_svid_include_jti: bool,
}

/// Refuses what an entry may say and nobody here does yet: it would be in vain.
pub(super) fn check_served(draft: &EntryDraft) -> Result<()> {
    if draft.downstream {
        bail!("downstream is not supported yet: this server signs no CA for a server below it");
    }
    if draft.store_svid {
        bail!("storeSVID is not supported yet: no agent of this version puts SVIDs into a store");
    }
    Ok(())
}

impl Fields {
    /// The entry described by the flags. `parent` stands in for `-parentID` (`-node` on the command line).
    pub(super) fn draft(&self, parent: Option<SpiffeId>) -> Result<EntryDraft> {
        if self.selectors.is_empty() {
            bail!(
                "at least one selector is required: give -selector type:value, such as -selector unix:uid:1000"
            );
        }
        let parent_id = match (&self.parent_id, parent) {
            (_, Some(parent)) => parent,
            (Some(id), None) => SpiffeId::parse(id).with_context(|| format!("-parentID {id:?}"))?,
            (None, None) => {
                bail!("a parent ID is required: give -parentID, for an agent as `finial agent list` shows it")
            }
        };
        let spiffe_id = match &self.spiffe_id {
            Some(id) => SpiffeId::parse(id).with_context(|| format!("-spiffeID {id:?}"))?,
            None => bail!("a SPIFFE ID is required: give -spiffeID spiffe://<trust domain>/<path>"),
        };
        let selectors = self
            .selectors
            .iter()
            .map(|text| Selector::parse(text).with_context(|| format!("-selector {text:?}")))
            .collect::<Result<_>>()?;
        let federates_with = self
            .federates_with
            .iter()
            .map(|text| {
                TrustDomain::from_name_or_id(text).with_context(|| format!("-federatesWith {text:?}"))
            })
            .collect::<Result<_>>()?;
        let seconds = |ttl: u32| (ttl > 0).then(|| Duration::from_secs(ttl.into()));
        let expires_at = match self.entry_expiry {
            0 => None,
            seconds => Some(
                SystemTime::UNIX_EPOCH
                    .checked_add(Duration::from_secs(seconds))
                    .with_context(|| format!("-entryExpiry {seconds} is too far away"))?,
            ),
        };
        let draft = EntryDraft {
            x509_svid_ttl: seconds(self.x509_svid_ttl),
            jwt_svid_ttl: seconds(self.jwt_svid_ttl),
            federates_with,
            admin: self.admin,
            downstream: self.downstream,
            store_svid: self.store_svid,
            expires_at,
            dns_names: self.dns_names.clone(),
            hint: self.hint.clone(),
            x509_svid_prefetch_disabled: self.disable_x509_svid_prefetch,
            jwt_svid_includes_jti: self.jwt_svid_include_jti,
            ..EntryDraft::new(spiffe_id, parent_id, selectors)
        };
        check_served(&draft)?;
        Ok(draft)
    }

    /// The server's ID, parent of node aliases (`-node`), in the trust domain of `-spiffeID`.
    pub(super) fn server_id(&self) -> Result<SpiffeId> {
        if !self.federates_with.is_empty() {
            bail!("node entries can not federate: leave -federatesWith or -node out");
        }
        let id = self.spiffe_id.as_deref().context("a SPIFFE ID is required: -node needs -spiffeID")?;
        Ok(SpiffeId::parse(id)?.trust_domain().server_id())
    }
}
