//! Tests of the join tokens of a store.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::samples::instant;
use crate::{DataStore, JoinToken, Noun, StoreError};

pub(super) async fn run<F: Future<Output = Arc<dyn DataStore>>>(empty_store: impl Fn() -> F) {
    a_token_is_handed_out_once(&*empty_store().await).await;
    rule_7_of_64_consumers_one_gets_the_token(empty_store().await).await;
    a_second_token_with_the_same_value_is_refused(&*empty_store().await).await;
    pruning_deletes_what_has_ended(&*empty_store().await).await;
}

async fn a_token_is_handed_out_once(store: &dyn DataStore) {
    let token = JoinToken::new("t0k3n", instant());
    store.create_token(token.clone()).await.unwrap();
    assert_eq!(store.consume_token("t0k3").await.unwrap(), None);
    assert_eq!(store.consume_token("t0k3n").await.unwrap(), Some(token));
    assert_eq!(store.consume_token("t0k3n").await.unwrap(), None);
}

async fn rule_7_of_64_consumers_one_gets_the_token(store: Arc<dyn DataStore>) {
    for n in 0..8 {
        let value = format!("token-{n}");
        store.create_token(JoinToken::new(&value, instant())).await.unwrap();
        let consumers = (0..64).map(|_| store.consume_token(&value));
        let outcomes = join_all(consumers).await;
        assert_eq!(outcomes.into_iter().filter(|outcome| matches!(outcome, Ok(Some(_)))).count(), 1);
    }
}

async fn a_second_token_with_the_same_value_is_refused(store: &dyn DataStore) {
    store.create_token(JoinToken::new("t0k3n", instant())).await.unwrap();
    let later = JoinToken::new("t0k3n", instant() + Duration::from_secs(60));
    let error = store.create_token(later).await.unwrap_err();
    assert!(matches!(error, StoreError::Duplicate { noun: Noun::Token, .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("t0k3n"), "the value is not shown");
    assert_eq!(
        store.consume_token("t0k3n").await.unwrap().unwrap().expires_at(),
        instant(),
        "the first one stays"
    );
}

async fn pruning_deletes_what_has_ended(store: &dyn DataStore) {
    for n in 0..3 {
        let expires_at = instant() + Duration::from_secs(n);
        store.create_token(JoinToken::new(format!("token-{n}"), expires_at)).await.unwrap();
    }
    assert_eq!(store.prune_tokens(instant() + Duration::from_secs(2)).await.unwrap(), 2);
    assert_eq!(store.consume_token("token-1").await.unwrap(), None);
    assert!(store.consume_token("token-2").await.unwrap().is_some());
}
