//! Registration entries: which selectors, under which parent, get which SPIFFE ID.

use std::{
    borrow::Borrow,
    collections::BTreeSet,
    fmt,
    ops::Deref,
    str::FromStr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::{SelectorSet, SpiffeId, TrustDomain};

mod dns_name;
#[cfg(test)]
mod tests;

pub(crate) use dns_name::check as check_dns_name;

/// The ID of an entry: 1 to 255 characters of `[A-Za-z0-9._-]`; a UUID unless its creator chose one. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(Arc<str>);

impl EntryId {
    /// The longest ID, in bytes.
    pub const MAX_BYTES: usize = 255;

    /// An ID chosen by the creator of the entry.
    ///
    /// # Errors
    /// [`EntryError::Id`] when it is empty, too long or has other characters.
    pub fn new(text: impl AsRef<str>) -> Result<Self, EntryError> {
        let text = text.as_ref();
        Self::check(text)?;
        Ok(Self(text.into()))
    }

    /// Whether a text may be an ID.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn check(text: &str) -> Result<(), EntryError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if text.is_empty() || text.len() > Self::MAX_BYTES || !text.bytes().all(allowed) {
            return Err(EntryError::Id(text.to_owned()));
        }
        Ok(())
    }

    /// A UUID that sorts after those made before it (version 7, RFC 9562 §5.7): a store appends new entries, where random
    /// IDs would scatter them. It tells when it was made, and is no secret.
    pub fn generate() -> Self {
        let mut text = uuid::Uuid::encode_buffer();
        Self((&*uuid::Uuid::now_v7().hyphenated().encode_lower(&mut text)).into())
    }

    /// The ID as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for EntryId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// So that a map by ID can be asked by text.
impl Borrow<str> for EntryId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for EntryId {
    type Err = EntryError;

    fn from_str(text: &str) -> Result<Self, EntryError> {
        Self::new(text)
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntryId({})", self.0)
    }
}

/// What an entry says, before it is checked and given an ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryDraft {
    /// The identity that a match is given.
    pub spiffe_id: SpiffeId,
    /// The agent (or entry, or for node aliases the server) below which the entry hangs.
    pub parent_id: SpiffeId,
    /// What a workload must all have to match.
    pub selectors: SelectorSet,
    /// How long an X.509-SVID lives; the server's default when none.
    pub x509_svid_ttl: Option<Duration>,
    /// How long a JWT-SVID lives; the server's default when none.
    pub jwt_svid_ttl: Option<Duration>,
    /// The trust domains whose bundles the workload is given beside its own.
    pub federates_with: Vec<TrustDomain>,
    /// Whether the identity may administer the server.
    pub admin: bool,
    /// Whether the identity is a server below this one.
    pub downstream: bool,
    /// Whether the agent puts the SVID into a store instead of handing it to the workload.
    pub store_svid: bool,
    /// When the entry ends; never when none.
    pub expires_at: Option<SystemTime>,
    /// DNS names for the X.509-SVID; the first also becomes its common name.
    pub dns_names: Vec<String>,
    /// How the workload tells this identity from its others; at most 1024 bytes.
    pub hint: String,
    /// Whether agents leave the X.509-SVID until someone asks for it.
    pub x509_svid_prefetch_disabled: bool,
    /// Whether JWT-SVIDs carry a `jti` claim.
    pub jwt_svid_includes_jti: bool,
}

impl EntryDraft {
    /// A draft with everything else left at its default.
    pub fn new(spiffe_id: SpiffeId, parent_id: SpiffeId, selectors: SelectorSet) -> Self {
        Self {
            spiffe_id,
            parent_id,
            selectors,
            x509_svid_ttl: None,
            jwt_svid_ttl: None,
            federates_with: Vec::new(),
            admin: false,
            downstream: false,
            store_svid: false,
            expires_at: None,
            dns_names: Vec::new(),
            hint: String::new(),
            x509_svid_prefetch_disabled: false,
            jwt_svid_includes_jti: false,
        }
    }
}

