//! Signatures over MD5 and SHA-1, for which somebody can find a second certificate that fits.

use super::Corpus;
use crate::x509::{authority::Authority, draft, keys::Key, weak::Weak};

const WEAK: &[(&str, &str, Weak)] = &[
    ("ecdsa-sha1", "by ECDSA over SHA-1", Weak::EcdsaSha1),
    ("rsa-sha1", "by RSA over SHA-1", Weak::RsaSha1),
    ("rsa-md5", "by RSA over MD5", Weak::RsaMd5),
    ("rsa-pss-sha1", "by RSA-PSS without parameters, which means SHA-1 (RFC 4055 §3.1)", Weak::PssSha1),
];

pub(super) fn add(corpus: &mut Corpus) {
    let key = Key::stored_rsa(include_str!("../../keys/rsa-2048-root.pem"));
    let rsa = Authority::root(&draft::authority("rsa root", &key), key, &corpus.signatures);
    for (case, how, weak) in WEAK {
        let strong = if *weak == Weak::EcdsaSha1 { corpus.root.clone() } else { rsa.clone() };
        let anchor = strong.weakly(*weak);
        let leaf = anchor.sign(&corpus.svid().below(&anchor.key.spki));
        let presented = corpus.presented(leaf).before([&anchor]);
        corpus.refuses(&format!("hashes::leaf-{case}"), &format!("The leaf is signed {how}"), presented);

        let middle = corpus.below(&anchor, "weakly signed", |draft| draft);
        let leaf = middle.sign(&corpus.svid().below(&middle.key.spki));
        let presented = corpus.presented(leaf).above([&middle]).before([&anchor]);
        let why = format!("The intermediate is signed {how}");
        corpus.refuses(&format!("hashes::intermediate-{case}"), &why, presented);
    }
    own_signature(corpus);
}

/// Nobody looks at the signature of an anchor on itself (RFC 5280 §6.1).
fn own_signature(corpus: &mut Corpus) {
    let key = Key::p256("root");
    let weak =
        Authority::root(&draft::authority("root", &key), key.weakly(Weak::EcdsaSha1), &corpus.signatures);
    let presented = corpus.signed(&corpus.svid()).before([&weak]);
    corpus.accepts("hashes::anchor-ecdsa-sha1", "Only the anchor's own signature is over SHA-1", presented);
}
