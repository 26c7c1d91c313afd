//! Why a JWT-SVID is refused.

use crate::{SpiffeIdError, TrustDomain};

/// Why a JWT-SVID is refused. No message holds any part of the token but names of members and algorithms.
#[derive(Debug, thiserror::Error)]
pub enum JwtError {
    /// The audience is missing or has an empty value.
    #[error("audience is empty; name at least one, and none of them empty")]
    Audience,
    /// The token is malformed, in the way named.
    #[error("jwt-svid {0}")]
    Malformed(&'static str),
    /// A part of the token is no JSON, or has a duplicate member.
    #[error("jwt-svid {part} is no valid json object")]
    Json {
        /// `header` or `payload`.
        part: &'static str,
        /// What the reader says.
        #[source]
        source: serde_json::Error,
    },
    /// The header has a parameter that must not be there.
    #[error("jwt-svid header has the parameter `{0}`; only alg, kid and typ are allowed")]
    Header(String),
    /// The algorithm is none of the nine.
    #[error("jwt-svid is signed with algorithm `{0}`; use RS, ES or PS with 256, 384 or 512 bits")]
    Algorithm(String),
    /// A claim is missing or malformed.
    #[error("jwt-svid claim `{claim}` {problem}")]
    Claim {
        /// The claim at fault.
        claim: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The subject is no SPIFFE ID.
    #[error("jwt-svid subject is no spiffe id")]
    Subject(#[source] SpiffeIdError),
    /// There is no bundle for the subject's trust domain.
    #[error("no bundle for trust domain `{0}`; federate with it to trust it")]
    NoBundle(TrustDomain),
    /// No key in the bundle of the subject's trust domain fits the token.
    #[error("bundle of trust domain `{0}` has no key that fits the jwt-svid")]
    NoKey(TrustDomain),
    /// The signature is not by the key of the bundle.
    #[error("jwt-svid signature is not by an authority of its trust domain")]
    Signature,
    /// The token has expired.
    #[error("jwt-svid has expired")]
    Expired,
    /// The token is not valid yet.
    #[error("jwt-svid is not valid yet")]
    NotYetValid,
    /// The token is meant for others.
    #[error("jwt-svid is not meant for audience `{0}`")]
    OtherAudience(String),
    /// JWT-SVIDs are not signed with keys of this kind.
    #[error("jwt-svid cannot be signed with a key of kind {0:?}; use EC P-256, P-384 or RSA")]
    SigningKey(crate::KeyKind),
    /// The signature to be put into the token is no signature of its key's kind.
    #[error("signature for the jwt-svid is malformed")]
    MalformedSignature,
}
