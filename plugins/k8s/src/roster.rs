//! The newest list of pods, fetched once for all who wait for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use finial_daemon::Clock;
use tokio::sync::Semaphore;

use crate::error::Shared;
use crate::kubelet::Kubelet;
use crate::pods::Pods;

/// What the kubelet said last, and the one place where it is asked.
pub(crate) struct Roster {
    kubelet: Kubelet,
    clock: Clock,
    newest: Mutex<Option<Roll>>,
    turn: Semaphore,
}

/// What the kubelet said to one question.
#[derive(Clone)]
pub(crate) struct Roll {
    /// When it was asked, on the monotonic clock: what is older than that is in the list.
    pub(crate) asked: Duration,
    pods: Result<Arc<Pods>, Shared>,
}

impl Roll {
    /// The pods, if there was an answer.
    ///
    /// # Errors
    /// Why not; the same for all who waited.
    pub(crate) fn pods(&self) -> Result<&Pods, Shared> {
        self.pods.as_deref().map_err(Arc::clone)
    }
}

impl Roster {
    pub(crate) fn new(kubelet: Kubelet, clock: Clock) -> Self {
        Self { kubelet, clock, newest: Mutex::default(), turn: Semaphore::new(1) }
    }

    /// What the kubelet said at this moment of the monotonic clock, or later. A failure counts as well: a thousand that
    /// wait for a kubelet that hangs do not wait one after the other.
    pub(crate) async fn since(&self, moment: Duration) -> Roll {
        if let Some(roll) = self.recent(moment) {
            return roll;
        }
        let _turn = self.turn.acquire().await;
        if let Some(roll) = self.recent(moment) {
            return roll;
        }
        let asked = self.clock.monotonic();
        let pods = self.kubelet.pods().await.map(Arc::new).map_err(Arc::new);
        let roll = Roll { asked, pods };
        *self.newest() = Some(roll.clone());
        roll
    }

    fn recent(&self, moment: Duration) -> Option<Roll> {
        self.newest().clone().filter(|roll| roll.asked >= moment)
    }

    fn newest(&self) -> MutexGuard<'_, Option<Roll>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
