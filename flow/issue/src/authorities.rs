//! The keys that sign: two slots for X.509 and two for JWT, and what has been decided about them.

mod active;
mod append;
mod books;
mod journal;
mod manager;
mod published;
mod schedule;
mod shelf;
mod steps;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::{Duration, SystemTime};

use finial_identity::{CLOCK_SKEW, JwtAuthority, PublicKey, X509Authority};
use serde::{Deserialize, Serialize};

pub use active::ActiveAuthorities;
#[cfg(feature = "testing")]
pub use journal::rewritten_journal;
pub use manager::AuthorityManager;

/// Which documents an authority signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthorityKind {
    /// X.509-SVIDs.
    X509,
    /// JWT-SVIDs.
    Jwt,
}

impl AuthorityKind {
    /// Both kinds, in the order in which they are looked after: a failure of the first mints no key of the second.
    pub(crate) const ALL: [Self; 2] = [Self::X509, Self::Jwt];

    /// The word for it in `finial localauthority <word>`.
    pub(crate) fn command(self) -> &'static str {
        match self {
            Self::X509 => "x509",
            Self::Jwt => "jwt",
        }
    }

    /// The ID under which the key manager holds the key of a slot, as in SPIRE.
    fn key_id(self, slot: Slot) -> &'static str {
        match (self, slot) {
            (Self::X509, Slot::A) => "x509-CA-A",
            (Self::X509, Slot::B) => "x509-CA-B",
            (Self::Jwt, Slot::A) => "JWT-Signer-A",
            (Self::Jwt, Slot::B) => "JWT-Signer-B",
        }
    }
}

impl fmt::Display for AuthorityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::X509 => "X.509",
            Self::Jwt => "JWT",
        })
    }
}

/// An authority as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// The authority ID: the subject key identifier in lower-case hex (X.509), or the `kid` (JWT).
    pub id: String,
    /// When it expires; nothing it signs lives longer.
    pub expires_at: SystemTime,
}

/// The authorities of one kind, by their state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthorityStates {
    /// Signs.
    pub active: Option<Authority>,
    /// Is published, and will sign next.
    pub prepared: Option<Authority>,
    /// Signed before, and is published until what it signed has expired.
    pub old: Option<Authority>,
}

/// One of the two places for a kind's keys; the next authority goes where the active one is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Slot {
    A,
    B,
}

impl Slot {
    fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// Where an authority is in its life; it only ever moves down this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Prepared,
    Active,
    Old,
}

/// An authority as the journal records it. The private key is the key manager's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AuthorityRecord {
    kind: AuthorityKind,
    slot: Slot,
    state: State,
    /// The ID of the key at the key manager.
    key_id: String,
    /// The authority ID.
    id: String,
    #[serde(with = "journal::seconds")]
    issued_at: SystemTime,
    #[serde(with = "journal::seconds")]
    not_after: SystemTime,
    /// What the bundle publishes: the certificate (X.509) or the public key (JWT), in DER.
    #[serde(with = "journal::base64")]
    document: Vec<u8>,
}

impl AuthorityRecord {
    /// The NotBefore of its certificate.
    fn starts_at(&self) -> SystemTime {
        self.issued_at - crate::x509::BACKDATE
    }

    /// How long it was made to live.
    fn life(&self) -> Duration {
        self.not_after.duration_since(self.issued_at).unwrap_or_default()
    }

    /// Whether it is within its validity: a certificate from the future, after the clock went back, is not. When it went
    /// back by little, agents know this one and forgive it, and know no other.
    fn is_valid(&self, now: SystemTime) -> bool {
        self.starts_at() <= now + CLOCK_SKEW && now < self.not_after
    }

    /// Whether `key` is this authority's own.
    fn belongs_to(&self, key: &PublicKey) -> bool {
        match self.kind {
            AuthorityKind::X509 => self.id == hex::encode(key.subject_key_id()),
            AuthorityKind::Jwt => self.document == key.spki_der(),
        }
    }

    /// What the bundle holds for an X.509 authority.
    fn x509_authority(&self) -> Option<X509Authority> {
        (self.kind == AuthorityKind::X509).then(|| X509Authority::parse_der(self.document.clone()).ok())?
    }

    /// What the bundle holds for a JWT authority.
    fn jwt_authority(&self) -> Option<JwtAuthority> {
        let public_key =
            (self.kind == AuthorityKind::Jwt).then(|| PublicKey::from_spki_der(&self.document).ok())??;
        Some(JwtAuthority {
            key_id: self.id.clone(),
            public_key,
            expires_at: Some(self.not_after),
            tainted: false,
        })
    }

    fn summary(&self) -> Authority {
        Authority { id: self.id.clone(), expires_at: self.not_after }
    }
}
