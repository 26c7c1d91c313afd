//! The cache of JWT-SVIDs.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod ahead;

use std::sync::Arc;
use std::time::Duration;

use finial_daemon::{Clock, ClockHand};
use finial_identity::{Audience, Entry, JwtSvid};
use futures_util::future::join_all;
use tonic::{Code, Status};

use super::JwtCache;
use crate::agent::options::CacheOptions;
use crate::agent::testing::{FakeServer, draft, entry, spiffe_id, start_of_time};

const MOST_KEPT: usize = 20;

struct Case {
    server: Arc<FakeServer>,
    cache: JwtCache,
    hand: ClockHand,
    web: Arc<Entry>,
}

impl Case {
    fn new() -> Self {
        let (clock, hand) = Clock::manual(start_of_time());
        let server = Arc::new(FakeServer::new(clock.clone()));
        let web = entry("web", draft("web", &["t:web"]));
        server.put(web.clone());
        let mut options = CacheOptions::new(Arc::new(server.bundle_now()));
        options.most_jwt_svids = MOST_KEPT;
        let cache = JwtCache::new(Arc::clone(&server) as _, &options, clock);
        Self { server, cache, hand, web: Arc::new(web) }
    }

    async fn ask(&self, audience: &[&str]) -> Result<JwtSvid, Status> {
        let audience = Audience::new(audience.iter().copied()).unwrap();
        self.cache.svid(&self.web, &audience, Arc::new(self.server.bundle_now())).await
    }

    fn asked(&self) -> usize {
        self.server.calls().tokens
    }
}

#[tokio::test]
async fn token_is_served_without_a_call_until_the_last_tenth_of_its_life() {
    let case = Case::new();
    let first = case.ask(&["db"]).await.unwrap();
    case.hand.step(Duration::from_secs(269));
    assert_eq!(case.ask(&["db"]).await.unwrap().token(), first.token());
    case.hand.step(Duration::from_secs(2));
    assert_ne!(case.ask(&["db"]).await.unwrap().token(), first.token());
    assert_eq!(case.asked(), 2);
}

#[tokio::test]
async fn order_and_repetition_of_audiences_make_no_other_token() {
    let case = Case::new();
    case.ask(&["a", "b"]).await.unwrap();
    case.ask(&["b", "a", "b"]).await.unwrap();
    assert_eq!(case.asked(), 1);
    case.ask(&["a"]).await.unwrap();
    assert_eq!(case.asked(), 2);
}

#[tokio::test]
async fn wap_19_audience_is_embedded_in_the_order_given() {
    let case = Case::new();
    assert_eq!(case.ask(&["b", "a"]).await.unwrap().audience(), ["b", "a"]);
}

#[tokio::test]
async fn changed_entry_has_another_token() {
    let mut case = Case::new();
    case.ask(&["db"]).await.unwrap();
    let mut changed = Entry::clone(&case.web);
    changed.revision_number += 1;
    case.web = Arc::new(changed);
    case.ask(&["db"]).await.unwrap();
    assert_eq!(case.asked(), 2);
}

#[tokio::test]
async fn kept_token_is_served_to_its_end_while_the_server_is_away() {
    let case = Case::new();
    let first = case.ask(&["db"]).await.unwrap();
    case.server.go_away(true);
    case.hand.step(Duration::from_secs(299));
    assert_eq!(case.ask(&["db"]).await.unwrap().token(), first.token());
    case.hand.step(Duration::from_secs(1));
    assert_eq!(case.ask(&["db"]).await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn server_that_failed_is_not_asked_for_each_caller() {
    let case = Case::new();
    case.ask(&["db"]).await.unwrap();
    case.server.go_away(true);
    case.hand.step(Duration::from_secs(280));
    for _ in 0..5 {
        case.ask(&["db"]).await.unwrap();
    }
    assert_eq!(case.asked(), 2);
}

#[tokio::test]
async fn caller_with_a_kept_token_waits_for_a_hanging_server_as_long_as_is_configured() {
    let case = Case::new();
    let first = case.ask(&["db"]).await.unwrap();
    case.hand.step(Duration::from_secs(280));
    case.server.hang();
    let asked = case.ask(&["db"]);
    let passed = async {
        case.hand.sleepers(1).await;
        case.hand.step(Duration::from_millis(4_999));
        tokio::task::yield_now().await;
        assert!(case.hand.next_wake().is_some(), "still waiting");
        case.hand.step(Duration::from_millis(1));
    };
    let (answer, ()) = tokio::join!(asked, passed);
    assert_eq!(answer.unwrap().token(), first.token());
}

#[tokio::test]
async fn callers_at_one_time_share_a_call() {
    let case = Case::new();
    let answers = join_all((0..20).map(|_| case.ask(&["db"]))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(case.asked(), 1);
}

#[tokio::test]
async fn token_of_a_withdrawn_key_is_replaced() {
    let case = Case::new();
    case.ask(&["db"]).await.unwrap();
    case.server.use_jwt_key("jwt-2");
    case.ask(&["db"]).await.unwrap();
    assert_eq!(case.asked(), 1, "a new key alone changes nothing");
    case.server.change_bundle(|bundle| bundle.jwt_authorities[0].tainted = true);
    case.ask(&["db"]).await.unwrap();
    assert_eq!(case.asked(), 2);
}

#[tokio::test]
async fn token_of_another_identity_is_refused() {
    let mut case = Case::new();
    case.web = Arc::new(entry("web", draft("admin", &["t:web"])));
    let refused = case.ask(&["db"]).await.unwrap_err();
    assert!(refused.message().contains(spiffe_id("/web").as_str()), "{refused}");
}

#[tokio::test]
async fn number_of_tokens_is_bounded() {
    let case = Case::new();
    for number in 0..=MOST_KEPT {
        case.hand.step(Duration::from_millis(1));
        case.ask(&[&number.to_string()]).await.unwrap();
    }
    assert_eq!(case.cache.table().len(), MOST_KEPT);
    case.ask(&["1"]).await.unwrap();
    assert_eq!(case.asked(), MOST_KEPT + 1, "the one unused for longest was audience 0");
}
