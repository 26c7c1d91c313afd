//! What is kept for workloads, and how often they may ask.

use std::time::Duration;

use finial_identity::KeyKind;
use finial_provide::RateLimits;

use super::{read, with};
use crate::Config;

#[test]
fn defaults_are_those_of_spire_with_limits_on() {
    let delivery = read(&with("")).delivery;
    assert_eq!((delivery.x509_svid_cache_max_size, delivery.jwt_svid_cache_max_size), (1_000, 1_000));
    assert_eq!(delivery.workload_x509_svid_key_type, KeyKind::EcP256);
    assert_eq!((delivery.availability_target, delivery.sync_interval), (None, Duration::from_secs(5)));
    assert_eq!(delivery.rate_limits, RateLimits::default());
    assert!(delivery.rate_limits.fetch_x509_svid > 0);
    assert!(!delivery.allow_unauthenticated_verifiers && !delivery.disable_workload_api);
}

#[test]
fn every_key_is_taken() {
    let delivery = read(&with(
        r#"x509_svid_cache_max_size = 50
           jwt_svid_cache_max_size = 60
           workload_x509_svid_key_type = "rsa-2048"
           availability_target = "24h"
           allow_unauthenticated_verifiers = true
           allowed_foreign_jwt_claims = ["team"]
           disable_workload_api = true
           experimental {
             sync_interval = "10s"
             jwt_svid_cache_hit_timeout = "7s"
             use_sync_authorized_entries = true
             ratelimit { fetch_x509_svid = 1 fetch_jwt_svid = 2 fetch_x509_bundles = 3 fetch_jwt_bundles = 4
                         stream_secrets = 5 fetch_secrets = 0 }
           }"#,
    ))
    .delivery;
    assert_eq!((delivery.x509_svid_cache_max_size, delivery.jwt_svid_cache_max_size), (50, 60));
    assert_eq!(delivery.workload_x509_svid_key_type, KeyKind::Rsa { bits: 2048 });
    assert_eq!(delivery.availability_target, Some(Duration::from_secs(86_400)));
    assert!(delivery.allow_unauthenticated_verifiers && delivery.disable_workload_api);
    assert_eq!(delivery.allowed_foreign_jwt_claims, ["team"]);
    assert_eq!(delivery.sync_interval, Duration::from_secs(10));
    assert_eq!(delivery.jwt_svid_cache_hit_timeout, Duration::from_secs(7));
    let limits = RateLimits {
        fetch_x509_svid: 1,
        fetch_jwt_svid: 2,
        fetch_x509_bundles: 3,
        fetch_jwt_bundles: 4,
        stream_secrets: 5,
        fetch_secrets: 0,
    };
    assert_eq!(delivery.rate_limits, limits);
}

#[test]
fn a_limit_that_is_not_given_keeps_its_default() {
    let limits = read(&with("experimental { ratelimit { fetch_secrets = 7 } }")).delivery.rate_limits;
    assert_eq!(limits, RateLimits { fetch_secrets: 7, ..RateLimits::default() });
}

#[test]
fn a_cache_of_no_places_has_those_of_the_default() {
    assert_eq!(read(&with("x509_svid_cache_max_size = 0")).delivery.x509_svid_cache_max_size, 1_000);
}

#[test]
fn bad_values_are_refused_by_name() {
    let bad = [
        ("x509_svid_cache_max_size = -1", "x509_svid_cache_max_size must be a whole number from 0"),
        ("workload_x509_svid_key_type = \"rsa-1024\"", "unknown key type `rsa-1024`: use ec-p256, ec-p384"),
        ("availability_target = \"23h\"", "availability_target 23h0m0s is too short: give 24h or more"),
        ("experimental { sync_interval = \"0s\" }", "sync_interval must be longer than 0s"),
        ("experimental { jwt_svid_cache_hit_timeout = \"4s\" }", "4s must be at least 5s and less than 30s"),
        (
            "experimental { jwt_svid_cache_hit_timeout = \"30s\" }",
            "30s must be at least 5s and less than 30s",
        ),
        (
            "experimental { use_sync_authorized_entries = false }",
            "use_sync_authorized_entries is not supported yet: remove it",
        ),
        ("experimental { ratelimit { fetch = 1 } }", "unknown key \"fetch\" in ratelimit"),
        ("experimental { require_pq_kem = 2 }", "require_pq_kem must be true or false, not 2"),
    ];
    for (line, problem) in bad {
        let error = Config::from_hcl(&with(line), "agent.conf").expect_err(problem).to_string();
        assert!(error.contains(problem), "{error}\nlacks {problem}");
    }
}
