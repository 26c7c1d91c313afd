//! What an administrator may choose about the Workload API.

use super::limits::StreamLimits;
use super::rates::RateLimits;

/// The settings of the Workload API, under SPIRE's names where SPIRE has them.
#[derive(Debug, Clone, Default)]
pub struct WorkloadOptions {
    /// How many streams may be open.
    pub streams: StreamLimits,
    /// How often callers may ask (SPIRE's `ratelimit`).
    pub rates: RateLimits,
    /// Whether a caller without identity is told the own trust domain's bundle, and may have JWT-SVIDs validated by it
    /// (SPIRE's `allow_unauthenticated_verifiers`). Default: false.
    pub allow_unauthenticated_verifiers: bool,
    /// The claims of another trust domain's JWT-SVID that a workload is told beside `sub`, `exp` and `aud` (SPIRE's
    /// `allowed_foreign_jwt_claims`): anybody there may put anything into them. Default: none.
    pub allowed_foreign_jwt_claims: Vec<String>,
}
