//! FetchX509SVID: who gets which identities, and when they are told again.

use std::time::Duration;

use finial_identity::{Entry, EntryDraft, Role};
use finial_wire::server::WorkloadApi;
use futures_util::{FutureExt, StreamExt};
use tonic::{Code, Extensions};

use super::{Case, audience, code, names, serials};
use crate::agent::testing::{Authority, LIFE, draft, entry};

fn web() -> Entry {
    entry("web", draft("web", &["test:web"]))
}

fn hinted(id: &str, name: &str, hint: &str) -> Entry {
    entry(id, EntryDraft { hint: hint.to_owned(), ..draft(name, &["test:web"]) })
}

#[tokio::test]
async fn wap_01_x509_and_jwt_are_served() {
    let case = Case::new([web()], &["web"]);
    drop(case.fetch().await);
    assert!(case.api.jwt_svids(&case.ctx, audience("db"), None).await.is_ok());
}

#[tokio::test]
async fn wap_13_answer_has_svid_key_and_bundle_that_belong_together() {
    let case = Case::new([web()], &["web"]);
    let (_, context) = case.fetch().await;
    let held = &context.credentials[0];
    assert_eq!(held.svid().public_key(), held.key().public_key());
    let verified = held.svid().verify(&context.bundles, case.agent.clock.now(), Role::Client);
    assert_eq!(verified.unwrap().id().path(), "/web");
}

#[tokio::test]
async fn wap_05_every_new_stream_is_answered_at_once() {
    let case = Case::new([web()], &["web"]);
    drop(case.fetch().await);
    for _ in 0..3 {
        let mut stream = case.api.x509_svids(&case.ctx).now_or_never().unwrap().unwrap();
        assert!(stream.next().now_or_never().unwrap().unwrap().is_ok());
    }
}

#[tokio::test]
async fn wap_04_each_message_is_the_full_set() {
    let case = Case::new([web(), entry("db", draft("db", &["test:web"]))], &["web"]);
    let (mut stream, first) = case.fetch().await;
    case.agent.server.put(hinted("web", "web", "changed"));
    let second = case.next(&mut stream).await.unwrap();
    assert_eq!(names(&second), ["/db", "/web"]);
    assert_eq!(serials(&first)[0], serials(&second)[0]);
    assert_ne!(serials(&first)[1], serials(&second)[1]);
}

#[tokio::test]
async fn wap_06_nothing_is_pushed_when_nothing_changed_for_the_caller() {
    let case = Case::new([web()], &["web"]);
    let (mut stream, _) = case.fetch().await;
    case.agent.server.put(entry("db", draft("db", &["test:db"])));
    case.agent.server.use_jwt_key("another");
    case.agent.catch_up().await;
    assert!(stream.next().now_or_never().is_none());
    case.agent.server.put(entry("more", draft("more", &["test:web"])));
    assert_eq!(names(&case.next(&mut stream).await.unwrap()), ["/more", "/web"], "the very next message");
}

#[tokio::test]
async fn entry_added_is_pushed() {
    let case = Case::new([web()], &["web"]);
    let (mut stream, _) = case.fetch().await;
    let before = case.agent.clock.monotonic();
    case.agent.server.put(entry("a", draft("a", &["test:web"])));
    assert_eq!(names(&case.next(&mut stream).await.unwrap()), ["/a", "/web"]);
    assert!(case.agent.clock.monotonic() - before < Duration::from_millis(200));
}

#[tokio::test]
async fn entry_removed_is_pushed_and_its_svid_is_gone() {
    let case = Case::new([web(), entry("a", draft("a", &["test:web"]))], &["web"]);
    let (mut stream, _) = case.fetch().await;
    case.agent.server.delete("a");
    assert_eq!(names(&case.next(&mut stream).await.unwrap()), ["/web"]);
}

#[tokio::test]
async fn renewal_is_pushed() {
    let case = Case::new([web()], &["web"]);
    let (mut stream, first) = case.fetch().await;
    case.agent.hand.step(LIFE.mul_f64(0.56));
    let second = case.next(&mut stream).await.unwrap();
    assert_ne!(serials(&first), serials(&second));
}

