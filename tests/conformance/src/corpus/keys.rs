//! Keys of leaves and authorities: of every kind, too weak, and no keys at all.

use super::Corpus;
use crate::x509::{
    authority::Authority,
    der::{BIT_STRING, NULL, bits, oid, sequence, tlv},
    draft::{self, svid},
    keys::Key,
};

const STORED: &[(&str, &str, &str)] = &[
    ("rsa-1024", "RSA of 1024 bits is too weak", include_str!("../../keys/rsa-1024.pem")),
    ("p192", "A curve that is too weak", include_str!("../../keys/p192.pem")),
    ("p224", "A curve that no TLS stack offers (RFC 8446 §4.2.7)", include_str!("../../keys/p224.pem")),
    ("secp256k1", "A curve that no TLS stack offers", include_str!("../../keys/secp256k1.pem")),
    ("brainpool", "A curve of another family", include_str!("../../keys/brainpool.pem")),
    (
        "explicit-curve",
        "A curve by its parameters (RFC 5480 §2.1.1)",
        include_str!("../../keys/explicit.pem"),
    ),
    ("dsa", "DSA, which TLS 1.3 has not", include_str!("../../keys/dsa.pem")),
    ("x25519", "A key that cannot sign", include_str!("../../keys/x25519.pem")),
];

pub(super) fn add(corpus: &mut Corpus) {
    for (case, why, key) in [
        ("p256", "P-256", Key::p256("leaf")),
        ("p384", "P-384", Key::p384("leaf")),
        ("p521", "P-521", Key::p521("leaf")),
        ("ed25519", "Ed25519", Key::ed25519("leaf")),
        ("rsa-2048", "RSA of 2048 bits", Key::stored(include_str!("../../keys/rsa-2048.pem"))),
        ("rsa-4096", "RSA of 4096 bits", Key::stored(include_str!("../../keys/rsa-4096.pem"))),
    ] {
        let leaf = svid(super::ID, &key).below(&corpus.root.key.spki);
        corpus.accepts(&format!("keys::leaf-{case}"), why, corpus.signed(&leaf).with_key(&key));
    }
    for (case, why, text) in STORED {
        let key = Key::stored(text);
        let leaf = svid(super::ID, &key).below(&corpus.root.key.spki);
        corpus.refuses(&format!("keys::leaf-{case}"), why, corpus.signed(&leaf).with_key(&key));
    }
    authorities(corpus);
    malformed(corpus);
}

fn authorities(corpus: &mut Corpus) {
    for (case, why, key) in [
        ("p384", "Signed by P-384", Key::p384("root")),
        ("p521", "Signed by P-521", Key::p521("root")),
        ("ed25519", "Signed by Ed25519", Key::ed25519("root")),
        (
            "rsa-2048",
            "Signed by RSA of 2048 bits",
            Key::stored_rsa(include_str!("../../keys/rsa-2048-root.pem")),
        ),
    ] {
        let anchor = Authority::root(&draft::authority(case, &key), key, &corpus.signatures);
        let leaf = corpus.presented(anchor.sign(&corpus.svid().below(&anchor.key.spki))).before([&anchor]);
        corpus.accepts(&format!("keys::authority-{case}"), why, leaf);
    }
}

/// The key of the leaf in other forms.
fn malformed(corpus: &mut Corpus) {
    let (ec, p256) = (oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7"));
    let good = corpus.key.spki.clone();
    let point = good[good.len() - 65..].to_vec();
    let on = |point: &[u8]| sequence(&[&sequence(&[&ec, &p256]), &bits(point)]);
    let compressed = [&[2 + (point[64] & 1)], &point[1..33]].concat();
    let hybrid = [&[6 + (point[64] & 1)], &point[1..]].concat();
    let mut off_curve = point.clone();
    off_curve[64] ^= 1;
    let short = &point[..64];
    let unused = tlv(BIT_STRING, &[&[1][..], &point].concat());
    let rsa = |exponent: &[u8]| {
        let key = sequence(&[&tlv(2, &[&[0][..], &[0xc5; 256]].concat()), &tlv(2, exponent)]);
        sequence(&[&sequence(&[&oid("1.2.840.113549.1.1.1"), NULL]), &bits(&key)])
    };
    for (case, why, spki) in [
        ("compressed-point", "TLS has points uncompressed only (RFC 8446 §4.2.8.2)", on(&compressed)),
        ("hybrid-point", "A form that RFC 5480 §2.2 forbids", on(&hybrid)),
        ("point-off-the-curve", "It does not lie on the curve", on(&off_curve)),
        ("point-at-infinity", "It is no key", on(&[0])),
        ("short-point", "A byte is missing", on(short)),
        ("empty-point", "It is empty", on(&[])),
        ("no-curve", "The curve is not named", sequence(&[&sequence(&[&ec]), &bits(&point)])),
        ("null-curve", "The curve is null", sequence(&[&sequence(&[&ec, NULL]), &bits(&point)])),
        (
            "other-curve",
            "The curve is another",
            sequence(&[&sequence(&[&ec, &oid("1.3.132.0.34")]), &bits(&point)]),
        ),
        ("unused-bits", "The last bit does not count", sequence(&[&sequence(&[&ec, &p256]), &unused])),
        (
            "unknown-algorithm",
            "An algorithm that nobody knows",
            sequence(&[&sequence(&[&oid("1.2.3.4.5")]), &bits(&point)]),
        ),
        ("empty", "There is no key", sequence(&[])),
        (
            "more-than-a-key",
            "Something follows it",
            sequence(&[&sequence(&[&ec, &p256]), &bits(&point), NULL]),
        ),
        ("rsa-exponent-1", "What is signed by it is signed by anybody", rsa(&[1])),
        ("rsa-exponent-even", "No such key exists", rsa(&[2])),
        ("rsa-exponent-negative", "A number below zero", rsa(&[0xff])),
    ] {
        let mut leaf = corpus.svid();
        leaf.spki = spki;
        let mut presented = corpus.signed(&leaf);
        presented.key = None;
        corpus.refuses(&format!("keys::{case}"), why, presented);
    }
}
