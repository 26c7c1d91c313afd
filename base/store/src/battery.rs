//! What every datastore must do: an implementation's tests call [`run`] with a store that is empty.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests that other crates run too")]

mod bundles;
mod changes;
mod entries;
mod journal;
mod nodes;
pub(crate) mod samples;
mod tokens;

use std::future::Future;
use std::sync::Arc;

use crate::DataStore;

/// Runs every test on a new, empty store.
///
/// # Panics
/// When the store fails one; the test's name is the sentence that does not hold.
pub async fn run<F: Future<Output = Arc<dyn DataStore>>>(empty_store: impl Fn() -> F) {
    entries::run(&empty_store).await;
    nodes::run(&empty_store).await;
    bundles::run(&empty_store).await;
    tokens::run(&empty_store).await;
    journal::run(&empty_store).await;
    changes::run(&empty_store).await;
}
