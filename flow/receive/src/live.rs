//! A value that comes late, changes while the program runs, and may be taken away: one writer, any number of
//! readers.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::SystemTime;

use finial_daemon::go;
use finial_identity::SpiffeId;
use tokio::sync::watch;

/// Why there is no current value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotLive {
    /// None has come yet.
    #[error("no identity has been received yet")]
    Waiting,
    /// The last one was taken away.
    #[error("the identity was withdrawn: {0}")]
    Withdrawn(
        /// Who took it away, and why.
        Arc<str>,
    ),
    /// The credential has outlived its certificate and no newer one came.
    #[error("the X509-SVID of {id} expired at {}", go::format_time(*.at))]
    Expired {
        /// The ID of the SVID.
        id: SpiffeId,
        /// Its NotAfter.
        at: SystemTime,
    },
    /// Only bundles are held: this process has no credential to present.
    #[error("no X509-SVID is held, only bundles")]
    Anonymous,
    /// The writer has stopped: no further value will come.
    #[error("the identity is no longer kept up to date: its source has stopped")]
    Ended,
}

#[derive(Debug)]
enum State<T> {
    Waiting,
    Current(Arc<T>),
    Withdrawn(Arc<str>),
}

/// The reading half. Clones read the same value, and each notices changes for itself.
#[derive(Debug)]
pub struct Live<T> {
    state: watch::Receiver<State<T>>,
}

impl<T> Live<T> {
    /// Both halves of a value that is still [waiting](NotLive::Waiting).
    pub fn channel() -> (LiveWriter<T>, Live<T>) {
        let (writer, reader) = watch::channel(State::Waiting);
        (LiveWriter { state: writer }, Live { state: reader })
    }

    /// The current value.
    ///
    /// # Errors
    /// [`NotLive::Waiting`] or [`NotLive::Withdrawn`].
    pub fn current(&self) -> Result<Arc<T>, NotLive> {
        match &*self.state.borrow() {
            State::Waiting => Err(NotLive::Waiting),
            State::Current(value) => Ok(Arc::clone(value)),
            State::Withdrawn(reason) => Err(NotLive::Withdrawn(Arc::clone(reason))),
        }
    }

    /// Resolves when the state has changed since this reader last asked.
    ///
    /// # Errors
    /// [`NotLive::Ended`] when it never will again.
    pub async fn changed(&mut self) -> Result<(), NotLive> {
        self.state.changed().await.map_err(|_| NotLive::Ended)
    }

    /// Resolves with the current value, waiting for the first, or for the next after a withdrawal.
    ///
    /// # Errors
    /// When the writer has stopped and left no value: the reason it gave, else [`NotLive::Ended`].
    pub async fn ready(&self) -> Result<Arc<T>, NotLive> {
        let mut state = self.state.clone();
        let _ = state.wait_for(|state| matches!(state, State::Current(_))).await;
        self.current().map_err(|reason| if reason == NotLive::Waiting { NotLive::Ended } else { reason })
    }
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self { state: self.state.clone() }
    }
}

/// The writing half: the one owner of the value.
#[derive(Debug)]
pub struct LiveWriter<T> {
    state: watch::Sender<State<T>>,
}

impl<T> LiveWriter<T> {
    /// Replaces the value, and ends a withdrawal.
    pub fn publish(&self, value: T) {
        self.state.send_replace(State::Current(Arc::new(value)));
    }

    /// Replaces the value if it is another, and says whether it was.
    pub fn publish_changed(&self, value: T) -> bool
    where
        T: PartialEq,
    {
        let same = matches!(&*self.state.borrow(), State::Current(current) if **current == value);
        if !same {
            self.publish(value);
        }
        !same
    }

    /// Takes the value away. `reason` is shown to people, so that it names who did it and what would help.
    pub fn withdraw(&self, reason: impl Into<Arc<str>>) {
        self.state.send_replace(State::Withdrawn(reason.into()));
    }

    /// Resolves when the last reader has gone.
    pub fn abandoned(&self) -> impl Future<Output = ()> + Send + use<T>
    where
        T: Send + Sync + 'static,
    {
        let state = self.state.clone();
        async move { state.closed().await }
    }
}
