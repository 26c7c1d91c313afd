//! When a source serves, when it refuses, and when it tells.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use finial_daemon::{Clock, ClockHand};

use super::{Source, SourceWriter};
use crate::NotLive;
use crate::testing::{Authority, SVID_TTL, start};

const ID: &str = "spiffe://example.org/web";

fn channel() -> (SourceWriter, Source, ClockHand) {
    let (clock, hand) = Clock::manual(start());
    let (writer, source) = Source::channel(&clock);
    (writer, source, hand)
}

#[test]
fn rule_11_a_refused_set_is_counted_and_the_one_before_goes_on() {
    let (writer, source, _hand) = channel();
    let (ours, others) = (Authority::new("example.org"), Authority::new("example.org"));
    writer.publish(vec![ours.credential(ID)], ours.bundles()).unwrap();
    let before = source.context().unwrap();
    writer.publish(vec![ours.credential(ID)], others.bundles()).unwrap_err();
    assert!(std::sync::Arc::ptr_eq(&before, &source.context().unwrap()));
    assert_eq!(source.refused(), 1);
}

#[test]
fn nothing_is_served_once_the_credential_has_expired() {
    let (writer, source, hand) = channel();
    let ours = Authority::new("example.org");
    writer.publish(vec![ours.credential(ID)], ours.bundles()).unwrap();
    hand.step(SVID_TTL - Duration::from_secs(1));
    assert_eq!(source.credential().unwrap().svid().id().as_str(), ID);
    hand.step(Duration::from_secs(1));
    let at = start() + SVID_TTL;
    assert!(
        matches!(source.credential(), Err(NotLive::Expired { id, at: t }) if id.as_str() == ID && t == at)
    );
    assert!(source.bundles().is_err());
}

#[tokio::test]
async fn expiry_is_told_as_a_change_is() {
    let (writer, mut source, hand) = channel();
    let ours = Authority::new("example.org");
    writer.publish(vec![ours.credential(ID)], ours.bundles()).unwrap();
    source.updated().await.unwrap();
    let (expired, ()) = tokio::join!(source.updated(), async {
        hand.sleepers(1).await;
        hand.step(SVID_TTL);
    });
    expired.unwrap();
    assert!(source.context().is_err());
}

#[tokio::test]
async fn a_source_without_a_writer_serves_until_it_expires() {
    let (writer, mut source, hand) = channel();
    let ours = Authority::new("example.org");
    writer.publish(vec![ours.credential(ID)], ours.bundles()).unwrap();
    drop(writer);
    source.updated().await.unwrap();
    let (expired, ()) = tokio::join!(source.updated(), async {
        hand.sleepers(1).await;
        hand.step(SVID_TTL);
    });
    expired.unwrap();
    assert_eq!(source.updated().await, Err(NotLive::Ended));
}

#[tokio::test]
async fn ready_passes_over_a_generation_that_has_expired() {
    let (writer, source, hand) = channel();
    let ours = Authority::new("example.org");
    writer.publish(vec![ours.credential(ID)], ours.bundles()).unwrap();
    hand.step(SVID_TTL);
    let ready = source.ready();
    tokio::pin!(ready);
    assert!(futures_util::poll!(&mut ready).is_pending());
    writer.publish(vec![ours.credential_at(ID, start() + SVID_TTL)], ours.bundles()).unwrap();
    ready.await.unwrap();
}

#[test]
fn bundles_alone_serve_a_caller_that_has_no_identity_yet() {
    let (writer, source, _hand) = channel();
    writer.publish_anonymous(Authority::new("example.org").bundles());
    assert!(source.context().is_ok() && source.bundles().is_ok());
    assert!(matches!(source.credential(), Err(NotLive::Anonymous)));
}
