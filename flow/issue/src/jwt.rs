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
        warn_of_many(&request);
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

/// A token for many can be passed on by each of them to the others, as its owner (JWT-SVID §3.2, §7.2: SHOULD be one).
fn warn_of_many(request: &JwtRequest) {
    let audiences = request.audience.iter().len();
    if audiences > 1 {
        tracing::warn!(
            spiffe_id = %request.id,
            audiences,
            "JWT-SVID for several audiences: each can use it towards the others; ask for one token each"
        );
    }
}
