//! DeltaSecrets.

use finial_wire::SecretDeltaRequest;
use futures_util::StreamExt;
use tonic::Code;

use super::*;
use crate::agent::snapshot::AgentSnapshot;

/// The acknowledgement of an answer.
fn acked(delta: &SecretDelta) -> SecretDeltaRequest {
    SecretDeltaRequest { nonce: delta.version.clone(), ..SecretDeltaRequest::default() }
}

#[tokio::test]
async fn each_secret_has_a_version_and_only_changes_are_sent() {
    let case = Case::new([web()]).await;
    let mut stream = case.open_delta(subscribing(&["default", "ROOTCA"])).await;
    let first = case.next(&mut stream).await;
    assert_eq!(contents(&first.secrets), ["ROOTCA: validator of example.org", "default: /web"]);
    stream.send(acked(&first));
    case.silence(&mut stream).await;
    case.agent.server.change_bundle(|bundle| {
        bundle.x509_authorities.push(Authority::new("second").certificate());
    });
    let second = case.next(&mut stream).await;
    assert_eq!(contents(&second.secrets), ["ROOTCA: validator of example.org"]);
    assert_ne!(versions(&second)["ROOTCA"], versions(&first)["ROOTCA"]);
}

#[tokio::test]
async fn what_there_is_not_is_told_once_and_sent_when_it_comes() {
    let case = Case::new([web()]).await;
    let mut stream = case.open_delta(subscribing(&["default", "spiffe://example.org/api"])).await;
    let first = case.next(&mut stream).await;
    assert_eq!(
        (contents(&first.secrets), first.removed.as_slice()),
        (strings(&["default: /web"]), &strings(&["spiffe://example.org/api"])[..])
    );
    stream.send(acked(&first));
    case.silence(&mut stream).await;
    case.agent.server.put(api());
    let second = case.next(&mut stream).await;
    assert_eq!(contents(&second.secrets), ["spiffe://example.org/api: /api"]);
    assert!(second.removed.is_empty());
}

#[tokio::test]
async fn identity_that_is_gone_is_removed() {
    let case = Case::new([web(), api()]).await;
    let mut stream = case.open_delta(subscribing(&["spiffe://example.org/api", "ROOTCA"])).await;
    case.next(&mut stream).await;
    case.agent.server.delete("xapi");
    let delta = case.next(&mut stream).await;
    assert_eq!((delta.secrets.len(), delta.removed), (0, strings(&["spiffe://example.org/api"])));
    case.silence(&mut stream).await;
}

