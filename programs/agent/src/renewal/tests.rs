//! When an agent renews.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use finial_receive::testing::{Authority, SVID_TTL, start};

use super::renewal_time;

const AGENT: &str = "spiffe://example.org/spire/agent/join_token/t";

#[test]
fn an_agent_renews_at_half_life_and_not_all_at_once() {
    let svid = Authority::new("example.org").credential(AGENT).svid().clone();
    let times: Vec<_> = (0..100).map(|_| renewal_time(&svid, start())).collect();
    let (earliest, latest) = (start() + SVID_TTL.mul_f64(0.45), start() + SVID_TTL.mul_f64(0.55));
    assert!(times.iter().all(|at| (earliest..=latest).contains(at)), "{times:?}");
    assert!(times.iter().any(|at| at != &times[0]));
}

#[test]
fn an_svid_shorter_than_its_backdating_is_not_renewed_without_end() {
    let issued = start() + SVID_TTL - Duration::from_secs(10);
    // Ten seconds are left of a life that by its certificate began an hour ago.
    let svid = Authority::new("example.org").credential(AGENT).svid().clone();
    assert!(renewal_time(&svid, svid.not_before()) < issued);
    assert!(renewal_time(&svid, issued) >= issued + Duration::from_secs(4));
}
