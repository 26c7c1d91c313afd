//! Many small stories that differ in a few things: each is told, some at a time, and all that end badly are named.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many are told at a time.
const AT_ONCE: usize = 3;

/// Tells the story of each cell on a runtime of its own.
///
/// # Panics
/// With the name of each that ended badly, and why.
pub(crate) fn all<C: Display + Sync>(cells: &[C], tell: impl AsyncFn(&C) -> anyhow::Result<()> + Sync) {
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let told = catch_unwind(AssertUnwindSafe(|| runtime.block_on(tell(cell))));
            let problem = match told {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => format!("{error:#}"),
                Err(panic) => {
                    panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "it panicked".to_owned())
                }
            };
            failures.lock().unwrap().push(format!("{cell}: {problem}"));
        }
    };
    std::thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(work))));
    let failures = failures.into_inner().unwrap();
    let (bad, all) = (failures.len(), cells.len());
    assert!(failures.is_empty(), "{bad} of {all} ended badly:\n\n{}", failures.join("\n\n"));
}
