//! JWT authorities and the tokens they sign.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_identity::{Audience, JwtClaims, JwtSigningInput, JwtSvid, SpiffeId};
use finial_keys::Key;

use crate::x509::lifetime_end;
use crate::{AuthorityKind, IssueError};

/// A key that signs JWT-SVIDs, and the name under which the bundle holds it.
#[derive(Debug)]
pub(crate) struct JwtSigner {
    key: Arc<dyn Key>,
    id: String,
    not_after: SystemTime,
}

/// What a JWT-SVID says; all but the audience and the issuer comes from the grant.
#[derive(Debug)]
pub(crate) struct JwtRequest {
    pub(crate) id: SpiffeId,
    pub(crate) audience: Audience,
    pub(crate) ttl: Duration,
    pub(crate) issuer: Option<String>,
    /// Whether the token carries a random `jti`.
    pub(crate) with_token_id: bool,
}

impl JwtSigner {
    pub(crate) fn new(key: Arc<dyn Key>, id: String, not_after: SystemTime) -> Self {
        Self { key, id, not_after }
    }

    /// The authority ID: the `kid` of its tokens.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// When the authority expires; nothing it signs lives longer.
    pub(crate) fn not_after(&self) -> SystemTime {
        self.not_after
    }

    /// Signs a JWT-SVID (JWT-SVID §2, §3) that ends with its TTL or with this authority, whichever is first.
    ///
    /// # Errors
    /// [`IssueError::Expiring`], and those of the key.
    pub(crate) async fn issue(&self, request: JwtRequest, now: SystemTime) -> Result<JwtSvid, IssueError> {
        let expires_at = lifetime_end(AuthorityKind::Jwt, &self.id, self.not_after, request.ttl, now)?;
        let claims = JwtClaims {
            subject: request.id,
            audience: request.audience,
            issued_at: now,
            expires_at,
            issuer: request.issuer,
            id: request.with_token_id.then(|| uuid::Uuid::new_v4().to_string()),
        };
        let input = JwtSigningInput::new(&claims, &self.id, self.key.public_key().kind())?;
        let signature = self.key.sign(input.bytes()).await?;
        Ok(JwtSvid::parse_unverified(&input.finish(&signature)?)?)
    }
}
