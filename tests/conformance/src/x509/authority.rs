//! Authorities, which sign what they are told to.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use super::{
    der::{bits, content, sequence, split},
    draft::Draft,
    keys::Key,
    weak::Weak,
};

/// Signatures that were made before.
///
/// Those of ECDSA are different each time. A signature that still fits is kept, so that a certificate only changes when what it
/// says does.
#[derive(Default)]
pub(crate) struct Signatures(RefCell<HashMap<Vec<u8>, Vec<Vec<u8>>>>);

impl Signatures {
    /// Those of certificates, of which some may be malformed.
    pub(crate) fn of<'a>(certificates: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let signatures = Self::default();
        for (signed, signature) in certificates.into_iter().filter_map(parts) {
            signatures.0.borrow_mut().entry(signed.to_vec()).or_default().push(signature.to_vec());
        }
        signatures
    }

    /// The key's signature: one that was made before, or a new one, which is kept.
    fn by(&self, key: &Key, message: &[u8]) -> Vec<u8> {
        let mut signatures = self.0.borrow_mut();
        let kept = signatures.entry(message.to_vec()).or_default();
        let before = kept.iter().find(|signature| key.has_signed(message, signature)).cloned();
        before.unwrap_or_else(|| {
            let signature = key.sign(message);
            kept.push(signature.clone());
            signature
        })
    }
}

/// The signed part of a certificate, and its signature.
fn parts(certificate: &[u8]) -> Option<(&[u8], &[u8])> {
    let (signed, rest) = split(content(certificate)?)?;
    let (_, rest) = split(rest)?;
    let (signature, _) = split(rest)?;
    Some((signed, content(signature)?.get(1..)?))
}

/// A name and a key that sign, with the certificate that says so.
#[derive(Clone)]
pub(crate) struct Authority {
    pub(crate) certificate: Vec<u8>,
    pub(crate) name: Vec<u8>,
    pub(crate) key: Rc<Key>,
    signatures: Rc<Signatures>,
}

impl Authority {
    /// One that signs its own certificate.
    pub(crate) fn root(draft: &Draft, key: Key, signatures: &Rc<Signatures>) -> Self {
        let (certificate, name) = (Vec::new(), draft.subject.clone());
        let root = Self { certificate, name, key: Rc::new(key), signatures: Rc::clone(signatures) };
        Self { certificate: root.sign(draft), ..root }
    }

    /// One below this.
    pub(crate) fn authority(&self, draft: &Draft, key: Key) -> Self {
        let (certificate, name) = (self.sign(draft), draft.subject.clone());
        Self { certificate, name, key: Rc::new(key), signatures: Rc::clone(&self.signatures) }
    }

    /// The same with another certificate.
    pub(crate) fn certified(&self, certificate: Vec<u8>) -> Self {
        Self { certificate, ..self.clone() }
    }

    /// The same with its key over a broken hash.
    pub(crate) fn weakly(&self, weak: Weak) -> Self {
        Self { key: Rc::new(self.key.weakly(weak)), ..self.clone() }
    }

    pub(crate) fn sign(&self, draft: &Draft) -> Vec<u8> {
        self.parts(draft).certificate()
    }

    /// What a certificate is made of, for cases that put it together in another way.
    pub(crate) fn parts(&self, draft: &Draft) -> Parts {
        let algorithm = self.key.algorithm().to_vec();
        let signed = draft.to_be_signed(&self.name, &algorithm);
        let signature = self.signature(&signed);
        Parts { signed, algorithm, signature }
    }

    pub(crate) fn signature(&self, message: &[u8]) -> Vec<u8> {
        self.signatures.by(&self.key, message)
    }
}

/// The three parts of a certificate: two values in DER, and the bytes of the signature.
pub(crate) struct Parts {
    pub(crate) signed: Vec<u8>,
    pub(crate) algorithm: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

impl Parts {
    pub(crate) fn certificate(&self) -> Vec<u8> {
        sequence(&[&self.signed, &self.algorithm, &bits(&self.signature)])
    }
}