/// A registration entry whose content was checked. Reads as its [`EntryDraft`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Names the entry for good.
    pub id: EntryId,
    /// Grows by one with each update; 0 when new.
    pub revision_number: i64,
    /// When the entry was created.
    pub created_at: SystemTime,
    draft: EntryDraft,
}

impl Entry {
    /// The longest hint, in bytes.
    pub const MAX_HINT_BYTES: usize = 1024;

    /// Checks a draft against the rules SPIRE's Entry API has, for a server of this trust domain.
    ///
    /// The revision number is 0; who restores or updates an entry sets it.
    ///
    /// # Errors
    /// [`EntryError`] naming the first rule broken and the remedy.
    pub fn new(
        draft: EntryDraft,
        id: EntryId,
        trust_domain: &TrustDomain,
        created_at: SystemTime,
    ) -> Result<Self, EntryError> {
        check_ids(&draft, trust_domain)?;
        check_selectors(&draft)?;
        draft.dns_names.iter().try_for_each(|name| dns_name::check(name))?;
        if draft.hint.len() > Self::MAX_HINT_BYTES {
            return Err(EntryError::HintTooLong(draft.hint.len()));
        }
        Ok(Self { id, revision_number: 0, created_at, draft })
    }

    /// What the entry says, to be changed and checked again.
    pub fn into_draft(self) -> EntryDraft {
        self.draft
    }

    /// Whether the entry has ended.
    pub fn is_expired(&self, at: SystemTime) -> bool {
        self.draft.expires_at.is_some_and(|end| end <= at)
    }
}

impl Deref for Entry {
    type Target = EntryDraft;

    fn deref(&self) -> &EntryDraft {
        &self.draft
    }
}

fn check_ids(draft: &EntryDraft, trust_domain: &TrustDomain) -> Result<(), EntryError> {
    for id in [&draft.spiffe_id, &draft.parent_id] {
        if !id.is_member_of(trust_domain) {
            return Err(EntryError::ForeignId { id: id.clone(), trust_domain: trust_domain.clone() });
        }
        if !id.has_path() {
            return Err(EntryError::NoPath(id.clone()));
        }
    }
    if draft.spiffe_id.is_reserved() {
        return Err(EntryError::Reserved(draft.spiffe_id.clone()));
    }
    Ok(())
}

fn check_selectors(draft: &EntryDraft) -> Result<(), EntryError> {
    let types: BTreeSet<&str> = draft.selectors.iter().map(|selector| selector.kind()).collect();
    match types.len() {
        0 => Err(EntryError::NoSelectors),
        1 => Ok(()),
        _ if draft.store_svid => Err(EntryError::MixedStoreSelectors),
        _ => Ok(()),
    }
}

/// Why an entry is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// The entry ID is malformed.
    #[error("entry id must be 1 to 255 letters, digits, dots, dashes or underscores: `{0}`")]
    Id(String),
    /// The SPIFFE ID or the parent ID is of another trust domain.
    #[error("`{id}` is not a member of trust domain `{trust_domain}`")]
    ForeignId {
        /// The ID at fault.
        id: SpiffeId,
        /// The server's trust domain.
        trust_domain: TrustDomain,
    },
    /// The SPIFFE ID or the parent ID is that of a trust domain.
    #[error("`{0}` has no path; name a workload, an agent or a server")]
    NoPath(SpiffeId),
    /// The SPIFFE ID is kept for servers and agents.
    #[error("`{0}` is reserved: paths below /spire belong to servers and agents")]
    Reserved(SpiffeId),
    /// There are no selectors: every workload would match.
    #[error("entry has no selectors; give at least one")]
    NoSelectors,
    /// A stored SVID goes to one store, so its selectors must name one.
    #[error("an entry whose svid is stored must have selectors of one type only")]
    MixedStoreSelectors,
    /// A DNS name is malformed.
    #[error("dns name `{name}` {problem}")]
    DnsName {
        /// The name at fault.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The hint is longer than [`Entry::MAX_HINT_BYTES`]; holds the length.
    #[error("hint is {0} bytes long; at most 1024 are allowed")]
    HintTooLong(usize),
}
