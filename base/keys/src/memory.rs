//! Keys that live as long as the process: an agent that uses them attests again after a restart.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use finial_identity::KeyKind;

use crate::local::{Generation, Held, LocalKey};
use crate::{Key, KeyManager, KeysError};

/// A key manager that keeps nothing on disk.
#[derive(Debug, Default)]
pub struct MemoryKeys {
    held: Held,
    writing: Mutex<()>,
}

impl MemoryKeys {
    /// A manager without keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn change(&self, change: impl FnOnce(&mut Generation)) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Generation::clone(&self.held.current());
        change(&mut next);
        self.held.replace(next);
    }
}

#[async_trait]
impl KeyManager for MemoryKeys {
    async fn generate(&self, id: &str, kind: KeyKind) -> Result<Arc<dyn Key>, KeysError> {
        let key = Arc::new(LocalKey::generate(id, kind).await?);
        self.change(|keys| {
            keys.insert(id.to_owned(), Arc::clone(&key));
        });
        Ok(key)
    }

    async fn key(&self, id: &str) -> Result<Option<Arc<dyn Key>>, KeysError> {
        Ok(self.held.key(id))
    }

    async fn keys(&self) -> Result<Vec<Arc<dyn Key>>, KeysError> {
        Ok(self.held.keys())
    }

    async fn delete(&self, id: &str) -> Result<(), KeysError> {
        self.change(|keys| {
            keys.remove(id);
        });
        Ok(())
    }
}