#[tokio::test]
async fn changed_own_bundle_is_pushed() {
    let case = Case::new([web()], &["web"]);
    let (mut stream, _) = case.fetch().await;
    case.agent.server.use_authority(Authority::new("second"));
    let second = case.next(&mut stream).await.unwrap();
    let bundle = second.bundles.bundle(&second.trust_domain).unwrap();
    assert_eq!(bundle.x509_authorities.len(), 2);
}

#[tokio::test]
async fn wap_16_caller_without_identity_is_denied_on_each_rpc() {
    let case = Case::new([web()], &["nobody"]);
    let (api, ctx) = (&case.api, &case.ctx);
    case.agent.soon(|snapshot| snapshot.is_synced()).await;
    assert_eq!(code(api.x509_svids(ctx).await), Code::PermissionDenied);
    assert_eq!(code(api.x509_bundles(ctx).await), Code::PermissionDenied);
    assert_eq!(code(api.jwt_bundles(ctx).await), Code::PermissionDenied);
    assert_eq!(code(api.jwt_svids(ctx, audience("db"), None).await), Code::PermissionDenied);
    let denied = api.validate_jwt_svid(ctx, "db".to_owned(), "token".to_owned()).await.unwrap_err();
    assert_eq!((denied.code(), denied.message()), (Code::PermissionDenied, "no identity issued"));
}

