//! Certificates that are written oddly, or were changed after they were signed (RFC 5280 §4.1, X.690).

use super::Corpus;
use crate::x509::{
    authority::Parts,
    der::{
        BIT_STRING, BMP_STRING, INTEGER, NULL, PRINTABLE_STRING, SEQUENCE, TELETEX_STRING, UTF8_STRING, bits,
        content, implicit, oid, sequence, tlv, tlv_of_indefinite_length, tlv_with_long_length,
    },
    draft::{Draft, name_in, svid},
    extension::{Extension, SUBJECT_ALT_NAME, UNKNOWN, extension, uri},
};

pub(super) fn add(corpus: &mut Corpus) {
    subjects(corpus);
    serial_numbers(corpus);
    versions(corpus);
    extensions(corpus);
    algorithms(corpus);
    forms(corpus);
    tampered(corpus);
}

/// Nobody is named by a subject: it may be written in any way.
fn subjects(corpus: &mut Corpus) {
    let utf16: Vec<u8> = "workload".encode_utf16().flat_map(u16::to_be_bytes).collect();
    for (case, why, subject) in [
        ("printable", "A subject of printable characters", name_in(PRINTABLE_STRING, b"workload")),
        ("utf8", "A subject in UTF-8", name_in(UTF8_STRING, "Wörkloäd ✓".as_bytes())),
        ("bmp", "A subject of two bytes a character", name_in(BMP_STRING, &utf16)),
        ("teletex", "A subject in the code of teletexts", name_in(TELETEX_STRING, b"w\xf6rkload")),
        ("nul", "A subject with a NUL in it", name_in(UTF8_STRING, b"work\0load")),
    ] {
        let leaf = corpus.svid().of(subject);
        corpus.accepts(&format!("encodings::subject-{case}"), why, corpus.signed(&leaf));
    }
}

fn serial_numbers(corpus: &mut Corpus) {
    let number = |bytes: &[u8]| tlv(INTEGER, bytes);
    for (case, why, serial, accepted) in [
        ("1", "The smallest", number(&[1]), true),
        ("of-20-bytes", "The longest (RFC 5280 §4.1.2.2)", number(&[0x7f; 20]), true),
        ("of-22-bytes", "Longer than any that is met with", number(&[0x7f; 22]), false),
        ("with-leading-zero", "A byte that says nothing (X.690 §8.3.2)", number(&[0, 1]), false),
        ("empty", "A number has at least one byte", number(&[]), false),
        ("text", "A text is no number", tlv(UTF8_STRING, b"1"), false),
        ("missing", "There is none", Vec::new(), false),
    ] {
        let mut leaf = corpus.svid();
        leaf.serial_number = Some(serial);
        add_one(corpus, &format!("serial-number-{case}"), why, &leaf, accepted);
    }
}

fn versions(corpus: &mut Corpus) {
    for (case, why, version) in [
        ("1-with-extensions", "Version 1 has no extensions (RFC 5280 §4.1.2.1)", None),
        ("1-in-full", "The default written out is no DER", Some(0)),
        ("2-with-extensions", "Version 2 has no extensions", Some(1)),
        ("4", "There is no version 4", Some(3)),
        ("127", "Nor any after it", Some(126)),
    ] {
        let mut leaf = corpus.svid();
        leaf.version = version;
        add_one(corpus, &format!("version-{case}"), why, &leaf, false);
    }
    let mut bare = corpus.svid();
    bare.version = None;
    bare.extensions.clear();
    add_one(corpus, "version-1", "Without extensions there is no ID", &bare, false);
}

