//! A SPIFFE ID (SPIFFE-ID §2): the one name a workload, an agent or a server goes by.

use std::{cmp::Ordering, fmt, hash, str::FromStr, sync::Arc};

use crate::TrustDomain;

pub(crate) mod parse;
#[cfg(test)]
mod tests;

pub(crate) const SCHEME: &str = "spiffe://";

/// A SPIFFE ID such as `spiffe://example.org/ns/shop/sa/cart`: at most 2048 bytes, compared byte for byte.
///
/// Parsing never changes a byte: what would need a change to be well formed (upper case in the trust domain,
/// percent-encoding, dot segments) is refused instead. Cloning is cheap.
///
/// ```
/// use finial_identity::SpiffeId;
///
/// let id = SpiffeId::parse("spiffe://example.org/cart")?;
/// assert_eq!(id.trust_domain().name(), "example.org");
/// assert_eq!(id.path(), "/cart");
/// # Ok::<(), finial_identity::SpiffeIdError>(())
/// ```
#[derive(Clone)]
pub struct SpiffeId {
    text: Arc<str>,
    /// Where the path begins; the length of `text` when there is none.
    path_start: usize,
}

impl SpiffeId {
    /// The longest ID, in bytes (SPIFFE-ID §2.3).
    pub const MAX_BYTES: usize = 2048;

    /// Parses an ID from bytes, as they came off the wire.
    ///
    /// # Errors
    /// [`SpiffeIdError`] naming the first rule broken.
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Self, SpiffeIdError> {
        let (text, path_start) = parse::id(text.as_ref())?;
        Ok(Self { text: text.into(), path_start })
    }

    /// The ID with this path in the trust domain; the path is `""` or begins with a slash.
    ///
    /// # Errors
    /// [`SpiffeIdError`] when the path is malformed or the whole is longer than [`SpiffeId::MAX_BYTES`].
    pub fn new(trust_domain: &TrustDomain, path: &str) -> Result<Self, SpiffeIdError> {
        parse::path(path.as_bytes())?;
        let id = Self::of_parts(trust_domain.id_str(), path);
        if id.text.len() > Self::MAX_BYTES {
            return Err(SpiffeIdError::TooLong(id.text.len()));
        }
        Ok(id)
    }

    /// The ID with this path in the trust domain of this name: the two parts that it travels in.
    ///
    /// # Errors
    /// [`SpiffeIdError`] when one of them is malformed or the whole is longer than [`SpiffeId::MAX_BYTES`].
    pub fn from_name_and_path(trust_domain: &str, path: &str) -> Result<Self, SpiffeIdError> {
        parse::trust_domain(trust_domain.as_bytes())?;
        parse::path(path.as_bytes())?;
        let text = [SCHEME, trust_domain, path].concat();
        if text.len() > Self::MAX_BYTES {
            return Err(SpiffeIdError::TooLong(text.len()));
        }
        Ok(Self { text: text.into(), path_start: SCHEME.len() + trust_domain.len() })
    }

    /// The ID whose path is made of these segments, each of which must be valid by itself.
    ///
    /// Use this wherever a segment comes from outside: a segment can not add another level.
    ///
    /// # Errors
    /// [`SpiffeIdError`] when a segment is malformed or the whole is longer than [`SpiffeId::MAX_BYTES`].
    pub fn from_segments(trust_domain: &TrustDomain, segments: &[&str]) -> Result<Self, SpiffeIdError> {
        let mut path = String::new();
        for segment in segments {
            parse::segment(segment.as_bytes())?;
            path.push('/');
            path.push_str(segment);
        }
        Self::new(trust_domain, &path)
    }

    pub(crate) fn of_trust_domain(text: &str) -> Self {
        Self { path_start: text.len(), text: text.into() }
    }

    pub(crate) fn of_parts(trust_domain_id: &str, path: &str) -> Self {
        Self { text: [trust_domain_id, path].concat().into(), path_start: trust_domain_id.len() }
    }

    /// The trust domain the ID belongs to.
    pub fn trust_domain(&self) -> TrustDomain {
        TrustDomain::of_id(self.text.clone(), self.path_start)
    }

    /// The name of the trust domain the ID belongs to.
    pub fn trust_domain_name(&self) -> &str {
        &self.text[SCHEME.len()..self.path_start]
    }

    /// The path with its leading slash, or `""` for the ID of a trust domain.
    pub fn path(&self) -> &str {
        &self.text[self.path_start..]
    }

    /// The whole ID.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the ID belongs to the trust domain.
    pub fn is_member_of(&self, trust_domain: &TrustDomain) -> bool {
        self.text[..self.path_start] == *trust_domain.id_str()
    }

    /// Whether the ID has a path, as that of everything but a trust domain does.
    pub fn has_path(&self) -> bool {
        self.path_start < self.text.len()
    }

    /// Whether the path is `/spire` or below it, which SPIRE keeps for servers and agents.
    pub fn is_reserved(&self) -> bool {
        self.path() == "/spire" || self.path().starts_with("/spire/")
    }

    /// Whether the path is below `/spire/agent/`, where the IDs of agents are.
    pub fn is_agent(&self) -> bool {
        self.path().starts_with("/spire/agent/")
    }
}

impl PartialEq for SpiffeId {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for SpiffeId {}

impl PartialOrd for SpiffeId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SpiffeId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl hash::Hash for SpiffeId {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl AsRef<str> for SpiffeId {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl FromStr for SpiffeId {
    type Err = SpiffeIdError;

    fn from_str(text: &str) -> Result<Self, SpiffeIdError> {
        Self::parse(text)
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpiffeId({})", self.text)
    }
}

/// Why a text is no SPIFFE ID or no trust domain name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpiffeIdError {
    /// There is nothing.
    #[error("spiffe id is empty")]
    Empty,
    /// It does not begin with `spiffe://`.
    #[error("spiffe id does not begin with `spiffe://`: `{0}`")]
    Scheme(String),
    /// It is longer than [`SpiffeId::MAX_BYTES`]; holds the length.
    #[error("spiffe id is {0} bytes long; at most 2048 are allowed")]
    TooLong(usize),
    /// The trust domain is missing.
    #[error("trust domain name is empty")]
    TrustDomainEmpty,
    /// The trust domain is longer than [`TrustDomain::MAX_BYTES`]; holds the length.
    #[error("trust domain name is {0} bytes long; at most 255 are allowed")]
    TrustDomainTooLong(usize),
    /// The trust domain has a byte outside `[a-z0-9.-_]`.
    #[error("trust domain name has {0} in it; use only a-z, 0-9, dot, dash and underscore")]
    TrustDomainByte(BadByte),
    /// The path does not begin with a slash.
    #[error("path does not begin with a slash: `{0}`")]
    PathStart(String),
    /// The path ends in a slash.
    #[error("path ends in a slash; leave it out")]
    TrailingSlash,
    /// A segment of the path is empty.
    #[error("path has an empty segment")]
    EmptySegment,
    /// A segment of the path is `.` or `..`.
    #[error("path has a dot segment: `{0}`")]
    DotSegment(String),
    /// The path has a byte outside `[a-zA-Z0-9.-_]`.
    #[error("path has {0} in it; use only letters, digits, dot, dash, underscore and slash")]
    PathByte(BadByte),
}

/// A byte that is not allowed where it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadByte(pub u8);

impl fmt::Display for BadByte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            b' '..=b'~' => write!(f, "`{}`", char::from(self.0)),
            other => write!(f, "the byte 0x{other:02x}"),
        }
    }
}
