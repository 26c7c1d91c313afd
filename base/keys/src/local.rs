//! Keys held in this process, and the map that both built-in managers keep them in.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use finial_identity::{KeyKind, PrivateKey, PublicKey};

use crate::{Key, KeysError};

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

    pub(crate) fn generate(id: &str, kind: KeyKind) -> Result<Self, KeysError> {
        match kind {
            KeyKind::EcP256 | KeyKind::EcP384 => PrivateKey::generate(kind)
                .map(|key| Self::new(id, key))
                .map_err(|source| KeysError::Key { id: id.to_owned(), source }),
            kind => Err(KeysError::Kind { id: id.to_owned(), kind }),
        }
    }
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
        self.key.sign(message).map_err(|source| KeysError::Key { id: self.id.clone(), source })
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