fn extensions(corpus: &mut Corpus) {
    let unknown = |critical| extension(UNKNOWN, critical, &[5, 0]);
    add_one(
        corpus,
        "unknown-extension",
        "One that nobody must know",
        &corpus.svid().with(unknown(false)),
        true,
    );
    add_one(
        corpus,
        "unknown-critical-extension",
        "One that everybody must know, and nobody does",
        &corpus.svid().with(unknown(true)),
        false,
    );
    let twice = corpus.svid().with(unknown(false)).with(unknown(false));
    add_one(corpus, "unknown-extension-twice", "No extension may occur twice", &twice, false);
    let names = sequence(&[&uri(super::ID)]);
    let raw = |der: Vec<u8>| Extension { oid: SUBJECT_ALT_NAME, der };
    let id = oid(SUBJECT_ALT_NAME);
    for (case, why, names) in [
        (
            "names-and-more",
            "Something follows the names",
            extension(SUBJECT_ALT_NAME, false, &[&names[..], NULL].concat()),
        ),
        (
            "names-cut-off",
            "The last byte is missing",
            extension(SUBJECT_ALT_NAME, false, &names[..names.len() - 1]),
        ),
        ("names-of-nothing", "The extension is empty", extension(SUBJECT_ALT_NAME, false, &[])),
        (
            "names-long-length",
            "A length with a byte too many (X.690 §10.1)",
            extension(SUBJECT_ALT_NAME, false, &tlv_with_long_length(SEQUENCE, &uri(super::ID))),
        ),
        (
            "names-indefinite-length",
            "No length at all (X.690 §10.1)",
            extension(SUBJECT_ALT_NAME, false, &tlv_of_indefinite_length(SEQUENCE, &uri(super::ID))),
        ),
        (
            "uri-long-length",
            "The length of the URI has a byte too many",
            extension(
                SUBJECT_ALT_NAME,
                false,
                &sequence(&[&tlv_with_long_length(0x86, super::ID.as_bytes())]),
            ),
        ),
        (
            "critical-of-one",
            "TRUE is 255 in DER (X.690 §11.1)",
            raw(sequence(&[&id, &[1, 1, 1], &tlv(4, &names)])),
        ),
        (
            "critical-false-in-full",
            "The default written out is no DER (X.690 §11.5)",
            raw(sequence(&[&id, &[1, 1, 0], &tlv(4, &names)])),
        ),
        ("extension-without-value", "Nothing follows its name", raw(sequence(&[&id]))),
        (
            "extension-of-bits",
            "Bits are no bytes",
            raw(sequence(&[&id, &tlv(BIT_STRING, &[&[0][..], &names].concat())])),
        ),
        ("extension-and-more", "Something follows its value", raw(sequence(&[&id, &tlv(4, &names), NULL]))),
    ] {
        add_one(corpus, case, why, &corpus.svid().having(names), false);
    }
    let mut unique = corpus.svid();
    unique.unique_ids = implicit(2, &[0, 0xff]);
    add_one(corpus, "unique-id", "A field of version 2, which says nothing", &unique, true);
}

fn algorithms(corpus: &mut Corpus) {
    for (case, why, algorithm) in [
        (
            "other-hash-inside",
            "The signed part names another hash (RFC 5280 §4.1.1.2)",
            sequence(&[&oid("1.2.840.10045.4.3.3")]),
        ),
        ("rsa-inside", "The signed part names RSA", sequence(&[&oid("1.2.840.113549.1.1.11"), NULL])),
        (
            "null-inside",
            "The signed part has parameters, the signature has none",
            sequence(&[&oid("1.2.840.10045.4.3.2"), NULL]),
        ),
    ] {
        let mut leaf = corpus.svid();
        leaf.algorithm = Some(algorithm);
        add_one(corpus, &format!("algorithm-{case}"), why, &leaf, false);
    }
    for (case, why, algorithm) in [
        (
            "other-hash",
            "The signature is said to be of another hash",
            sequence(&[&oid("1.2.840.10045.4.3.3")]),
        ),
        ("unknown", "The signature is of an algorithm that nobody knows", sequence(&[&oid("1.2.3.4.5")])),
        ("none", "The signature is of no algorithm", sequence(&[])),
    ] {
        let mut leaf = corpus.svid();
        leaf.algorithm = Some(algorithm.clone());
        let parts = Parts { algorithm, ..corpus.root.parts(&leaf) };
        corpus.refuses(&format!("encodings::algorithm-{case}"), why, corpus.presented(parts.certificate()));
    }
}

