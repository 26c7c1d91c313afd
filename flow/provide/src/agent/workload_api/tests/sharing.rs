//! The streams of one connection: one look at the process for each change that concerns them all.

use std::sync::atomic::Ordering;
use std::time::Duration;

use finial_identity::Entry;
use futures_util::StreamExt;
use tonic::Code;

use super::{Case, Identities, code};
use crate::agent::testing::{Authority, draft, entry};

fn web() -> Entry {
    entry("web", draft("web", &["test:web"]))
}

/// Two streams of one connection that have both been answered, and a change that neither has looked at yet.
async fn two_streams_and_a_change() -> (Case, Identities, Identities) {
    let case = Case::new([web()], &["web"]);
    let ((first, _), (second, _)) = (case.fetch().await, case.fetch().await);
    case.agent.server.use_authority(Authority::new("second"));
    case.agent.soon(|snapshot| snapshot.bundle().x509_authorities.len() == 2).await;
    (case, first, second)
}

#[tokio::test]
async fn two_streams_need_one_look() {
    let (case, mut first, mut second) = two_streams_and_a_change().await;
    let before = case.told.asked.load(Ordering::Relaxed);
    first.next().await.unwrap().unwrap();
    second.next().await.unwrap().unwrap();
    assert_eq!(case.told.asked.load(Ordering::Relaxed) - before, 1);
}

#[tokio::test]
async fn look_taken_a_moment_ago_is_too_old() {
    let (case, mut first, mut second) = two_streams_and_a_change().await;
    first.next().await.unwrap().unwrap();
    case.become_one_with(&["nobody"]);
    case.agent.hand.step(Duration::from_millis(51));
    assert_eq!(code(second.next().await.unwrap()), Code::PermissionDenied);
}

#[tokio::test]
async fn look_taken_for_an_earlier_change_is_none() {
    let (case, mut first, mut second) = two_streams_and_a_change().await;
    first.next().await.unwrap().unwrap();
    case.become_one_with(&["nobody"]);
    case.agent.server.use_authority(Authority::new("third"));
    case.agent.soon(|snapshot| snapshot.bundle().x509_authorities.len() == 3).await;
    assert_eq!(code(second.next().await.unwrap()), Code::PermissionDenied);
}

#[tokio::test]
async fn look_that_an_attestor_missed_is_not_shared() {
    let (case, mut first, mut second) = two_streams_and_a_change().await;
    case.docker.fail();
    first.next().await.unwrap().unwrap();
    case.become_one_with(&["nobody"]);
    // Looked at by itself: not what the test attestor said a moment ago, and not all that there may be to say.
    assert_eq!(code(second.next().await.unwrap()), Code::Unavailable);
}
