//! The Workload API's client on the real wire: what it sends, what it keeps, when it comes back and when it stops.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use finial_identity::{Bundle, X509Credential};
use finial_wire::X509Context;
use tonic::{Code, Status};

use crate::follow::STEADY;
use crate::testing::FakeAgent;
use crate::testing::{Authority, start};
use crate::{Endpoint, NotLive, ReceiveError, Source};

const WEB: &str = "spiffe://example.org/web";
const NEXT: &str = "spiffe://example.org/next";

fn context(authority: &Authority, credentials: Vec<X509Credential>) -> X509Context {
    let bundles = authority.bundles();
    let trust_domain = authority.bundle().trust_domain.clone();
    X509Context { credentials, bundles, trust_domain }
}

fn one(authority: &Authority, id: &str) -> X509Context {
    context(authority, vec![authority.credential(id)])
}

fn source(agent: &FakeAgent) -> Source {
    Source::from_workload_api(&agent.endpoint, &agent.clock, &agent.tasks)
}

fn id(source: &Source) -> String {
    source.credential().unwrap().svid().id().to_string()
}

/// The wait that is pending on the clock, which must be as long as expected, ± 10 %.
fn pending_wait(agent: &FakeAgent, expected_ms: u128) -> Duration {
    let wait = agent.hand.next_wake().unwrap().duration_since(agent.clock.now()).unwrap();
    let (low, high) = (expected_ms * 9 / 10, expected_ms * 11 / 10);
    assert!((low..=high).contains(&wait.as_millis()), "{wait:?} is not {expected_ms} ms ± 10 %");
    wait
}

#[tokio::test]
async fn the_first_answer_makes_the_source_ready_and_each_push_replaces_it() {
    let (mut agent, authority) = (FakeAgent::serve(), Authority::new("example.org"));
    let mut source = source(&agent);
    assert!(matches!(source.credential(), Err(NotLive::Waiting)));
    let session = agent.x509.recv().await.unwrap();
    session.send(Ok(one(&authority, WEB))).await.unwrap();
    source.updated().await.unwrap();
    assert_eq!(id(&source), WEB);
    session.send(Ok(one(&authority, NEXT))).await.unwrap();
    source.updated().await.unwrap();
    assert_eq!(id(&source), NEXT);
}

#[tokio::test]
async fn wep_03_every_call_and_every_return_carries_the_security_header_once() {
    let (mut agent, authority) = (FakeAgent::serve(), Authority::new("example.org"));
    let _source = source(&agent);
    for _ in 0..3 {
        let session = agent.x509.recv().await.unwrap();
        session.send(Ok(one(&authority, WEB))).await.unwrap();
        agent.hand.step(STEADY);
    }
    assert_eq!(agent.headers(), vec![vec!["true".to_owned()]; 3]);
}

#[tokio::test]
async fn wap_03_a_stream_that_worked_is_opened_again_at_once() {
    let (mut agent, authority) = (FakeAgent::serve(), Authority::new("example.org"));
    let mut source = source(&agent);
    for (end, next) in [(None, WEB), (Some(Status::unavailable("restarting")), NEXT)] {
        let session = agent.x509.recv().await.unwrap();
        session.send(Ok(one(&authority, next))).await.unwrap();
        source.updated().await.unwrap();
        assert_eq!(id(&source), next);
        agent.hand.step(STEADY);
        if let Some(status) = end {
            session.send(Err(status)).await.unwrap();
        }
        // Dropped here: closed in good order. The clock stands still until the next is opened.
    }
    let _session = agent.x509.recv().await.unwrap();
    assert_eq!(id(&source), NEXT);
    assert_eq!(agent.clock.now(), start() + STEADY * 2);
}