/// The same certificate in forms that are not DER.
fn forms(corpus: &mut Corpus) {
    let parts = corpus.root.parts(&corpus.svid());
    let whole = parts.certificate();
    let inside = content(&whole).unwrap_or_default().to_vec();
    let signature = bits(&parts.signature);
    for (case, why, leaf) in [
        ("trailing-byte", "A byte follows it", [&whole[..], &[0]].concat()),
        ("trailing-certificate", "Another follows it", [&whole[..], &corpus.root.certificate].concat()),
        (
            "trailing-null",
            "Something follows the signature",
            sequence(&[&parts.signed, &parts.algorithm, &signature, NULL]),
        ),
        ("cut-off", "The last byte is missing", whole[..whole.len() - 1].to_vec()),
        (
            "long-length",
            "Its length has a byte too many (X.690 §10.1)",
            tlv_with_long_length(SEQUENCE, &inside),
        ),
        ("indefinite-length", "It has no length (X.690 §10.1)", tlv_of_indefinite_length(SEQUENCE, &inside)),
        ("set", "It is a set and no sequence", tlv(0x31, &inside)),
        ("no-signature", "There is no signature", sequence(&[&parts.signed, &parts.algorithm])),
        (
            "empty-signature",
            "The signature is empty",
            sequence(&[&parts.signed, &parts.algorithm, &bits(&[])]),
        ),
        (
            "signature-with-unused-bits",
            "The last bit does not count",
            sequence(&[
                &parts.signed,
                &parts.algorithm,
                &tlv(BIT_STRING, &[&[1][..], &parts.signature].concat()),
            ]),
        ),
        (
            "signature-and-more",
            "A byte follows the two numbers",
            sequence(&[&parts.signed, &parts.algorithm, &bits(&[&parts.signature[..], &[0]].concat())]),
        ),
        (
            "signature-of-zeros",
            "Two numbers that are 0",
            sequence(&[
                &parts.signed,
                &parts.algorithm,
                &bits(&sequence(&[&tlv(INTEGER, &[0]), &tlv(INTEGER, &[0])])),
            ]),
        ),
        ("empty", "An empty sequence", sequence(&[])),
        ("nothing", "No byte at all", Vec::new()),
    ] {
        corpus.refuses(&format!("encodings::{case}"), why, corpus.presented(leaf));
    }
    let long = tlv_with_long_length(SEQUENCE, content(&parts.signed).unwrap_or_default());
    let parts = Parts { signature: corpus.root.signature(&long), signed: long, ..parts };
    corpus.refuses(
        "encodings::long-length-inside",
        "The signed part's length has a byte too many",
        corpus.presented(parts.certificate()),
    );
}

/// Changed after it was signed.
fn tampered(corpus: &mut Corpus) {
    let good = corpus.root.parts(&corpus.svid());
    // A certificate of the group `ids`: its signature is kept there.
    let other = svid("spiffe://example.org/a", &corpus.key).below(&corpus.root.key.spki);
    let other = corpus.root.parts(&other);
    let mut flipped = good.signature.clone();
    if let Some(last) = flipped.last_mut() {
        *last ^= 1;
    }
    for (case, why, parts) in [
        (
            "other-id",
            "The ID was changed (SPIFFE-ID §3.2)",
            Parts {
                signed: other.signed,
                algorithm: good.algorithm.clone(),
                signature: good.signature.clone(),
            },
        ),
        (
            "other-signature",
            "The signature was changed",
            Parts { signature: flipped, ..corpus.root.parts(&corpus.svid()) },
        ),
        (
            "signature-of-another",
            "The signature is that of another certificate",
            Parts { signed: good.signed, algorithm: good.algorithm, signature: other.signature },
        ),
    ] {
        corpus.refuses(&format!("encodings::{case}"), why, corpus.presented(parts.certificate()));
    }
}

fn add_one(corpus: &mut Corpus, case: &str, why: &str, leaf: &Draft, accepted: bool) {
    let presented = corpus.signed(leaf);
    let id = format!("encodings::{case}");
    match accepted {
        true => corpus.accepts(&id, why, presented),
        false => corpus.refuses(&id, why, presented),
    }
}
