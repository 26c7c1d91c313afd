//! What a cache is told at its start: SPIRE's limits, unless told otherwise.

use std::sync::Arc;
use std::time::Duration;

use finial_identity::{Bundle, KeyKind};

use super::meters::CacheMeters;

/// What a cache starts from.
#[derive(Debug, Clone)]
pub struct CacheOptions {
    /// The bundle of the agent's trust domain as attestation gave it; the first sync replaces it.
    pub bundle: Arc<Bundle>,
    /// How often to ask a server that does not push; 5 s like SPIRE's `sync_interval`.
    pub sync_interval: Duration,
    /// How many X.509-SVIDs are kept, those that have a reader aside; 1,000 like SPIRE's `x509_svid_cache_max_size`.
    ///
    /// With more entries than this the ones used last are kept, and the others issued for whoever asks.
    pub most_x509_svids: usize,
    /// How many JWT-SVIDs are kept at the most; 1,000 like SPIRE's `jwt_svid_cache_max_size`.
    pub most_jwt_svids: usize,
    /// The kind of the workloads' keys; P-256 like SPIRE's `workload_x509_svid_key_type`.
    pub key_kind: KeyKind,
    /// How long workloads shall outlive their server (SPIRE's `availability_target`): X.509-SVIDs are renewed when so
    /// much of their life is left, if that leaves 12 hours of it for each. `None`: at half their life.
    pub availability_target: Option<Duration>,
    /// How long a caller waits for a new JWT-SVID when the kept one is about to end; 5 s, at most SPIRE's 30 s
    /// (`jwt_svid_cache_hit_timeout`).
    pub jwt_hit_timeout: Duration,
    /// What is counted; told to nobody by default.
    pub meters: CacheMeters,
}

impl CacheOptions {
    /// SPIRE's limits, and this bundle to begin with.
    pub fn new(bundle: Arc<Bundle>) -> Self {
        Self {
            bundle,
            sync_interval: Duration::from_secs(5),
            most_x509_svids: 1_000,
            most_jwt_svids: 1_000,
            key_kind: KeyKind::EcP256,
            availability_target: None,
            jwt_hit_timeout: Duration::from_secs(5),
            meters: CacheMeters::default(),
        }
    }
}
