//! The tasks of one program: each with a name and a span, all asked to end together.

#[cfg(test)]
mod tests;

use std::any::Any;
use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, Span};

use crate::Clock;

/// What tasks that were forced get, to run their destructors.
const FORCED_GRACE: Duration = Duration::from_secs(1);

/// Owns the tasks of one program. Clones share the tasks.
///
/// A task started by [`spawn`](Self::spawn) owns a part of the program's state. When it panics, that state has no
/// owner any more, so the panic is logged with the task's name and every other task is asked to end: a supervisor
/// then starts the program afresh, which is safer than running on without, say, the rotation of keys. Work for one
/// caller, such as a connection, is started by [`spawn_session`](Self::spawn_session): there a panic ends only
/// that session, or a caller who knows how to cause one could end the program.
#[derive(Clone, Debug)]
pub struct Tasks {
    clock: Clock,
    drain: Drain,
    shared: Arc<Shared>,
}

/// The request to end. Clones share it.
#[derive(Clone, Debug)]
pub struct Drain {
    token: CancellationToken,
}

#[derive(Debug)]
struct Shared {
    /// The end of all of them.
    end: Drain,
    tracker: TaskTracker,
    force: CancellationToken,
    running: Mutex<BTreeMap<&'static str, Kind>>,
    panicked: OnceLock<&'static str>,
}

/// The tasks of one name. They have one span, which is dear to make for each of many.
#[derive(Debug)]
struct Kind {
    count: usize,
    span: Span,
}

impl Tasks {
    /// No tasks yet; `clock` measures the grace of [`stop`](Self::stop).
    pub fn new(clock: Clock) -> Self {
        let drain = Drain { token: CancellationToken::new() };
        let shared = Shared {
            end: drain.clone(),
            tracker: TaskTracker::new(),
            force: CancellationToken::new(),
            running: Mutex::default(),
            panicked: OnceLock::new(),
        };
        Self { clock, drain, shared: Arc::new(shared) }
    }

    /// A part of these tasks, whose [`drain`](Self::drain) may be requested while the others go on. It ends with them,
    /// and a panic in it ends them.
    #[must_use]
    pub fn part(&self) -> Self {
        let drain = Drain { token: self.drain.token.child_token() };
        Self { clock: self.clock.clone(), drain, shared: Arc::clone(&self.shared) }
    }

    /// Runs a lasting part of the program as a task called `name`. If it panics, all tasks are asked to end.
    pub fn spawn<F>(&self, name: &'static str, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        self.start(name, work, move |reason| {
            tracing::error!(task = name, reason, "the task {name} has panicked, so the program ends");
            let _ = shared.panicked.set(name);
            shared.end.request();
        });
    }

    /// Runs work for one caller as a task called `name`. If it panics, only this session ends.
    pub fn spawn_session<F>(&self, name: &'static str, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.start(name, work, move |reason| {
            tracing::error!(task = name, reason, "a {name} session has panicked and was ended");
        });
    }

    /// The request to end, for tasks to wait on.
    pub fn drain(&self) -> Drain {
        self.drain.clone()
    }

    /// The first task started by [`spawn`](Self::spawn) that panicked; a program then ends with a failure.
    pub fn panicked(&self) -> Option<&'static str> {
        self.shared.panicked.get().copied()
    }

    /// Asks all tasks to end, those of every part included, waits for at most `grace`, then drops what is left, logging
    /// its names. `false` when something had to be dropped.
    pub async fn stop(&self, grace: Duration) -> bool {
        self.shared.end.request();
        self.shared.tracker.close();
        if self.clock.timeout(grace, self.shared.tracker.wait()).await.is_ok() {
            return true;
        }
        let left = self
            .shared
            .running()
            .iter()
            .map(|(name, kind)| format!("{name} ({})", kind.count))
            .collect::<Vec<_>>();
        tracing::warn!(tasks = left.join(", "), "tasks did not end in time and are dropped");
        self.shared.force.cancel();
        // A task that blocks its thread cannot be dropped: do not wait for it for ever.
        let _ = self.clock.timeout(FORCED_GRACE, self.shared.tracker.wait()).await;
        false
    }

    fn start<F>(&self, name: &'static str, work: F, on_panic: impl FnOnce(&str) + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (running, span) = Running::new(name, Arc::clone(&self.shared));
        let force = self.shared.force.clone();
        // On the heap before it is wrapped: each wrapper would hold the whole work twice.
        let work = AssertUnwindSafe(Box::pin(work)).catch_unwind();
        let task = async move {
            if let Some(Err(panic)) = force.run_until_cancelled_owned(work).await {
                on_panic(reason(panic.as_ref()));
            }
            drop(running);
        };
        self.shared.tracker.spawn(task.instrument(span));
    }
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

impl Shared {
    fn running(&self) -> MutexGuard<'_, BTreeMap<&'static str, Kind>> {
        // No code that could panic half-way runs under the lock.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a task under its name while it lives.
struct Running {
    name: &'static str,
    shared: Arc<Shared>,
}

impl Running {
    fn new(name: &'static str, shared: Arc<Shared>) -> (Self, Span) {
        let mut running = shared.running();
        let kind = running.entry(name).or_insert(Kind { count: 0, span: Span::none() });
        kind.count += 1;
        // It may be that it was not wanted at the level of logs of a moment ago.
        if kind.span.is_disabled() {
            kind.span = tracing::info_span!(parent: None, "task", task = name);
        }
        let span = kind.span.clone();
        drop(running);
        (Self { name, shared }, span)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut running = self.shared.running();
        if let Some(kind) = running.get_mut(self.name) {
            kind.count -= 1;
            if kind.count == 0 {
                running.remove(self.name);
            }
        }
    }
}

fn reason(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason given")
}
