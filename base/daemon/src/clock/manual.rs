//! A clock that moves only when told to, for tests: no real time passes, and real sockets may be pending meanwhile.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::{oneshot, watch};

/// Moves a manual [`Clock`](crate::Clock). Clones move the same clock.
#[derive(Clone, Debug)]
pub struct ClockHand {
    timeline: Arc<Timeline>,
}

impl ClockHand {
    pub(super) fn new(timeline: Arc<Timeline>) -> Self {
        Self { timeline }
    }

    /// Moves both scales forward and wakes what is due, earliest first.
    ///
    /// What is woken stops counting in [`sleepers`](Self::sleepers) before this returns, so that
    /// `hand.step(…); hand.sleepers(n).await` waits until the woken tasks have gone back to sleep.
    pub fn step(&self, span: Duration) {
        self.timeline.change(|state| {
            state.wall += span;
            state.monotonic += span;
        });
    }

    /// Jumps the wall clock, forward or back, as an administrator or NTP would; the monotonic scale stays.
    pub fn set(&self, wall: SystemTime) {
        self.timeline.change(|state| state.wall = wall);
    }

    /// Moves to the earliest instant that anything waits for, wakes what is due, and gives that instant;
    /// `None` (and no movement) when nothing waits.
    pub fn advance_to_next_wake(&self) -> Option<SystemTime> {
        self.timeline.change(|state| {
            let span = state.until_next_wake()?;
            state.wall += span;
            state.monotonic += span;
            Some(state.wall)
        })
    }

    /// The earliest instant that anything waits for, on the wall clock.
    pub fn next_wake(&self) -> Option<SystemTime> {
        let state = self.timeline.state();
        state.until_next_wake().map(|span| state.wall + span)
    }

    /// Resolves when at least `count` waits are pending on the clock.
    pub async fn sleepers(&self, count: usize) {
        let mut pending = self.timeline.pending.subscribe();
        // The sender lives in the timeline that `self` holds, so that this cannot fail.
        let _ = pending.wait_for(|now| *now >= count).await;
    }
}

/// Virtual time and those who wait for it.
#[derive(Debug)]
pub(super) struct Timeline {
    state: Mutex<State>,
    pending: watch::Sender<usize>,
}

#[derive(Debug)]
struct State {
    wall: SystemTime,
    monotonic: Duration,
    next_ticket: u64,
    waiters: BTreeMap<u64, Waiter>,
}

#[derive(Debug)]
struct Waiter {
    deadline: Deadline,
    wake: oneshot::Sender<()>,
}

#[derive(Clone, Copy, Debug)]
enum Deadline {
    Wall(SystemTime),
    Monotonic(Duration),
}

impl Timeline {
    pub(super) fn new(start: SystemTime) -> Self {
        let state =
            State { wall: start, monotonic: Duration::ZERO, next_ticket: 0, waiters: BTreeMap::new() };
        Self { state: Mutex::new(state), pending: watch::Sender::new(0) }
    }

    pub(super) fn now(&self) -> SystemTime {
        self.state().wall
    }

    pub(super) fn monotonic(&self) -> Duration {
        self.state().monotonic
    }

    pub(super) async fn sleep(&self, span: Duration) {
        let deadline = self.monotonic().saturating_add(span);
        self.wait(Deadline::Monotonic(deadline)).await;
    }

    pub(super) async fn sleep_until(&self, deadline: SystemTime) {
        self.wait(Deadline::Wall(deadline)).await;
    }

    async fn wait(&self, deadline: Deadline) {
        let Some((pending, woken)) = self.register(deadline) else { return };
        // The sender is dropped only by sending, or with the timeline that `self` borrows.
        let _ = woken.await;
        drop(pending);
    }

    /// `None` when the deadline has already passed.
    fn register(&self, deadline: Deadline) -> Option<(Pending<'_>, oneshot::Receiver<()>)> {
        let mut state = self.state();
        if state.until(deadline).is_zero() {
            return None;
        }
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        let (wake, woken) = oneshot::channel();
        state.waiters.insert(ticket, Waiter { deadline, wake });
        self.pending.send_replace(state.waiters.len());
        Some((Pending { timeline: self, ticket }, woken))
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        let before = (state.wall, state.monotonic);
        let result = change(&mut state);
        let due = state.take_due(before);
        self.pending.send_replace(state.waiters.len());
        drop(state);
        for waiter in due {
            // A receiver that is gone has stopped waiting.
            let _ = waiter.wake.send(());
        }
        result
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that could panic half-way runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn until(&self, deadline: Deadline) -> Duration {
        match deadline {
            Deadline::Wall(at) => at.duration_since(self.wall).unwrap_or_default(),
            Deadline::Monotonic(at) => at.saturating_sub(self.monotonic),
        }
    }

    fn until_next_wake(&self) -> Option<Duration> {
        self.waiters.values().map(|waiter| self.until(waiter.deadline)).min()
    }

    /// Removes what is due, in the order of the instants waited for, as measured `before` the clock moved.
    fn take_due(&mut self, before: (SystemTime, Duration)) -> Vec<Waiter> {
        let tickets = self.waiters.iter().filter(|(_, waiter)| self.until(waiter.deadline).is_zero());
        let tickets: Vec<u64> = tickets.map(|(ticket, _)| *ticket).collect();
        let mut due: Vec<Waiter> = tickets.iter().filter_map(|ticket| self.waiters.remove(ticket)).collect();
        let (wall, monotonic) = before;
        // A stable sort: those who wait for the same instant wake in the order of their coming.
        due.sort_by_key(|waiter| match waiter.deadline {
            Deadline::Wall(at) => at.duration_since(wall).unwrap_or_default(),
            Deadline::Monotonic(at) => at.saturating_sub(monotonic),
        });
        due
    }
}

/// A wait in progress; dropped early, it no longer counts.
struct Pending<'a> {
    timeline: &'a Timeline,
    ticket: u64,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        let mut state = self.timeline.state();
        if state.waiters.remove(&self.ticket).is_some() {
            self.timeline.pending.send_replace(state.waiters.len());
        }
    }
}
