//! The state of a server's signing authorities.

use std::time::SystemTime;

/// What an authority of a server signs, as `LocalAuthority` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalAuthorityKind {
    /// X.509-SVIDs.
    X509,
    /// JWT-SVIDs.
    Jwt,
}

/// One authority of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityState {
    /// Lower-case hex subject key ID (X.509) or key ID (JWT).
    pub id: String,
    /// When it ends.
    pub expires_at: SystemTime,
    /// The authority above that signed this one, if any; lower-case hex.
    pub upstream_subject_key_id: Option<String>,
}

/// The authorities of a server by what they are for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthorityStates {
    /// Signs now.
    pub active: Option<AuthorityState>,
    /// Is in the bundle, and signs next.
    pub prepared: Option<AuthorityState>,
    /// Signed before, and is still in the bundle.
    pub old: Option<AuthorityState>,
}
