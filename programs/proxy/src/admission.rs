//! How callers get from the kernel's backlog to a place: at once, or after they have shown who they are.

use std::future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use finial_daemon::doorstep::{Doorstep, Origin, Spot};
use finial_daemon::{Clock, descriptors};
use tokio::sync::Notify;

use crate::places::{Place, Places};

/// Handshakes at once: as many as connections, but within these bounds.
const FEWEST: usize = 256;
const MOST: usize = 4096;

/// Lets callers of one listener in. Clones share its places. Where callers must show who they are, they wait on the
/// [`Doorstep`] meanwhile, without a place: strangers cannot take any.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    places: Places,
    doorstep: Arc<Doorstep>,
    guarded: Arc<AtomicBool>,
    /// Told when somebody takes a place after it was let in.
    taken: Arc<Notify>,
}

/// The leave of one caller to be here, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Pass {
    places: Places,
    place: Option<Place>,
    spot: Option<Spot>,
    taken: Arc<Notify>,
}

impl Admission {
    /// So many connections; `guarded` where callers have a place only after their handshake, else from accept on.
    pub(crate) fn new(connections: usize, guarded: bool, clock: &Clock) -> Self {
        Self::with(Places::new(connections), spots(connections), guarded, clock)
    }

    /// For callers that come to be answered and leave: so many at once, and the slow ones give way.
    pub(crate) fn brief(callers: usize, clock: &Clock) -> Self {
        Self::with(Places::new(usize::MAX), callers, true, clock)
    }

    fn with(places: Places, spots: usize, guarded: bool, clock: &Clock) -> Self {
        let doorstep = Arc::new(Doorstep::new(spots, clock));
        Self { places, doorstep, guarded: Arc::new(AtomicBool::new(guarded)), taken: Arc::default() }
    }

    /// Holds for callers that come from now on, as in [`new`](Self::new).
    pub(crate) fn change(&self, connections: usize, guarded: bool) {
        self.places.resize(connections);
        self.doorstep.resize(spots(connections));
        self.guarded.store(guarded, Ordering::Relaxed);
    }

    /// Resolves when one more may be accepted. May be dropped while waiting.
    pub(crate) async fn has_room(&self) -> Option<Place> {
        let place = self.places.take().await;
        if !self.guarded.load(Ordering::Relaxed) {
            return Some(place);
        }
        // Given back, for whoever shows first who it is: those who have and wait for a place come before strangers.
        drop(place);
        self.doorstep.has_room().await;
        None
    }

    /// Resolves when there was room, and has been taken by somebody who was let in before.
    pub(crate) async fn fills_up(&self) {
        loop {
            self.taken.notified().await;
            if self.places.are_taken() {
                return;
            }
        }
    }

    /// Lets a caller in, with the place that it was accepted for, or a spot on the doorstep.
    pub(crate) fn admit(&self, place: Option<Place>, origin: Origin) -> Pass {
        let spot = place.is_none().then(|| self.doorstep.enter(origin));
        Pass { places: self.places.clone(), place, spot, taken: Arc::clone(&self.taken) }
    }
}

impl Pass {
    /// Resolves when the caller must give way to another; never for one that has a place.
    pub(crate) async fn lost(&mut self) {
        match &mut self.spot {
            Some(spot) => spot.lost().await,
            None => future::pending().await,
        }
    }

    /// Takes a place for a caller that has shown who it is; waits as long as there is none. `false` when it had to give
    /// way a moment ago. May be dropped while waiting.
    pub(crate) async fn take_place(&mut self) -> bool {
        let Some(spot) = &mut self.spot else { return true };
        if !spot.keep() {
            return false;
        }
        self.place = Some(self.places.take().await);
        self.spot = None;
        self.taken.notify_one();
        true
    }
}

fn spots(connections: usize) -> usize {
    // A quarter of the descriptors: the rest are for connections, which have two.
    let descriptors = descriptors::limit().and_then(|limit| usize::try_from(limit / 4).ok());
    connections.clamp(FEWEST, MOST).min(descriptors.unwrap_or(MOST))
}