#[tokio::test]
async fn wap_16_stream_ends_when_the_identity_is_gone() {
    let case = Case::new([web()], &["web"]);
    let (mut stream, _) = case.fetch().await;
    case.agent.server.delete("web");
    assert_eq!(code(case.next(&mut stream).await), Code::PermissionDenied);
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn process_that_became_another_program_is_attested_again_before_the_next_answer() {
    let case = Case::new([web(), entry("db", draft("db", &["test:db"]))], &["web"]);
    let (mut stream, _) = case.fetch().await;
    case.become_one_with(&["db"]);
    case.agent.server.put(hinted("web", "web", "changed"));
    assert_eq!(names(&case.next(&mut stream).await.unwrap()), ["/db"]);
}

#[tokio::test]
async fn process_that_became_nobody_is_denied_at_the_next_answer() {
    let case = Case::new([web()], &["web"]);
    let (mut stream, _) = case.fetch().await;
    case.become_one_with(&["nobody"]);
    case.agent.server.put(hinted("web", "web", "changed"));
    assert_eq!(code(case.next(&mut stream).await), Code::PermissionDenied);
}

#[tokio::test]
async fn wep_06_caller_that_is_not_known_by_its_connection_gets_nothing() {
    let case = Case::new([web()], &["web"]);
    case.agent.soon(|snapshot| snapshot.is_synced()).await;
    assert_eq!(code(case.api.x509_svids(&Extensions::new()).await), Code::Internal);
}

#[tokio::test]
async fn wep_13_agent_that_has_not_heard_its_server_is_unavailable() {
    let case = Case::with_server([web()], &["web"], |server| server.go_away(true));
    let asked = case.api.x509_svids(&case.ctx);
    let moved = async {
        while !case.agent.cache.state().borrow().is_degraded() {
            tokio::task::yield_now().await;
        }
        case.agent.hand.step(Duration::from_secs(30));
    };
    let (answer, ()) = tokio::join!(asked, moved);
    assert_eq!(code(answer), Code::Unavailable);
}

#[tokio::test]
async fn wep_13_svids_that_do_not_come_are_unavailable() {
    let case = Case::with_server([web()], &["web"], |server| server.issue_at_most(0));
    case.agent.soon(|snapshot| snapshot.is_synced()).await;
    let mut asked = Box::pin(case.api.x509_svids(&case.ctx));
    let answer = loop {
        if let Some(answer) = asked.as_mut().now_or_never() {
            break answer;
        }
        case.agent.pass(Duration::from_secs(25));
        tokio::task::yield_now().await;
    };
    assert_eq!(code(answer), Code::Unavailable);
}

#[tokio::test]
async fn new_caller_waits_until_all_its_svids_exist() {
    let mut lazy = draft("lazy", &["test:web"]);
    lazy.x509_svid_prefetch_disabled = true;
    let case = Case::new([web(), entry("lazy", lazy)], &["web"]);
    case.agent.soon(|snapshot| snapshot.serial("web").is_some()).await;
    let (_, first) = case.fetch().await;
    assert_eq!(names(&first), ["/lazy", "/web"]);
}

#[tokio::test]
async fn stream_ends_unavailable_when_its_svids_expire_while_the_server_is_away() {
    let case = Case::new([web()], &["web"]);
    let (mut stream, _) = case.fetch().await;
    case.agent.server.go_away(true);
    case.agent.hand.step(LIFE + Duration::from_secs(60));
    case.agent.cache.subscribe().wait_for(|snapshot| snapshot.credential_count() == 0).await.unwrap();
    assert!(stream.next().now_or_never().is_none(), "an empty message would not be one (WAP-13)");
    case.agent.hand.step(Duration::from_secs(30));
    assert_eq!(code(stream.next().await.unwrap()), Code::Unavailable);
}

#[tokio::test]
async fn stream_ends_unavailable_when_the_agent_stops() {
    let case = Case::new([web()], &["web"]);
    let (mut stream, _) = case.fetch().await;
    case.agent.tasks.drain().request();
    assert_eq!(code(stream.next().await.unwrap()), Code::Unavailable);
}

#[tokio::test]
async fn wap_14_of_two_entries_with_one_hint_the_oldest_is_served() {
    let mut younger = hinted("a", "younger", "public");
    younger.created_at += Duration::from_secs(1);
    let case = Case::new([younger, hinted("b", "older", "public"), web()], &["web"]);
    let (_, context) = case.fetch().await;
    assert_eq!(names(&context), ["/older", "/web"]);
    assert_eq!(context.credentials[0].hint(), "public");
}

#[tokio::test]
async fn wap_26_longest_hint_is_served_whole() {
    let hint = "h".repeat(Entry::MAX_HINT_BYTES);
    let case = Case::new([hinted("a", "a", &hint)], &["web"]);
    assert_eq!(case.fetch().await.1.credentials[0].hint(), hint);
}

#[tokio::test]
async fn wap_25_order_is_that_of_the_entry_ids_and_stays() {
    let entries = ["c", "a", "b"].map(|id| entry(id, draft(id, &["test:web"])));
    let case = Case::new(entries, &["web"]);
    let (mut stream, first) = case.fetch().await;
    assert_eq!(names(&first), ["/a", "/b", "/c"]);
    case.agent.hand.step(LIFE.mul_f64(0.56));
    assert_eq!(names(&case.next(&mut stream).await.unwrap()), ["/a", "/b", "/c"]);
}

#[tokio::test]
async fn streams_of_one_process_are_bounded_and_the_refusal_names_the_limit() {
    let case = Case::new([web()], &["web"]);
    let mut streams = Vec::new();
    for _ in 0..5 {
        streams.push(case.fetch().await);
    }
    let refused = case.api.x509_svids(&case.ctx).await.err().unwrap();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.message().contains("has 5 streams open"), "{refused}");
    streams.pop();
    assert!(case.api.x509_svids(&case.ctx).await.is_ok());
}

#[tokio::test]
async fn svid_that_has_a_reader_is_never_put_out_of_a_full_cache() {
    let entries = ["a", "b", "c"].map(|id| entry(id, draft(id, &[&format!("test:{id}")])));
    let case = Case::with_limits(entries, &["c"], |options| options.most_x509_svids = 1);
    let (mut stream, first) = case.fetch().await;
    assert_eq!(names(&first), ["/c"], "issued for whoever asks");
    case.become_one_with(&["b"]);
    let (_other, second) = case.fetch().await;
    assert_eq!(names(&second), ["/b"]);
    let snapshot = case.agent.soon(|snapshot| snapshot.serial("b").is_some()).await;
    assert_eq!(snapshot.credential_count(), 2, "one more than the size: both are read");
    assert!(stream.next().now_or_never().is_none(), "nothing was taken from the first");
}
