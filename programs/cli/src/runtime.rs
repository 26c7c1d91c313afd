//! The runtime in which every command runs.

use std::future::Future;

use anyhow::{Context, Result};

/// Runs `work` to its end. Threads begin here: what must hold for all of them was done before.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    // On the heap: the programs are too large for a thread's stack.
    runtime.context("start the runtime")?.block_on(Box::pin(work))
}

/// The same on this thread alone, for programs that mostly wait and are to be small.
pub(crate) fn block_on_one_thread<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("start the runtime")?.block_on(Box::pin(work))
}
