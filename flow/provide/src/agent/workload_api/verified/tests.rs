//! What a remembered token must still prove.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use finial_daemon::{Clock, ClockHand};
use finial_identity::{Audience, Bundle, BundleSet, JwtError};

use super::{LONGEST, MOST, VerifiedTokens};
use crate::agent::testing::{FakeServer, spiffe_id, start_of_time};

const LIFE: Duration = Duration::from_secs(300);

struct Case {
    clock: Clock,
    hand: ClockHand,
    server: FakeServer,
    bundle: Arc<Bundle>,
    tokens: VerifiedTokens,
}

impl Case {
    fn new() -> Self {
        let (clock, hand) = Clock::manual(start_of_time());
        let server = FakeServer::new(clock.clone());
        let bundle = Arc::new(server.bundle_now());
        Self { clock, hand, server, bundle, tokens: VerifiedTokens::default() }
    }

    fn token(&self, audience: &str) -> String {
        self.server.token(&spiffe_id("/web"), &Audience::new([audience]).unwrap(), LIFE)
    }

    fn verify(&self, token: &str, audience: &str) -> Result<(), JwtError> {
        let bundles = BundleSet::from_iter([Arc::clone(&self.bundle)]);
        self.tokens.verify(token, audience, &bundles, self.clock.now()).map(drop)
    }

    fn remembered(&self) -> usize {
        self.tokens.tokens().len()
    }
}

#[test]
fn token_is_remembered_with_all_that_it_says() {
    let case = Case::new();
    let token = case.token("api");
    let bundles = BundleSet::from_iter([Arc::clone(&case.bundle)]);
    let ask = || case.tokens.verify(&token, "api", &bundles, case.clock.now()).unwrap();
    assert_eq!(ask(), ask());
    assert_eq!(case.remembered(), 1);
}

#[test]
fn remembered_token_expires() {
    let case = Case::new();
    let token = case.token("api");
    case.verify(&token, "api").unwrap();
    case.hand.step(LIFE + Duration::from_secs(59));
    case.verify(&token, "api").expect("within the leeway");
    case.hand.step(Duration::from_secs(1));
    assert!(matches!(case.verify(&token, "api"), Err(JwtError::Expired)));
}

#[test]
fn remembered_token_is_for_its_audience_only() {
    let case = Case::new();
    let token = case.token("api");
    case.verify(&token, "api").unwrap();
    assert!(matches!(case.verify(&token, "db"), Err(JwtError::OtherAudience(_))));
    assert!(matches!(case.verify(&token, ""), Err(JwtError::Audience)));
}

#[test]
fn remembered_token_falls_with_its_key() {
    let mut case = Case::new();
    let token = case.token("api");
    case.verify(&token, "api").unwrap();
    let mut bundle = Bundle::clone(&case.bundle);
    bundle.jwt_authorities.clear();
    case.bundle = Arc::new(bundle);
    assert!(matches!(case.verify(&token, "api"), Err(JwtError::NoKey(_))));
}

#[test]
fn remembered_token_is_nothing_to_a_caller_without_the_bundle() {
    let case = Case::new();
    let token = case.token("api");
    case.verify(&token, "api").unwrap();
    let refused = case.tokens.verify(&token, "api", &BundleSet::default(), case.clock.now());
    assert!(matches!(refused, Err(JwtError::NoBundle(_))));
}

#[test]
fn every_altered_character_makes_another_token() {
    let case = Case::new();
    let token = case.token("api");
    case.verify(&token, "api").unwrap();
    for position in 0..token.len() {
        let mut altered = token.clone().into_bytes();
        altered[position] = if altered[position] == b'A' { b'B' } else { b'A' };
        assert!(case.verify(&String::from_utf8(altered).unwrap(), "api").is_err(), "{position}");
    }
}

#[test]
fn refused_tokens_are_not_remembered_nor_are_long_ones() {
    let case = Case::new();
    assert!(case.verify(&case.token("api"), "db").is_err());
    assert!(case.verify("a.b.c", "api").is_err());
    let long = "x".repeat(LONGEST);
    case.verify(&case.token(&long), &long).unwrap();
    assert_eq!(case.remembered(), 0);
}

#[test]
fn number_of_remembered_tokens_is_bounded() {
    let case = Case::new();
    for number in 0..MOST + 5 {
        case.verify(&case.token(&number.to_string()), &number.to_string()).unwrap();
    }
    assert_eq!(case.remembered(), 5);
}
