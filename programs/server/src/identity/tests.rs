//! When the server gives itself a new SVID.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_daemon::metrics::{CallStatus, Calls};
use finial_daemon::{Clock, ClockHand, Tasks};
use finial_identity::{KeyKind, TrustDomain};
use finial_issue::{AuthorityKind, AuthorityManager, IssueConfig, IssueMeters};
use finial_keys::MemoryKeys;
use finial_receive::Source;
use finial_store::{Changes, Index, SqliteStore};

use super::start;

struct Fixture {
    source: Source,
    authorities: AuthorityManager,
    rotations: Calls,
    hand: ClockHand,
    tasks: Tasks,
}

async fn fixture() -> Fixture {
    let (clock, hand) = Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
    let tasks = Tasks::new(clock.clone());
    let store = Arc::new(SqliteStore::in_memory().await.unwrap());
    let index = Index::start(store.clone(), &clock, &tasks).await.unwrap();
    let trust_domain = TrustDomain::parse("example.org").unwrap();
    let config = IssueConfig::new(trust_domain.clone());
    let (keys, bundles) = (Arc::new(MemoryKeys::new()), store.clone());
    let authorities =
        AuthorityManager::start(config, keys, bundles, store.clone(), IssueMeters::default(), &clock, &tasks);
    let authorities = authorities.await.unwrap();
    index.reached(store.revision().await.unwrap()).await.unwrap();
    let issuer = authorities.issuer();
    let rotations = Calls::default();
    let calls = rotations.clone();
    let source = start(trust_domain, KeyKind::EcP256, issuer, &index, calls, &clock, &tasks).await.unwrap();
    Fixture { source, authorities, rotations, hand, tasks }
}

/// Waits for another SVID; bundles that change by themselves are updates too.
async fn renewed(source: &mut Source, first: &str) {
    while serial(source) == first {
        source.updated().await.unwrap();
    }
}

fn serial(source: &Source) -> String {
    source.credential().unwrap().svid().serial_number().to_owned()
}

#[tokio::test]
async fn svid_is_there_at_once_and_says_the_server() {
    let fixture = fixture().await;
    let credential = fixture.source.credential().unwrap();
    assert_eq!(credential.svid().id().as_str(), "spiffe://example.org/spire/server");
    fixture.tasks.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn svid_is_renewed_at_half_life() {
    let mut fixture = fixture().await;
    let first = serial(&fixture.source);
    fixture.hand.step(Duration::from_mins(31));
    renewed(&mut fixture.source, &first).await;
    assert_eq!(fixture.rotations.count(CallStatus::OK), 1);
    fixture.tasks.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn svid_is_renewed_when_another_authority_signs() {
    let mut fixture = fixture().await;
    let first = serial(&fixture.source);
    let prepared = fixture.authorities.prepare(AuthorityKind::X509).await.unwrap();
    fixture.authorities.activate(AuthorityKind::X509, prepared.id).await.unwrap();
    renewed(&mut fixture.source, &first).await;
    fixture.tasks.stop(Duration::ZERO).await;
}
