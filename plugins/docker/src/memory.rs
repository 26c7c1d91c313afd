//! What engines said a moment ago, so that thousands of streams that are answered at once do not ask thousands of times.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use finial_attest::ContainerId;
use finial_daemon::Clock;
use finial_identity::Selector;

use crate::engine::Engine;

/// The selectors of containers, by engine and id. An engine never gives an id twice, and what a selector is made of
/// stays as it is while the container runs.
pub(crate) struct Memory {
    clock: Clock,
    known: Mutex<HashMap<(Engine, ContainerId), Known>>,
}

struct Known {
    selectors: Vec<Selector>,
    /// Monotonic.
    until: Duration,
}

impl Memory {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, known: Mutex::default() }
    }

    pub(crate) fn recall(&self, engine: &Engine, id: &ContainerId) -> Option<Vec<Selector>> {
        let now = self.clock.monotonic();
        let known = self.locked();
        let known = known.get(&(engine.clone(), id.clone())).filter(|known| now < known.until)?;
        Some(known.selectors.clone())
    }

    pub(crate) fn remember(&self, engine: Engine, id: ContainerId, selectors: Vec<Selector>) {
        let now = self.clock.monotonic();
        let mut known = self.locked();
        if known.len() >= CAPACITY {
            known.retain(|_, known| now < known.until);
        }
        if known.len() < CAPACITY {
            known.insert((engine, id), Known { selectors, until: now + LIFETIME });
        }
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<(Engine, ContainerId), Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long an answer is believed.
const LIFETIME: Duration = Duration::from_secs(30);
/// How many containers are remembered; further ones are asked about each time.
const CAPACITY: usize = 4096;
