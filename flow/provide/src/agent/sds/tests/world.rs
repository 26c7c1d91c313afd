//! StreamSecrets and FetchSecrets.

use finial_wire::server::SecretApi;
use finial_wire::{SecretContent, SecretRequest};
use futures_util::StreamExt;
use tonic::Code;

use super::*;

#[tokio::test]
async fn alias_and_id_mean_the_same_and_are_answered_at_once() {
    let case = Case::new([web()]).await;
    let names = ["default", "spiffe://example.org/web", "ROOTCA", "spiffe://example.org", "ALL"];
    let mut stream = case.open(asking(&names)).await;
    let update = case.next(&mut stream).await;
    assert_eq!(
        contents(&update.secrets),
        [
            "ALL: validator of example.org",
            "ROOTCA: validator of example.org",
            "default: /web",
            "spiffe://example.org: validator of example.org",
            "spiffe://example.org/web: /web",
        ]
    );
    assert_eq!(update.version, "1");
}

#[tokio::test]
async fn no_name_means_everything() {
    let case = Case::new([open_web(), api()]).await;
    let mut stream = case.open(asking(&[])).await;
    assert_eq!(
        contents(&case.next(&mut stream).await.secrets),
        [
            "spiffe://example.org: validator of example.org",
            "spiffe://example.org/api: /api",
            "spiffe://example.org/web: /web",
            "spiffe://other.test: validator of other.test",
        ]
    );
}

#[tokio::test]
async fn default_identity_is_the_first_of_the_workload_api() {
    let case = Case::new([api(), web()]).await;
    let mut stream = case.open(asking(&["default"])).await;
    assert_eq!(contents(&case.next(&mut stream).await.secrets), ["default: /web"]);
}

#[tokio::test]
async fn only_what_changed_is_sent() {
    let case = Case::new([web()]).await;
    let mut stream = case.open(asking(&["default", "ROOTCA"])).await;
    let first = case.next(&mut stream).await;
    stream.send(taken(&["default", "ROOTCA"], &first));
    case.silence(&mut stream).await;
    case.agent.server.change_bundle(|bundle| {
        bundle.x509_authorities.push(Authority::new("second").certificate());
    });
    let second = case.next(&mut stream).await;
    assert_eq!(contents(&second.secrets), ["ROOTCA: validator of example.org"]);
    assert_eq!(second.version, "2");
}

#[tokio::test]
async fn renewed_svid_is_sent() {
    let case = Case::new([web()]).await;
    let mut stream = case.open(asking(&["default", "ROOTCA"])).await;
    let serial = |update: &SecretUpdate| match &update.secrets[0].content {
        SecretContent::Credential(held) => held.svid().serial_number().to_owned(),
        other => panic!("{other:?}"),
    };
    let first = case.agent.soon(|snapshot| snapshot.serial("web").is_some()).await.serial("web");
    let update = case.next(&mut stream).await;
    assert_eq!(contents(&update.secrets).len(), 2);
    let mut changed = draft("web", &["test:envoy"]);
    changed.dns_names = vec!["web.example.org".to_owned()];
    case.agent.server.put(entry("web", changed));
    let update = case.next(&mut stream).await;
    assert_eq!(contents(&update.secrets), ["default: /web"]);
    assert_ne!(Some(serial(&update)), first);
}

#[tokio::test]
async fn refused_answer_is_not_sent_again_until_it_changes() {
    let case = Case::new([web()]).await;
    let mut stream = case.open(asking(&["ROOTCA"])).await;
    let first = case.next(&mut stream).await;
    for _ in 0..3 {
        stream.send(refused(&["ROOTCA"], &first));
    }
    case.silence(&mut stream).await;
    case.agent.server.change_bundle(|bundle| {
        bundle.x509_authorities.push(Authority::new("second").certificate());
    });
    assert_eq!(case.next(&mut stream).await.version, "2");
}

#[tokio::test]
async fn request_about_an_earlier_answer_is_passed_over() {
    let case = Case::new([web()]).await;
    let mut stream = case.open(asking(&["ROOTCA"])).await;
    let first = case.next(&mut stream).await;
    for nonce in ["", "0", "2", "x"] {
        stream.send(SecretRequest { nonce: nonce.to_owned(), ..asking(&["default"]) });
    }
    case.silence(&mut stream).await;
    stream.send(taken(&["ROOTCA", "default"], &first));
    assert_eq!(contents(&case.next(&mut stream).await.secrets), ["default: /web"]);
}

#[tokio::test]
async fn name_that_was_given_up_is_sent_when_it_is_wanted_again() {
    let case = Case::new([web()]).await;
    let mut stream = case.open(asking(&["ROOTCA", "default"])).await;
    let first = case.next(&mut stream).await;
    stream.send(taken(&["ROOTCA"], &first));
    case.silence(&mut stream).await;
    stream.send(taken(&["ROOTCA", "default"], &first));
    assert_eq!(contents(&case.next(&mut stream).await.secrets), ["default: /web"]);
}

