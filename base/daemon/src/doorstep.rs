//! Callers that have not shown yet who they are: a bounded number, among whom the silent give way to the next.

mod origin;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

pub use self::origin::Origin;
use crate::Clock;

/// For this long a caller gives way to nobody: even a crowd of honest callers that all come at once has its turn.
pub const GRACE: Duration = Duration::from_secs(1);

/// A bounded number of spots. When all are taken, the next caller gets the spot of the one that has waited longest
/// among those of the origin that has the most, once that one has had its [`GRACE`]. So one origin cannot keep out the
/// others, and nobody keeps out everybody for as long as a handshake may take.
#[derive(Debug)]
pub struct Doorstep {
    clock: Clock,
    state: Mutex<State>,
    /// Told when a spot becomes free.
    freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    spots: usize,
    taken: usize,
    next_number: u64,
    /// Who can be asked to give way. Numbers grow: the first of an origin has waited longest.
    waiting: HashMap<Origin, BTreeMap<u64, Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    since: Duration,
    leave: oneshot::Sender<()>,
}

/// A spot on the doorstep, which is free again when this is dropped.
#[derive(Debug)]
pub struct Spot {
    doorstep: Arc<Doorstep>,
    origin: Origin,
    number: u64,
    leave: oneshot::Receiver<()>,
    kept: bool,
}

impl Doorstep {
    /// So many spots, and at least one; `clock` measures the [`GRACE`].
    pub fn new(spots: usize, clock: &Clock) -> Self {
        let state = State { spots: spots.max(1), ..State::default() };
        Self { clock: clock.clone(), state: Mutex::new(state), freed: Notify::new() }
    }

    /// From now on so many. Whoever has one keeps it.
    pub fn resize(&self, spots: usize) {
        self.state().spots = spots.max(1);
        self.freed.notify_one();
    }

    /// Resolves when there is a spot, or somebody who can be asked for theirs. May be dropped while waiting.
    pub async fn has_room(&self) {
        loop {
            let Some(delay) = self.state().delay(self.clock.monotonic()) else { return };
            tokio::select! {
                () = self.freed.notified() => {}
                () = self.clock.sleep(delay) => {}
            }
        }
    }

    /// Gives a spot to a caller; to be called when there [is room](Self::has_room).
    pub fn enter(self: &Arc<Self>, origin: Origin) -> Spot {
        let (sender, leave) = oneshot::channel();
        let mut state = self.state();
        if state.taken >= state.spots {
            state.displace();
        }
        let number = state.next_number;
        state.next_number += 1;
        state.taken += 1;
        let waiting = Waiting { since: self.clock.monotonic(), leave: sender };
        state.waiting.entry(origin).or_default().insert(number, waiting);
        drop(state);
        Spot { doorstep: Arc::clone(self), origin, number, leave, kept: false }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that could panic half-way runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How long until there is room; `None` when there is. For ever, where only a spot that becomes free helps.
    fn delay(&self, now: Duration) -> Option<Duration> {
        if self.taken < self.spots {
            return None;
        }
        let Some((_, _, waiting)) = self.foremost() else { return Some(Duration::MAX) };
        let left = (waiting.since + GRACE).saturating_sub(now);
        (!left.is_zero()).then_some(left)
    }

    /// Who gives way next.
    fn foremost(&self) -> Option<(Origin, u64, &Waiting)> {
        let firsts = self.waiting.iter().filter_map(|(origin, callers)| {
            let (number, waiting) = callers.first_key_value()?;
            Some((callers.len(), Reverse(*number), *origin, waiting))
        });
        let (_, Reverse(number), origin, waiting) = firsts.max_by_key(|first| (first.0, first.1))?;
        Some((origin, number, waiting))
    }

    fn displace(&mut self) {
        let Some((origin, number, _)) = self.foremost() else { return };
        if let Some(waiting) = self.remove(origin, number) {
            self.taken -= 1;
            // One that has ended meanwhile need not be told.
            let _ = waiting.leave.send(());
        }
    }

    fn remove(&mut self, origin: Origin, number: u64) -> Option<Waiting> {
        let callers = self.waiting.get_mut(&origin)?;
        let waiting = callers.remove(&number);
        if callers.is_empty() {
            self.waiting.remove(&origin);
        }
        waiting
    }
}

impl Spot {
    /// Resolves when the caller must give way to another; never once its spot is kept. May be dropped while waiting.
    pub async fn lost(&mut self) {
        if self.kept || (&mut self.leave).await.is_err() {
            future::pending::<()>().await;
        }
    }

    /// Keeps the spot for a caller that has shown who it is. `false` when it was lost a moment ago.
    pub fn keep(&mut self) -> bool {
        self.kept = self.kept || self.doorstep.state().remove(self.origin, self.number).is_some();
        self.kept
    }
}

impl Drop for Spot {
    fn drop(&mut self) {
        let mut state = self.doorstep.state();
        if self.kept || state.remove(self.origin, self.number).is_some() {
            state.taken -= 1;
            drop(state);
            self.doorstep.freed.notify_one();
        }
    }
}
