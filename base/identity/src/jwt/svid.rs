//! The JWT-SVID document.

use std::{fmt, time::SystemTime};

use serde_json::{Map, Value};

use super::parse::{self, Claims};
use crate::{JwtError, SpiffeId};

/// A JWT-SVID. `Debug` hides the token, which is a bearer credential.
#[derive(Clone, PartialEq)]
pub struct JwtSvid {
    id: SpiffeId,
    audience: Vec<String>,
    expires_at: SystemTime,
    not_before: Option<SystemTime>,
    issued_at: Option<SystemTime>,
    hint: String,
    claims: Map<String, Value>,
    token: String,
}

impl JwtSvid {
    /// Parses a token without checking its signature, its times or whom it is meant for.
    ///
    /// Good for a token one was just given over a trusted channel. Never for a caller's token: use
    /// [`JwtSvid::verify`].
    ///
    /// # Errors
    /// [`JwtError`] when the token is malformed, longer than 16 KiB, or lacks a claim that JWT-SVIDs must have.
    pub fn parse_unverified(token: &str) -> Result<Self, JwtError> {
        Ok(Self::of_claims(parse::token(token)?.claims, token))
    }

    pub(super) fn of_claims(claims: Claims, token: &str) -> Self {
        Self {
            id: claims.id,
            audience: claims.audience,
            expires_at: claims.expires_at,
            not_before: claims.not_before,
            issued_at: claims.issued_at,
            hint: String::new(),
            claims: claims.all,
            token: token.to_owned(),
        }
    }

    /// The same SVID with this hint, which is not part of the token.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// The same SVID showing only these claims. The token stays whole, and so do its subject, audience and times.
    #[must_use]
    pub fn retain_claims(mut self, keep: impl Fn(&str) -> bool) -> Self {
        self.claims.retain(|name, _| keep(name));
        self
    }

    /// The subject. It is whoever signed that says so, until the SVID is verified.
    pub fn id(&self) -> &SpiffeId {
        &self.id
    }

    /// Whom the token is meant for: one or more.
    pub fn audience(&self) -> &[String] {
        &self.audience
    }

    /// When the token expires.
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at
    }

    /// When the token begins to be valid, if it says.
    pub(super) fn not_before(&self) -> Option<SystemTime> {
        self.not_before
    }

    /// When the token was issued, if it says.
    pub fn issued_at(&self) -> Option<SystemTime> {
        self.issued_at
    }

    /// How the workload tells this identity from its others; empty when there is no hint.
    pub fn hint(&self) -> &str {
        &self.hint
    }

    /// All claims, custom ones included.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// The token itself: a secret.
    pub fn token(&self) -> &str {
        &self.token
    }
}

impl fmt::Debug for JwtSvid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JwtSvid({}, …)", self.id)
    }
}
