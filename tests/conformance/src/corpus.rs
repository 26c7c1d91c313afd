//! The corpus of SPIFFE: chains that X509-SVID verifiers must accept or refuse, each with one thing that is odd.
//!
//! The anchors of a case are the bundle of `example.org`, the only one that the verifier has. Keys are made from their names,
//! serial numbers from what is certified, and signatures that still fit are kept, so that the file stays as it is
//! until a case changes.

mod anchors;
mod chains;
mod constraints;
mod encodings;
mod hashes;
mod ids;
mod keys;
mod names;
mod path_lengths;
mod usages;
mod validity;

use std::rc::Rc;

use crate::limbo::{Case, Kind, Limbo, PeerName, Verdict};
use crate::pem;
use crate::x509::{
    authority::{Authority, Signatures},
    draft::{self, Draft},
    keys::Key,
};

/// Whom most leaves are for.
const ID: &str = "spiffe://example.org/workload";

/// When the cases that say nothing else take place: all that is not meant to be expired is valid.
const NOW: &str = "2026-06-15T00:00:00+00:00";

/// Makes the corpus anew; `before` is what it was, whose signatures are kept where they still fit.
///
/// # Errors
/// When a certificate of `before` is no PEM.
pub fn generate(before: Option<&Limbo>) -> anyhow::Result<Limbo> {
    let certificates = before.map(Limbo::certificates).transpose()?.unwrap_or_default();
    let mut corpus = Corpus::new(Signatures::of(certificates.iter().map(Vec::as_slice)));
    names::add(&mut corpus);
    ids::add(&mut corpus);
    usages::add(&mut corpus);
    chains::add(&mut corpus);
    path_lengths::add(&mut corpus);
    anchors::add(&mut corpus);
    validity::add(&mut corpus);
    constraints::add(&mut corpus);
    keys::add(&mut corpus);
    encodings::add(&mut corpus);
    hashes::add(&mut corpus);
    Ok(Limbo { version: 1, testcases: corpus.cases })
}

/// The cases so far, and what they have in common.
struct Corpus {
    cases: Vec<Case>,
    signatures: Rc<Signatures>,
    /// The authority of `example.org`.
    root: Authority,
    /// The key of most leaves.
    key: Key,
}

impl Corpus {
    fn new(signatures: Signatures) -> Self {
        let signatures = Rc::new(signatures);
        let key = Key::p256("root");
        let root = Authority::root(&draft::authority("root", &key), key, &signatures);
        Self { cases: Vec::new(), root, signatures, key: Key::p256("workload") }
    }

    /// A leaf that is right in every way, to be made wrong in one.
    fn svid(&self) -> Draft {
        draft::svid(ID, &self.key).below(&self.root.key.spki)
    }

    /// What `root` signs, alone before it.
    fn signed(&self, draft: &Draft) -> Presented {
        self.presented(self.root.sign(draft))
    }

    /// This leaf, alone before `root`.
    fn presented(&self, leaf: Vec<u8>) -> Presented {
        Presented {
            leaf,
            key: Some(self.key.to_pem()),
            above: Vec::new(),
            anchors: vec![self.root.certificate.clone()],
            kind: Kind::Server,
            at: NOW,
            id: ID.to_owned(),
        }
    }

    /// An authority that signs itself.
    fn root_named(&self, name: &str, change: impl FnOnce(Draft) -> Draft) -> Authority {
        let key = Key::p256(name);
        Authority::root(&change(draft::authority(name, &key)), key, &self.signatures)
    }

    /// An authority below another.
    fn below(&self, above: &Authority, name: &str, change: impl FnOnce(Draft) -> Draft) -> Authority {
        let key = Key::p256(name);
        above.authority(&change(draft::authority(name, &key).below(&above.key.spki)), key)
    }

    fn accepts(&mut self, id: &str, why: &str, presented: Presented) {
        self.add(id, why, presented, Verdict::Accepts);
    }

    fn refuses(&mut self, id: &str, why: &str, presented: Presented) {
        self.add(id, why, presented, Verdict::Refuses);
    }

    fn add(&mut self, id: &str, why: &str, presented: Presented, expected_result: Verdict) {
        let pem = |certificates: Vec<Vec<u8>>| {
            certificates.iter().map(|der| pem::encode("CERTIFICATE", der)).collect::<Vec<_>>()
        };
        let name = PeerName { kind: "URI".to_owned(), value: presented.id };
        let accepted = expected_result == Verdict::Accepts;
        let is_server = presented.kind == Kind::Server;
        self.cases.push(Case {
            id: id.to_owned(),
            conflicts_with: Vec::new(),
            features: vec!["spiffe".to_owned()],
            importance: "high".to_owned(),
            description: why.to_owned(),
            validation_kind: presented.kind,
            trusted_certs: pem(presented.anchors),
            untrusted_intermediates: pem(presented.above),
            peer_certificate: pem::encode("CERTIFICATE", &presented.leaf),
            peer_certificate_key: presented.key,
            validation_time: Some(presented.at.to_owned()),
            signature_algorithms: Vec::new(),
            key_usage: Vec::new(),
            extended_key_usage: Vec::new(),
            expected_result,
            expected_peer_name: (accepted && is_server).then(|| name.clone()),
            expected_peer_names: if accepted && !is_server { vec![name] } else { Vec::new() },
            max_chain_depth: None,
            crls: Vec::new(),
        });
    }
}

/// What is odd about a certificate.
type Change<'a> = &'a dyn Fn(Draft) -> Draft;

/// What a verifier is shown.
#[derive(Clone)]
struct Presented {
    leaf: Vec<u8>,
    key: Option<String>,
    above: Vec<Vec<u8>>,
    anchors: Vec<Vec<u8>>,
    kind: Kind,
    at: &'static str,
    id: String,
}

impl Presented {
    /// With these certificates above the leaf.
    fn above<'a>(mut self, above: impl IntoIterator<Item = &'a Authority>) -> Self {
        self.above = above.into_iter().map(|authority| authority.certificate.clone()).collect();
        self
    }

    /// Before these anchors, and no others.
    fn before<'a>(mut self, anchors: impl IntoIterator<Item = &'a Authority>) -> Self {
        self.anchors = anchors.into_iter().map(|authority| authority.certificate.clone()).collect();
        self
    }

    fn by_client(mut self) -> Self {
        self.kind = Kind::Client;
        self
    }

    fn at(mut self, at: &'static str) -> Self {
        self.at = at;
        self
    }

    /// For another ID than most.
    fn naming(mut self, id: &str) -> Self {
        id.clone_into(&mut self.id);
        self
    }

    fn with_key(mut self, key: &Key) -> Self {
        self.key = Some(key.to_pem());
        self
    }
}
