//! Tests of the journal of a store.

use std::future::Future;
use std::sync::Arc;

use futures_util::future::join_all;

use crate::{DataStore, JournalRecord, Noun, StoreError};

pub(super) async fn run<F: Future<Output = Arc<dyn DataStore>>>(empty_store: impl Fn() -> F) {
    the_journal_and_the_one_before_are_kept(&*empty_store().await).await;
    writing_needs_the_stored_revision(&*empty_store().await).await;
    of_many_writers_one_writes(&*empty_store().await).await;
}

fn record(revision: u64, bytes: &[u8]) -> Option<JournalRecord> {
    Some(JournalRecord { revision, bytes: bytes.to_vec() })
}

async fn the_journal_and_the_one_before_are_kept(store: &dyn DataStore) {
    assert_eq!(store.journal().await.unwrap(), None);
    assert_eq!(store.put_journal(b"one\0\xff".to_vec(), None).await.unwrap(), 1);
    assert_eq!(store.journal().await.unwrap(), record(1, b"one\0\xff"));
    assert_eq!(store.previous_journal().await.unwrap(), None);
    assert_eq!(store.put_journal(Vec::new(), Some(1)).await.unwrap(), 2);
    assert_eq!(store.put_journal(b"three".to_vec(), Some(2)).await.unwrap(), 3);
    assert_eq!(store.journal().await.unwrap(), record(3, b"three"));
    assert_eq!(store.previous_journal().await.unwrap(), record(2, b""));
    assert_eq!(store.revision().await.unwrap(), 0, "the journal is no part of the index");
}

async fn writing_needs_the_stored_revision(store: &dyn DataStore) {
    for (expected, stored) in [(Some(1), 0), (None, 1), (None, 1), (Some(2), 1), (Some(0), 1)] {
        let outcome = store.put_journal(b"bytes".to_vec(), expected).await;
        if (expected, stored) == (None, 1) && outcome.is_ok() {
            continue;
        }
        let error = outcome.unwrap_err();
        assert!(matches!(error, StoreError::Conflict { noun: Noun::Journal, .. }), "{expected:?}: {error:?}");
    }
    assert_eq!(store.journal().await.unwrap().unwrap().revision, 1);
}

async fn of_many_writers_one_writes(store: &dyn DataStore) {
    for expected in [None, Some(1), Some(2)] {
        let writes = (0..32u8).map(|n| store.put_journal(vec![n], expected));
        assert_eq!(join_all(writes).await.into_iter().filter(Result::is_ok).count(), 1);
    }
}