#[tokio::test]
async fn wep_12_a_stream_that_ends_as_soon_as_it_has_answered_is_not_opened_in_a_tight_loop() {
    let (mut agent, authority) = (FakeAgent::serve(), Authority::new("example.org"));
    let _source = source(&agent);
    for expected_ms in [200, 400, 800] {
        let session = agent.x509.recv().await.unwrap();
        session.send(Ok(one(&authority, WEB))).await.unwrap();
        drop(session);
        agent.hand.sleepers(1).await;
        agent.hand.step(pending_wait(&agent, expected_ms));
    }
}

#[tokio::test]
async fn wep_12_an_agent_that_cannot_be_reached_is_tried_less_and_less_often() {
    let agent = FakeAgent::serve();
    let nobody = Endpoint::Unix("/nonexistent/agent.sock".into());
    let _source = Source::from_workload_api(&nobody, &agent.clock, &agent.tasks);
    for expected_ms in [200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000] {
        agent.hand.sleepers(1).await;
        agent.hand.step(pending_wait(&agent, expected_ms));
    }
}

#[tokio::test]
async fn wap_17_a_denied_source_stops_serving_and_recovers_with_the_next_full_answer() {
    let (mut agent, authority) = (FakeAgent::serve(), Authority::new("example.org"));
    let mut source = source(&agent);
    let session = agent.x509.recv().await.unwrap();
    session.send(Ok(one(&authority, WEB))).await.unwrap();
    source.updated().await.unwrap();
    session.send(Err(Status::permission_denied("no identity issued"))).await.unwrap();
    source.updated().await.unwrap();
    assert!(matches!(source.context(), Err(NotLive::Withdrawn(reason)) if &*reason == "no identity issued"));

    agent.hand.sleepers(1).await;
    agent.hand.step(pending_wait(&agent, 1_000));
    let session = agent.x509.recv().await.unwrap();
    session.send(Ok(one(&authority, NEXT))).await.unwrap();
    source.ready().await.unwrap();
    assert_eq!(id(&source), NEXT);
}

#[tokio::test]
async fn wep_11_a_call_that_will_never_be_served_is_reported_and_not_repeated() {
    for code in [Code::InvalidArgument, Code::Unimplemented] {
        let mut agent = FakeAgent::serve();
        let source = source(&agent);
        let session = agent.x509.recv().await.unwrap();
        session.send(Err(Status::new(code, "not like this"))).await.unwrap();
        let reason = source.ready().await.unwrap_err();
        assert_eq!(reason, NotLive::Withdrawn("not like this".into()), "{code}");
        assert_eq!(agent.hand.next_wake(), None, "{code}: nobody waits to try again");
        assert_eq!(agent.headers().len(), 1, "{code}");
    }
}

#[tokio::test]
async fn wap_10_a_message_without_its_mandatory_fields_is_discarded() {
    let (mut agent, authority) = (FakeAgent::serve(), Authority::new("example.org"));
    let mut source = source(&agent);
    let session = agent.x509.recv().await.unwrap();
    session.send(Ok(one(&authority, WEB))).await.unwrap();
    source.updated().await.unwrap();
    let mut without_bundle = one(&authority, NEXT);
    let trust_domain = without_bundle.trust_domain.clone();
    without_bundle.bundles = [Arc::new(Bundle::empty(trust_domain))].into_iter().collect();
    session.send(Ok(without_bundle)).await.unwrap();
    session.send(Ok(one(&authority, NEXT))).await.unwrap();
    source.updated().await.unwrap();
    // One change, to the message after it, on the same stream.
    assert_eq!(id(&source), NEXT);
    assert_eq!(agent.headers().len(), 1);
}

#[tokio::test]
async fn wap_07_08_a_federated_bundle_that_is_missing_is_dropped() {
    let (home, abroad) = (Authority::new("example.org"), Authority::new("other.org"));
    let mut agent = FakeAgent::serve();
    let mut source = source(&agent);
    let session = agent.x509.recv().await.unwrap();
    let mut federated = one(&home, WEB);
    federated.bundles.insert(abroad.bundle());
    session.send(Ok(federated)).await.unwrap();
    source.updated().await.unwrap();
    assert_eq!(source.bundles().unwrap().len(), 2);
    session.send(Ok(one(&home, WEB))).await.unwrap();
    source.updated().await.unwrap();
    assert!(source.bundles().unwrap().bundle(&abroad.bundle().trust_domain).is_none());
}

