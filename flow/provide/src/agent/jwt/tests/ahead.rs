//! Renewal ahead of the end, by a whole cache that follows its server.

use std::time::Duration;

use finial_identity::{Audience, JwtSvid};

use crate::agent::testing::{Agent, draft, entry, entry_id};

const MINUTE: Duration = Duration::from_secs(60);
/// How long a token of the fake server lives.
const LIFE: Duration = Duration::from_secs(300);

/// An agent with one entry.
async fn agent() -> Agent {
    let agent = Agent::start([entry("web", draft("web", &["test:web"]))]);
    agent.soon(|snapshot| snapshot.serial("web").is_some()).await;
    agent
}

async fn ask(agent: &Agent) -> JwtSvid {
    let entry = agent.cache.snapshot().entries().entry(&entry_id("web")).cloned().unwrap();
    agent.cache.jwt_svid(&entry, &audience()).await.unwrap()
}

/// What is handed out without waiting.
fn kept(agent: &Agent) -> Option<JwtSvid> {
    let entry = agent.cache.snapshot().entries().entry(&entry_id("web")).cloned()?;
    agent.cache.kept_jwt_svid(&entry, &audience())
}

fn audience() -> Audience {
    Audience::new(["db"]).unwrap()
}

/// Lets what is due happen until the server was asked for so many tokens.
async fn until_asked(agent: &Agent, tokens: usize) {
    while agent.server.calls().tokens < tokens {
        agent.pass(LIFE);
        tokio::task::yield_now().await;
    }
}

/// Lets the tasks do what they do at this instant.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn token_in_use_is_renewed_at_half_its_life_before_anybody_asks() {
    let agent = agent().await;
    let first = ask(&agent).await;
    let before = agent.clock.monotonic();
    until_asked(&agent, 2).await;
    let passed = agent.clock.monotonic() - before;
    assert!(passed >= LIFE.mul_f64(0.45) && passed <= LIFE.mul_f64(0.55), "{passed:?}");
    settle().await;
    assert_ne!(kept(&agent).unwrap().token(), first.token());
}

#[tokio::test]
async fn token_that_nobody_asks_for_any_more_is_left_to_expire() {
    let agent = agent().await;
    ask(&agent).await;
    let before = agent.clock.monotonic();
    while agent.clock.monotonic() - before < 5 * LIFE {
        agent.pass(LIFE);
        tokio::task::yield_now().await;
    }
    // Renewed at half its life, which was within a life of the last use, and once more at most.
    assert!((2..=3).contains(&agent.server.calls().tokens), "{:?}", agent.server.calls());
    assert!(kept(&agent).is_none());
}

#[tokio::test]
async fn outage_that_begins_after_the_renewal_leaves_half_a_life() {
    let agent = agent().await;
    ask(&agent).await;
    until_asked(&agent, 2).await;
    settle().await;
    agent.server.go_away(true);
    let renewed = kept(&agent).unwrap();
    agent.hand.step(LIFE.mul_f64(0.95));
    assert_eq!(
        ask(&agent).await.token(),
        renewed.token(),
        "a token from before the renewal would have expired"
    );
}

#[tokio::test]
async fn server_that_is_away_is_asked_ever_more_rarely_and_the_token_is_renewed_when_it_returns() {
    let agent = agent().await;
    let first = ask(&agent).await;
    agent.server.go_away(true);
    let before = agent.clock.monotonic();
    // The last step may lead half a minute further, when the token still has some life left.
    while agent.clock.monotonic() - before < LIFE.mul_f64(0.8) {
        agent.pass(MINUTE);
        tokio::task::yield_now().await;
    }
    let asked = agent.server.calls().tokens - 1;
    assert!((3..=9).contains(&asked), "1, 2, 4, 8, 16, 30, 30 … seconds apart: {asked}");
    assert_eq!(kept(&agent).unwrap().token(), first.token());
    agent.server.go_away(false);
    until_asked(&agent, 2 + asked).await;
    settle().await;
    assert_ne!(kept(&agent).unwrap().token(), first.token());
}

#[tokio::test]
async fn token_of_a_tainted_key_is_replaced_before_anybody_asks() {
    let agent = agent().await;
    let first = ask(&agent).await;
    agent.server.use_jwt_key("jwt-2");
    agent.catch_up().await;
    assert_eq!(agent.server.calls().tokens, 1, "a new key alone changes nothing");
    agent.server.change_bundle(|bundle| bundle.jwt_authorities[0].tainted = true);
    agent.catch_up().await;
    while agent.server.calls().tokens < 2 {
        tokio::task::yield_now().await;
    }
    settle().await;
    assert_ne!(kept(&agent).unwrap().token(), first.token());
}

#[tokio::test]
async fn token_of_a_deleted_entry_is_not_renewed() {
    let agent = agent().await;
    ask(&agent).await;
    agent.server.delete("web");
    agent.soon(|snapshot| snapshot.entries().is_empty()).await;
    let before = agent.clock.monotonic();
    while agent.clock.monotonic() - before < 2 * LIFE {
        agent.pass(LIFE);
        tokio::task::yield_now().await;
    }
    assert_eq!(agent.server.calls().tokens, 1);
}
