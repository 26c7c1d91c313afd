//! Keys held in this process, and the map that both built-in managers keep them in.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};
use std::thread;

use async_trait::async_trait;
use finial_identity::{KeyError, KeyKind, PrivateKey, PublicKey};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::{Key, KeysError};

/// How much arithmetic of RSA goes on at a time: as much as there are processors.
static RSA: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(thread::available_parallelism().map_or(1, NonZeroUsize::get)));

/// A private key in memory.
#[derive(Debug)]
pub(crate) struct LocalKey {
    id: String,
    key: PrivateKey,
}

impl LocalKey {
    pub(crate) fn new(id: &str, key: PrivateKey) -> Self {
        Self { id: id.to_owned(), key }
    }

    pub(crate) fn key(&self) -> &PrivateKey {
        &self.key
    }

    pub(crate) async fn generate(id: &str, kind: KeyKind) -> Result<Self, KeysError> {
        let made = match kind {
            KeyKind::EcP256 | KeyKind::EcP384 => PrivateKey::generate(kind),
            KeyKind::Rsa { bits: 2048 | 4096 } => {
                apart(move || PrivateKey::generate(kind)).await.unwrap_or(Err(KeyError::Generate))
            }
            kind => return Err(KeysError::Kind { id: id.to_owned(), kind }),
        };
        made.map(|key| Self::new(id, key)).map_err(|source| KeysError::Key { id: id.to_owned(), source })
    }

    async fn signature(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        if !matches!(self.key.public_key().kind(), KeyKind::Rsa { .. }) {
            return self.key.sign(message);
        }
        let (key, message) = (self.key.clone(), message.to_vec());
        apart(move || key.sign(&message)).await.unwrap_or(Err(KeyError::Sign))
    }
}

/// Runs arithmetic of RSA, which takes milliseconds to sign and up to seconds to make a key, where it keeps no other task
/// waiting. `None` when the program is ending.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let turn = RSA.acquire().await.ok()?;
    let done = spawn_blocking(work).await.ok();
    drop(turn);
    done
}

#[async_trait]
impl Key for LocalKey {
    fn id(&self) -> &str {
        &self.id
    }

    fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeysError> {
        self.signature(message).await.map_err(|source| KeysError::Key { id: self.id.clone(), source })
    }

    fn local(&self) -> Option<&PrivateKey> {
        Some(&self.key)
    }
}

/// One generation of keys, by id.
pub(crate) type Generation = BTreeMap<String, Arc<LocalKey>>;

/// The current generation: read by many, replaced as a whole.
#[derive(Debug, Default)]
pub(crate) struct Held(RwLock<Arc<Generation>>);

impl Held {
    pub(crate) fn new(generation: Generation) -> Self {
        Self(RwLock::new(Arc::new(generation)))
    }

    pub(crate) fn current(&self) -> Arc<Generation> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn replace(&self, generation: Generation) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(generation);
    }

    pub(crate) fn key(&self, id: &str) -> Option<Arc<dyn Key>> {
        self.current().get(id).map(|key| Arc::clone(key) as Arc<dyn Key>)
    }

    pub(crate) fn keys(&self) -> Vec<Arc<dyn Key>> {
        self.current().values().map(|key| Arc::clone(key) as Arc<dyn Key>).collect()
    }
}
