//! What the agent keeps for its workloads, and how often they may ask for it.

use std::sync::Arc;
use std::time::Duration;

use finial_identity::{Bundle, KeyKind};
use finial_provide::{CacheMeters, CacheOptions, RateLimits, WorkloadOptions};

/// How identities are kept and handed over. The defaults are SPIRE's, but for the limits on calls, which are on.
#[derive(Clone, Debug)]
pub struct DeliveryConfig {
    /// How many X.509-SVIDs are kept, those that are being read aside. Default: 1,000.
    pub x509_svid_cache_max_size: usize,
    /// How many JWT-SVIDs are kept at the most. Default: 1,000.
    pub jwt_svid_cache_max_size: usize,
    /// How long a caller waits for a new JWT-SVID when the kept one is about to end. Default: 5 s.
    pub jwt_svid_cache_hit_timeout: Duration,
    /// The kind of the workloads' keys. Default: P-256.
    pub workload_x509_svid_key_type: KeyKind,
    /// How long workloads shall outlive their server. Default: not given, and X.509-SVIDs are renewed at half their life.
    pub availability_target: Option<Duration>,
    /// How often to ask a server that does not push. Default: 5 s.
    pub sync_interval: Duration,
    /// Whether callers without identity may verify others by the own trust domain's bundle. Default: false.
    pub allow_unauthenticated_verifiers: bool,
    /// The claims of other trust domains' JWT-SVIDs that workloads are told beside `sub`, `exp` and `aud`. Default: none.
    pub allowed_foreign_jwt_claims: Vec<String>,
    /// How often the callers of one set of selectors may ask. Default: generous.
    pub rate_limits: RateLimits,
    /// Leaves the Workload API out of the public socket. Default: false.
    pub disable_workload_api: bool,
}

impl Default for DeliveryConfig {
    fn default() -> Self {
        Self {
            x509_svid_cache_max_size: 1_000,
            jwt_svid_cache_max_size: 1_000,
            jwt_svid_cache_hit_timeout: Duration::from_secs(5),
            workload_x509_svid_key_type: KeyKind::EcP256,
            availability_target: None,
            sync_interval: Duration::from_secs(5),
            allow_unauthenticated_verifiers: false,
            allowed_foreign_jwt_claims: Vec::new(),
            rate_limits: RateLimits::default(),
            disable_workload_api: false,
        }
    }
}

impl DeliveryConfig {
    /// What the cache starts from, with this bundle to begin with.
    pub(crate) fn cache(&self, bundle: Arc<Bundle>, meters: CacheMeters) -> CacheOptions {
        CacheOptions {
            bundle,
            sync_interval: self.sync_interval,
            most_x509_svids: self.x509_svid_cache_max_size,
            most_jwt_svids: self.jwt_svid_cache_max_size,
            key_kind: self.workload_x509_svid_key_type,
            availability_target: self.availability_target,
            jwt_hit_timeout: self.jwt_svid_cache_hit_timeout,
            meters,
        }
    }

    /// What the Workload API is told.
    pub(crate) fn workload_api(&self) -> WorkloadOptions {
        WorkloadOptions {
            rates: self.rate_limits,
            allow_unauthenticated_verifiers: self.allow_unauthenticated_verifiers,
            allowed_foreign_jwt_claims: self.allowed_foreign_jwt_claims.clone(),
            ..WorkloadOptions::default()
        }
    }
}
