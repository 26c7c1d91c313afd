//! What we present to the web: the current certificate of a source, with its signing key made once.

use std::sync::{Arc, Mutex, PoisonError};

use finial_receive::{WebCredential, WebSource};
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::config::signing_key;

/// The signing key of the certificate that was presented last. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct WebKeyCache {
    last: Arc<Mutex<Option<Made>>>,
}

/// A signing key, and what it was made of.
#[derive(Debug)]
struct Made {
    of: Arc<WebCredential>,
    key: Arc<CertifiedKey>,
}

impl WebKeyCache {
    /// `None` when the library cannot sign with the key.
    fn certified(&self, credential: &Arc<WebCredential>) -> Option<Arc<CertifiedKey>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = &*last
            && Arc::ptr_eq(&made.of, credential)
        {
            return Some(Arc::clone(&made.key));
        }
        let key = signing_key(credential.key().to_rustls()).ok()?;
        let key = Arc::new(CertifiedKey::new(credential.chain().chain().to_vec(), key));
        *last = Some(Made { of: Arc::clone(credential), key: Arc::clone(&key) });
        Some(key)
    }
}

/// Answers rustls with the certificate that is current at that moment, or with nothing.
#[derive(Debug)]
pub(super) struct WebOwn {
    source: WebSource,
    keys: WebKeyCache,
}

impl WebOwn {
    pub(super) fn new(source: WebSource, keys: WebKeyCache) -> Self {
        Self { source, keys }
    }

    fn current(&self) -> Option<Arc<CertifiedKey>> {
        self.keys.certified(self.source.identity().ok()?.credential()?)
    }
}

impl ResolvesServerCert for WebOwn {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current()
    }
}

impl ResolvesClientCert for WebOwn {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.current()
    }

    fn has_certs(&self) -> bool {
        self.source.identity().is_ok_and(|identity| identity.credential().is_some())
    }
}
