//! What a program still waits for before it is ready.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::watch;

/// Ready when every guard handed out has been dropped. Clones share the guards.
#[derive(Clone, Debug)]
pub struct Readiness {
    pending: Arc<watch::Sender<Vec<&'static str>>>,
}

/// One part that is not ready yet; dropping it says that it is.
#[derive(Debug)]
#[must_use = "dropping the guard says that the part is ready"]
pub struct ReadyGuard {
    name: &'static str,
    pending: Arc<watch::Sender<Vec<&'static str>>>,
}

impl Readiness {
    /// Nothing to wait for yet: ready until the first guard.
    pub fn new() -> Self {
        Self { pending: Arc::new(watch::Sender::new(Vec::new())) }
    }

    /// The program is not ready until the guard called `name` has been dropped.
    pub fn guard(&self, name: &'static str) -> ReadyGuard {
        self.pending.send_modify(|names| names.push(name));
        ReadyGuard { name, pending: Arc::clone(&self.pending) }
    }

    /// Resolves when nothing is pending.
    pub async fn ready(&self) {
        // The sender lives in `self`, so that this cannot fail.
        let _ = self.pending.subscribe().wait_for(Vec::is_empty).await;
    }

    /// The names of the guards still held, oldest first.
    pub fn pending(&self) -> Vec<&'static str> {
        self.pending.borrow().clone()
    }
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

impl ReadyGuard {
    /// The part is ready; the same as dropping the guard, said aloud.
    pub fn ready(self) {}
}

impl Drop for ReadyGuard {
    fn drop(&mut self) {
        self.pending.send_modify(|names| {
            if let Some(at) = names.iter().position(|name| *name == self.name) {
                names.remove(at);
            }
        });
    }
}
