//! What we present: the current credential of a source, with its signing key made once for each generation.

use std::sync::{Arc, Mutex, PoisonError};

use finial_identity::X509Credential;
use finial_receive::{NotLive, Source};
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::TlsError;
use crate::config::signing_key;
use crate::verifier::Witness;

/// The signing key of the credential that was presented last. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyCache {
    last: Arc<Mutex<Option<Made>>>,
}

/// A signing key, and the credential that it was made of.
#[derive(Debug)]
struct Made {
    of: Arc<X509Credential>,
    key: Arc<CertifiedKey>,
}

impl KeyCache {
    /// The chain and signing key of `credential`.
    pub(crate) fn certified(&self, credential: &Arc<X509Credential>) -> Result<Arc<CertifiedKey>, TlsError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = &*last
            && Arc::ptr_eq(&made.of, credential)
        {
            return Ok(Arc::clone(&made.key));
        }
        let svid = credential.svid();
        let key = signing_key(credential.key().to_rustls())
            .map_err(|cause| TlsError::Key { id: svid.id().clone(), cause })?;
        let key = Arc::new(CertifiedKey::new(svid.chain().to_vec(), key));
        *last = Some(Made { of: Arc::clone(credential), key: Arc::clone(&key) });
        Ok(key)
    }
}

/// Answers rustls with the credential that is current at that moment, or with nothing.
#[derive(Debug)]
pub(crate) struct OwnCredential {
    source: Source,
    keys: KeyCache,
    witness: Option<Arc<Witness>>,
    withheld: bool,
}

impl OwnCredential {
    pub(crate) fn new(source: Source) -> Self {
        Self { source, keys: KeyCache::default(), witness: None, withheld: false }
    }

    /// For one connection, whose witness notes what was presented.
    pub(crate) fn witnessed(source: Source, keys: KeyCache, witness: Arc<Witness>) -> Self {
        Self { source, keys, witness: Some(witness), withheld: false }
    }

    /// Is not presented.
    pub(crate) fn withheld(self) -> Self {
        Self { withheld: true, ..self }
    }

    fn current(&self) -> Option<Arc<CertifiedKey>> {
        if self.withheld {
            return None;
        }
        let credential = self.source.credential().ok()?;
        let key = self.keys.certified(&credential).ok()?;
        if let Some(witness) = &self.witness {
            witness.note_presented(credential.svid().id());
        }
        Some(key)
    }
}

impl ResolvesServerCert for OwnCredential {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current()
    }
}

impl ResolvesClientCert for OwnCredential {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.current()
    }

    fn has_certs(&self) -> bool {
        !self.withheld && !matches!(self.source.credential(), Err(NotLive::Anonymous))
    }
}