#[tokio::test]
async fn name_that_is_not_the_callers_ends_the_stream_in_spires_words() {
    let case = Case::new([web(), entry("db", draft("db", &["test:db"]))]).await;
    for name in ["spiffe://example.org/db", "spiffe://other.test", "no \"name\"", "*x"] {
        let mut stream = case.open(asking(&["default", name])).await;
        assert_eq!(contents(&case.next(&mut stream).await.secrets), ["default: /web"]);
        let status = case.end(&mut stream, PATIENCE).await;
        let text = format!("workload is not authorized for the requested identities [{name:?}]");
        assert_eq!((status.code(), status.message()), (Code::InvalidArgument, text.as_str()));
    }
}

#[tokio::test]
async fn entry_that_comes_a_little_later_is_served() {
    let case = Case::new([]).await;
    let mut stream = case.open(asking(&["default"])).await;
    case.silence(&mut stream).await;
    case.agent.server.put(web());
    assert_eq!(contents(&case.next(&mut stream).await.secrets), ["default: /web"]);
}

#[tokio::test]
async fn svid_that_is_late_is_waited_for() {
    let case = Case::with_server([web()], |server| server.deliver(false));
    let mut stream = case.open(asking(&["default"])).await;
    assert!(stream.answers.next().now_or_never().is_none());
    case.agent.server.deliver(true);
    assert_eq!(contents(&case.next(&mut stream).await.secrets), ["default: /web"]);
}

#[tokio::test]
async fn svid_that_does_not_come_ends_the_stream() {
    let case = Case::with_server([web()], |server| server.deliver(false));
    let mut stream = case.open(asking(&["default"])).await;
    assert_eq!(case.end(&mut stream, PATIENCE).await.code(), Code::Unavailable);
}

#[tokio::test]
async fn envoy_without_identity_is_refused_when_patience_ends() {
    let case = Case::new([]).await;
    let mut stream = case.open(asking(&["ROOTCA"])).await;
    let before = case.agent.clock.monotonic();
    let status = case.end(&mut stream, PATIENCE).await;
    assert_eq!((status.code(), status.message()), (Code::PermissionDenied, "no identity issued"));
    assert_eq!(case.agent.clock.monotonic() - before, Duration::from_secs(10));
}

#[tokio::test]
async fn stream_ends_at_once_when_the_identity_is_gone() {
    let case = Case::new([web()]).await;
    let mut stream = case.open(asking(&["ROOTCA"])).await;
    case.next(&mut stream).await;
    case.agent.server.delete("web");
    assert_eq!(case.end(&mut stream, SOON).await.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn stream_ends_at_once_when_one_of_two_identities_is_gone() {
    let case = Case::new([web(), api()]).await;
    let mut stream = case.open(asking(&["spiffe://example.org/web"])).await;
    case.next(&mut stream).await;
    case.agent.server.delete("web");
    assert_eq!(case.end(&mut stream, SOON).await.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn rule_6_envoy_that_became_another_program_gets_no_more() {
    let case = Case::new([web()]).await;
    let mut stream = case.open(asking(&["ROOTCA"])).await;
    case.next(&mut stream).await;
    case.become_one_with(&["other"]);
    case.agent.server.change_bundle(|bundle| {
        bundle.x509_authorities.push(Authority::new("second").certificate());
    });
    assert_eq!(case.end(&mut stream, SOON).await.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn stream_ends_when_the_envoy_hangs_up_and_gives_its_place_free() {
    let case = Case::new([web()]).await;
    for _ in 0..5 {
        let Stream { requests, mut answers } = case.open(asking(&["ROOTCA"])).await;
        case.within(SOON, answers.next()).await.unwrap().unwrap();
        drop(requests);
        assert!(answers.next().await.is_none());
    }
}

#[tokio::test]
async fn streams_of_one_process_are_limited() {
    let case = Case::new([web()]).await;
    let _open = [case.open(asking(&["ROOTCA"])).await, case.open(asking(&["ROOTCA"])).await];
    let (_requests, queue) = requests(asking(&["ROOTCA"]));
    let status = case.api.stream(&case.ctx, queue).await.err().unwrap();
    assert_eq!(status.code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn fetch_waits_until_everything_is_there() {
    let case = Case::with_server([web()], |server| server.deliver(false));
    let fetch = case.api.fetch(&case.ctx, asking(&["default", "ROOTCA"]));
    let deliver = async {
        tokio::task::yield_now().await;
        case.agent.server.deliver(true);
    };
    let (update, ()) = case.within(SOON, async { tokio::join!(fetch, deliver) }).await;
    let mut secrets = contents(&update.unwrap().secrets);
    secrets.sort();
    assert_eq!(secrets, ["ROOTCA: validator of example.org", "default: /web"]);
}

#[tokio::test]
async fn fetch_of_what_is_not_the_callers_is_refused() {
    let case = Case::new([web()]).await;
    let fetch = case.api.fetch(&case.ctx, asking(&["spiffe://example.org/db"]));
    assert_eq!(case.within(PATIENCE, fetch).await.unwrap_err().code(), Code::InvalidArgument);
}
