//! When an agent renews.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use finial_identity::{Bundle, CLOCK_SKEW};
use finial_receive::testing::{Authority, SVID_TTL, start};
use finial_wire::refused_until;
use tonic::{Code, Status};

use super::{Backoff, FIRST_RETRY, LONGEST_RETRY, holds, renewal_time, retry_in};

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

#[test]
fn an_agent_whose_clock_is_behind_renews_in_time_by_the_servers_clock() {
    let svid = Authority::new("example.org").credential(AGENT).svid().clone();
    let received = svid.not_before() - CLOCK_SKEW;
    let given = svid.not_after().duration_since(svid.not_before()).unwrap();
    assert!(renewal_time(&svid, received) <= received + given.mul_f64(0.55));
}

#[test]
fn an_svid_that_is_not_valid_yet_by_a_clock_that_is_behind_holds() {
    let authority = Authority::new("example.org");
    let svid = authority.credential(AGENT).svid().clone();
    assert!(holds(&svid, &authority.bundle(), svid.not_before() - CLOCK_SKEW));
    assert!(!holds(&svid, &authority.bundle(), svid.not_before() - CLOCK_SKEW - Duration::from_secs(1)));
    assert!(!holds(&svid, &authority.bundle(), svid.not_after() + Duration::from_secs(1)));
}

#[test]
fn an_svid_holds_until_its_authority_is_tainted() {
    let authority = Authority::new("example.org");
    let svid = authority.credential(AGENT).svid().clone();
    let other = Authority::new("example.org");
    let mut bundle = Bundle::clone(&authority.bundle_with(&[&other]));
    assert!(holds(&svid, &bundle, start()));
    let tainted = bundle.x509_authorities.remove(0).tainted(true);
    bundle.x509_authorities.push(tainted);
    assert!(!holds(&svid, &bundle, start()));
}

#[test]
fn a_server_that_says_when_to_come_back_is_not_asked_sooner() {
    let mut backoff = Backoff::new(FIRST_RETRY, LONGEST_RETRY);
    let told = 4 * FIRST_RETRY;
    let busy = refused_until(Code::ResourceExhausted, "busy", told).into();
    let first = retry_in(&mut backoff, &busy);
    assert!((told..=told + told / 4).contains(&first), "{first:?}");
    let second = retry_in(&mut backoff, &Status::unavailable("no route").into());
    assert!(second < told, "{second:?}");
}