#[tokio::test]
async fn rule_11_a_bad_set_is_refused_and_the_one_before_goes_on() {
    let (ours, others) = (Authority::new("example.org"), Authority::new("example.org"));
    let mut agent = FakeAgent::serve();
    let mut source = source(&agent);
    let session = agent.x509.recv().await.unwrap();
    session.send(Ok(one(&ours, WEB))).await.unwrap();
    source.updated().await.unwrap();
    session.send(Ok(context(&others, vec![ours.credential(NEXT)]))).await.unwrap();
    session.send(Ok(one(&ours, WEB))).await.unwrap();
    source.updated().await.unwrap();
    assert_eq!((id(&source).as_str(), source.refused()), (WEB, 1));
}

#[tokio::test]
async fn a_source_outlives_its_agent_until_the_credential_expires() {
    let (mut agent, authority) = (FakeAgent::serve(), Authority::new("example.org"));
    let mut source = source(&agent);
    let session = agent.x509.recv().await.unwrap();
    session.send(Ok(one(&authority, WEB))).await.unwrap();
    source.updated().await.unwrap();
    session.send(Err(Status::unavailable("stopped"))).await.unwrap();
    agent.hand.sleepers(1).await;
    assert_eq!(id(&source), WEB);
    agent.hand.step(Duration::from_secs(3600));
    assert!(matches!(source.credential(), Err(NotLive::Expired { .. })));
}

#[tokio::test]
async fn the_stream_ends_with_the_last_clone_of_the_source() {
    let (mut agent, authority) = (FakeAgent::serve(), Authority::new("example.org"));
    let source = source(&agent);
    let session = agent.x509.recv().await.unwrap();
    session.send(Ok(one(&authority, WEB))).await.unwrap();
    let clone = source.clone();
    source.ready().await.unwrap();
    drop(source);
    assert!(!session.is_closed());
    drop(clone);
    session.closed().await;
}

#[tokio::test]
async fn who_asks_once_is_given_one_answer_or_told_why_there_is_none() {
    let (mut agent, authority) = (FakeAgent::serve(), Authority::new("example.org"));
    let limit = Duration::from_secs(3);
    let (endpoint, clock) = (agent.endpoint.clone(), agent.clock.clone());
    let fetch = || crate::X509Context::fetch(&endpoint, limit, &clock);

    let answer = async { agent.x509.recv().await.unwrap().send(Ok(one(&authority, WEB))).await.unwrap() };
    let (fetched, ()) = tokio::join!(fetch(), answer);
    assert_eq!(fetched.unwrap().credential().unwrap().svid().id().as_str(), WEB);

    let denied = Status::permission_denied("no identity issued");
    let answer = async { agent.x509.recv().await.unwrap().send(Err(denied)).await.unwrap() };
    let (fetched, ()) = tokio::join!(fetch(), answer);
    assert!(
        matches!(fetched, Err(ReceiveError::Refused { status, .. }) if status.code() == Code::PermissionDenied)
    );

    let silent = async {
        let _session = agent.x509.recv().await.unwrap();
        agent.hand.step(limit);
        std::future::pending::<()>().await;
    };
    let fetched = tokio::select! {
        fetched = fetch() => fetched,
        () = silent => unreachable!(),
    };
    assert!(matches!(fetched, Err(ReceiveError::Unanswered { .. })));

    let nowhere = Endpoint::parse("unix:///nowhere/agent.sock").unwrap();
    let fetched = crate::X509Context::fetch(&nowhere, limit, &clock).await;
    assert!(
        matches!(fetched, Err(ReceiveError::Refused { status, .. }) if status.code() == Code::Unavailable)
    );
}
