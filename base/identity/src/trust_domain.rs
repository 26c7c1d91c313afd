//! A trust domain's name (SPIFFE-ID §2.1).

use std::{cmp::Ordering, fmt, hash, str::FromStr, sync::Arc};

use crate::spiffe_id::{SCHEME, SpiffeId, SpiffeIdError, parse};

/// The name of a trust domain, such as `example.org`: 1 to 255 bytes of `[a-z0-9.-_]`.
///
/// The name is no DNS name and is never treated as one: no case folding, no IDNA, no trailing dot stripped, and
/// `1.2.3.4` is a name like any other.
#[derive(Clone)]
pub struct TrustDomain {
    /// Begins with the trust domain's own ID; a path may follow, so that the name of an ID costs no allocation.
    id: Arc<str>,
    /// Where the trust domain's own ID ends in `id`.
    end: usize,
}

impl TrustDomain {
    /// The longest name, in bytes (SPIFFE-ID §2.3, by way of RFC 3986's host).
    pub const MAX_BYTES: usize = 255;

    /// Parses a bare name.
    ///
    /// # Errors
    /// [`SpiffeIdError`] when the name is empty, too long, or has a character outside `[a-z0-9.-_]`.
    pub fn parse(name: impl AsRef<[u8]>) -> Result<Self, SpiffeIdError> {
        let name = parse::trust_domain(name.as_ref())?;
        let id: Arc<str> = format!("{SCHEME}{name}").into();
        Ok(Self { end: id.len(), id })
    }

    /// Parses a bare name or any SPIFFE ID of the trust domain, all of which must be well formed.
    ///
    /// # Errors
    /// [`SpiffeIdError`] as [`TrustDomain::parse`] and [`SpiffeId::parse`].
    pub fn from_name_or_id(text: &str) -> Result<Self, SpiffeIdError> {
        if text.contains(':') { Ok(SpiffeId::parse(text)?.trust_domain()) } else { Self::parse(text) }
    }

    pub(crate) fn of_id(id: Arc<str>, end: usize) -> Self {
        Self { id, end }
    }

    /// The bare name: `example.org`.
    pub fn name(&self) -> &str {
        &self.id[SCHEME.len()..self.end]
    }

    /// The ID of the trust domain itself: `spiffe://example.org`.
    pub fn id(&self) -> SpiffeId {
        SpiffeId::of_trust_domain(&self.id[..self.end])
    }

    /// The ID of this trust domain's servers, as SPIRE has it: `spiffe://example.org/spire/server`.
    pub fn server_id(&self) -> SpiffeId {
        SpiffeId::of_parts(&self.id[..self.end], "/spire/server")
    }

    pub(crate) fn id_str(&self) -> &str {
        &self.id[..self.end]
    }
}

impl PartialEq for TrustDomain {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for TrustDomain {}

impl PartialOrd for TrustDomain {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TrustDomain {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name().cmp(other.name())
    }
}

impl hash::Hash for TrustDomain {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl AsRef<str> for TrustDomain {
    fn as_ref(&self) -> &str {
        self.name()
    }
}

impl FromStr for TrustDomain {
    type Err = SpiffeIdError;

    fn from_str(name: &str) -> Result<Self, SpiffeIdError> {
        Self::parse(name)
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustDomain({})", self.name())
    }
}
