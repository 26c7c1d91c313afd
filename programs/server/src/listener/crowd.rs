//! How many connections one identity may have: a stolen key takes the places of nobody else.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use finial_identity::SpiffeId;

/// The identities that are connected, and how often. Clones count the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Crowd(Arc<Mutex<HashMap<SpiffeId, usize>>>);

/// One connection of an identity, for as long as it is kept.
#[derive(Debug)]
pub(super) struct Member {
    crowd: Crowd,
    id: SpiffeId,
}

impl Crowd {
    /// One more connection of `id`; `None` when it has `most` already.
    pub(super) fn join(&self, id: &SpiffeId, most: usize) -> Option<Member> {
        let mut counts = self.counts();
        let count = counts.entry(id.clone()).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Member { crowd: self.clone(), id: id.clone() })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<SpiffeId, usize>> {
        // No code that could panic half-way runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut counts = self.crowd.counts();
        match counts.get_mut(&self.id) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(counts.remove(&self.id)),
        }
    }
}