#[tokio::test]
async fn stream_ends_when_no_identity_is_left() {
    let case = Case::new([web()]).await;
    let mut stream = case.open_delta(subscribing(&["ROOTCA"])).await;
    case.next(&mut stream).await;
    case.agent.server.delete("web");
    assert_eq!(case.end(&mut stream, SOON).await.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn identity_is_sent_when_a_silent_attestor_has_answered() {
    let case = Case::new([web(), entry("late", draft("late", &["late:yes"]))]).await;
    case.late.is_silent.store(true, Ordering::Relaxed);
    let mut stream = case.open_delta(subscribing(&["default", "spiffe://example.org/late"])).await;
    let first = case.next(&mut stream).await;
    assert_eq!((contents(&first.secrets), first.removed.len()), (strings(&["default: /web"]), 1));
    case.late.is_silent.store(false, Ordering::Relaxed);
    let second = case.within(Duration::from_secs(31), stream.answers.next()).await.unwrap().unwrap();
    assert!(contents(&second.secrets).contains(&"spiffe://example.org/late: /late".to_owned()), "{second:?}");
}

#[tokio::test]
async fn what_is_held_from_an_earlier_stream_is_sent_only_if_it_changed() {
    let case = Case::new([open_web()]).await;
    let names = ["ROOTCA", "default", "spiffe://other.test"];
    let mut stream = case.open_delta(subscribing(&names)).await;
    let held = versions(&case.next(&mut stream).await);
    drop(stream);
    let before = case.agent.cache.snapshot().serial("web");
    case.agent.server.put(web());
    let is_renewed = |snapshot: &AgentSnapshot| snapshot.serial("web") != before;
    case.agent.soon(|snapshot| snapshot.federated().is_empty() && is_renewed(snapshot)).await;
    let mut stream = case.open_delta(SecretDeltaRequest { held, ..subscribing(&names) }).await;
    let delta = case.next(&mut stream).await;
    assert_eq!(contents(&delta.secrets), ["default: /web", "spiffe://other.test: nobody"]);
    case.silence(&mut stream).await;
}

#[tokio::test]
async fn name_that_is_subscribed_to_again_is_sent_again() {
    let case = Case::new([web()]).await;
    let mut stream = case.open_delta(subscribing(&["ROOTCA", "default"])).await;
    let first = case.next(&mut stream).await;
    stream.send(SecretDeltaRequest { nonce: first.version.clone(), ..subscribing(&["ROOTCA"]) });
    assert_eq!(contents(&case.next(&mut stream).await.secrets), ["ROOTCA: validator of example.org"]);
}

#[tokio::test]
async fn name_that_is_unsubscribed_from_is_sent_no_more() {
    let case = Case::new([web()]).await;
    let mut stream = case.open_delta(subscribing(&["ROOTCA", "default"])).await;
    case.next(&mut stream).await;
    stream.send(SecretDeltaRequest { unsubscribe: strings(&["ROOTCA"]), ..SecretDeltaRequest::default() });
    case.silence(&mut stream).await;
    case.agent.server.change_bundle(|bundle| {
        bundle.x509_authorities.push(Authority::new("second").certificate());
    });
    case.silence(&mut stream).await;
}

#[tokio::test]
async fn star_is_everything_until_it_is_given_up() {
    let case = Case::new([web()]).await;
    for first in [subscribing(&["*"]), SecretDeltaRequest::default()] {
        let mut stream = case.open_delta(first).await;
        let everything = ["spiffe://example.org: validator of example.org", "spiffe://example.org/web: /web"];
        assert_eq!(contents(&case.next(&mut stream).await.secrets), everything);
        case.agent.server.put(api());
        assert_eq!(contents(&case.next(&mut stream).await.secrets), ["spiffe://example.org/api: /api"]);
        case.agent.server.delete("xapi");
        assert_eq!(case.next(&mut stream).await.removed, ["spiffe://example.org/api"]);
        stream.send(SecretDeltaRequest { unsubscribe: strings(&["*"]), ..SecretDeltaRequest::default() });
        case.silence(&mut stream).await;
        case.agent.server.put(api());
        case.silence(&mut stream).await;
        case.agent.server.delete("xapi");
        case.silence(&mut stream).await;
    }
}

#[tokio::test]
async fn refused_secret_is_not_sent_again_until_it_changes() {
    let case = Case::new([web()]).await;
    let mut stream = case.open_delta(subscribing(&["ROOTCA"])).await;
    let first = case.next(&mut stream).await;
    for _ in 0..3 {
        stream.send(SecretDeltaRequest { rejection: Some("no PEM".to_owned()), ..acked(&first) });
    }
    case.silence(&mut stream).await;
    case.agent.server.change_bundle(|bundle| {
        bundle.x509_authorities.push(Authority::new("second").certificate());
    });
    assert_eq!(case.next(&mut stream).await.version, "2");
}

#[tokio::test]
async fn one_stream_is_about_a_limited_number_of_secrets() {
    let case = Case::new([web()]).await;
    let mut stream = case.open_delta(subscribing(&["ROOTCA"])).await;
    case.next(&mut stream).await;
    let names: Vec<String> = (0..finial_wire::MAX_SECRET_NAMES).map(|number| number.to_string()).collect();
    stream.send(SecretDeltaRequest { subscribe: names, ..SecretDeltaRequest::default() });
    let status = case.end(&mut stream, SOON).await;
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("257 secrets"), "{status}");
}
