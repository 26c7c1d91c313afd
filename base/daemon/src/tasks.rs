//! The tasks of one program: each with a name and a span, all asked to end together.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::Clock;

/// Owns the tasks of one program. Clones share the tasks.
#[derive(Clone, Debug)]
pub struct Tasks {
    clock: Clock,
    tracker: TaskTracker,
    drain: Drain,
    running: Arc<std::sync::Mutex<Vec<(&'static str, AbortHandle)>>>,
}

impl Tasks {
    /// No tasks yet; `clock` measures the grace of [`stop`](Self::stop).
    pub fn new(clock: Clock) -> Self {
        let drain = Drain { token: CancellationToken::new() };
        Self { clock, tracker: TaskTracker::new(), drain, running: Arc::default() }
    }

    /// Runs `work` as a task called `name`, in a span that carries the name.
    pub fn spawn<F>(&self, name: &'static str, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let span = tracing::info_span!("task", name);
        let handle = self.tracker.spawn(work.instrument(span));
        self.running
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push((name, handle.abort_handle()));
    }

    /// The request to end, for tasks to wait on.
    pub fn drain(&self) -> Drain {
        self.drain.clone()
    }

    /// Asks all tasks to end, waits for `grace`, then aborts what is left. `false` when something had to be
    /// aborted.
    pub async fn stop(&self, grace: Duration) -> bool {
        self.drain.request();
        self.tracker.close();
        self.clock.timeout(grace, self.tracker.wait()).await.is_ok()
    }
}

/// The request to end. Clones share it.
#[derive(Clone, Debug)]
pub struct Drain {
    token: CancellationToken,
}

impl Drain {
    /// Resolves when the end has been requested.
    pub async fn requested(&self) {
        self.token.cancelled().await;
    }

    /// Whether the end has been requested.
    pub fn is_requested(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Asks every holder of this drain to end.
    pub fn request(&self) {
        self.token.cancel();
    }
}
