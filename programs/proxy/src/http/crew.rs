//! What one caller's connection has to do at once: run by its own task, so that all of it ends with the caller.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hyper::rt::Executor;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs the work of one connection. Dropped, it drops all of it.
#[derive(Default)]
pub(super) struct Crew {
    begun: FuturesUnordered<Work>,
    waiting: Arc<Waiting>,
}

/// Work that was handed over and not begun. Only code that the crew runs hands over, so that it need not be woken.
type Waiting = Mutex<Vec<Work>>;

/// Hands work over to a crew. Holds no crew alive: work may hold one of these.
#[derive(Clone)]
pub(super) struct Foreman {
    waiting: Weak<Waiting>,
}

impl Crew {
    pub(super) fn foreman(&self) -> Foreman {
        Foreman { waiting: Arc::downgrade(&self.waiting) }
    }

    /// Runs the work for as long as `main` takes.
    pub(super) async fn run_beside<T>(&mut self, main: impl Future<Output = T>) -> T {
        let mut main = pin!(main);
        poll_fn(|context| {
            let polled = main.as_mut().poll(context);
            if polled.is_pending() {
                self.poll(context);
            }
            polled
        })
        .await
    }

    fn poll(&mut self, context: &mut Context<'_>) {
        loop {
            let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
            let fresh = !waiting.is_empty();
            self.begun.extend(waiting);
            match self.begun.poll_next_unpin(context) {
                Poll::Ready(Some(())) => {}
                Poll::Ready(None) | Poll::Pending if !fresh => return,
                Poll::Ready(None) | Poll::Pending => {}
            }
        }
    }
}

impl<W: Future<Output = ()> + Send + 'static> Executor<W> for Foreman {
    /// Of a crew that is gone the work is dropped.
    fn execute(&self, work: W) {
        if let Some(waiting) = self.waiting.upgrade() {
            waiting.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(work));
        }
    }
}

impl fmt::Debug for Foreman {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Foreman").finish_non_exhaustive()
    }
}
