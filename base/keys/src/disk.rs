//! Keys in SPIRE's `keys.json`, so that a server or agent changes hands without new keys.

mod file;
mod format;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use finial_identity::KeyKind;

use self::file::KeyFile;
use crate::local::{Generation, Held, LocalKey};
use crate::{Key, KeyManager, KeysError};

/// A key manager that keeps its keys in one file with mode 0600.
///
/// The file is replaced atomically with each change and the generation before stays beside it as `<path>.prev`.
/// A file that cannot be read is named in the log, the previous generation is used, and before the next change
/// the damaged file is set aside as `<path>.corrupt-N`: nothing is overwritten, and no key is made in silence.
#[derive(Debug)]
pub struct DiskKeys {
    held: Arc<Held>,
    file: Arc<Mutex<KeyFile>>,
}

impl DiskKeys {
    /// Reads the keys at `path`; a file that does not exist yet is written with the first key. The folder must exist.
    ///
    /// # Errors
    /// [`KeysError::Exposed`] when group or others may use the file, [`KeysError::Corrupt`] when neither it nor
    /// the previous generation can be read, [`KeysError::Read`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, KeysError> {
        let (file, generation) = KeyFile::open(path.into())?;
        Ok(Self { held: Arc::new(Held::new(generation)), file: Arc::new(Mutex::new(file)) })
    }

    /// Writes the next generation, then serves it. Runs to its end even if the caller stops waiting.
    async fn change(&self, change: impl FnOnce(&mut Generation) + Send + 'static) -> Result<(), KeysError> {
        let (held, file) = (Arc::clone(&self.held), Arc::clone(&self.file));
        let written = tokio::task::spawn_blocking(move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            let mut next = Generation::clone(&held.current());
            change(&mut next);
            file.write(&next)?;
            held.replace(next);
            Ok(())
        });
        written.await.unwrap_or_else(|stopped| {
            let path = self.file.lock().unwrap_or_else(PoisonError::into_inner).path().to_owned();
            Err(KeysError::Write { path, source: io::Error::other(stopped) })
        })
    }
}

#[async_trait]
impl KeyManager for DiskKeys {
    async fn generate(&self, id: &str, kind: KeyKind) -> Result<Arc<dyn Key>, KeysError> {
        let key = Arc::new(LocalKey::generate(id, kind).await?);
        let (id, stored) = (id.to_owned(), Arc::clone(&key));
        self.change(move |keys| {
            keys.insert(id, stored);
        })
        .await?;
        Ok(key)
    }

    async fn key(&self, id: &str) -> Result<Option<Arc<dyn Key>>, KeysError> {
        Ok(self.held.key(id))
    }

    async fn keys(&self) -> Result<Vec<Arc<dyn Key>>, KeysError> {
        Ok(self.held.keys())
    }

    async fn delete(&self, id: &str) -> Result<(), KeysError> {
        if self.held.key(id).is_none() {
            return Ok(());
        }
        let id = id.to_owned();
        self.change(move |keys| {
            keys.remove(&id);
        })
        .await
    }
}
