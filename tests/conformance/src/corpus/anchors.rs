//! What chains end in: the bundle of the leaf's trust domain (X509-SVID §5.1, Federation §7.3).

use super::{Change, Corpus, Presented};
use crate::x509::{
    authority::Authority,
    draft::{self, utc},
    extension::{
        ANY_USAGE, BASIC_CONSTRAINTS, CLIENT_AUTH, KEY_USAGE, SERVER_AUTH, SUBJECT_ALT_NAME, SUBJECT_KEY_ID,
        UNKNOWN, Usage, basic_constraints, extended_key_usage, extension, key_usage,
    },
    keys::Key,
};

pub(super) fn add(corpus: &mut Corpus) {
    bundles(corpus);
    good(corpus);
    bad(corpus);
}

/// The usual leaf by this authority, before it.
fn of(corpus: &Corpus, anchor: &Authority) -> Presented {
    corpus.presented(anchor.sign(&corpus.svid().below(&anchor.key.spki))).before([anchor])
}

fn bundles(corpus: &mut Corpus) {
    let root = corpus.root.clone();
    let other = corpus.root_named("other", |draft| draft);
    let expired =
        corpus.root_named("expired", |draft| draft.valid(utc("200101000000Z"), utc("210101000000Z")));
    corpus.accepts("anchors::two", "A leaf of one of two", of(corpus, &root).before([&other, &root]));
    corpus.accepts(
        "anchors::same-twice",
        "The anchor is there twice",
        of(corpus, &root).before([&root, &root]),
    );
    corpus.accepts(
        "anchors::beside-expired",
        "An expired one beside it changes nothing",
        of(corpus, &root).before([&expired, &root]),
    );
    corpus.refuses(
        "anchors::none",
        "An empty bundle vouches for nobody (bundle §4.1.3)",
        of(corpus, &root).before([]),
    );
    corpus.refuses(
        "anchors::foreign",
        "The bundle has another authority",
        of(corpus, &root).before([&other]),
    );
    corpus.refuses(
        "anchors::foreign-in-chain",
        "Presenting an authority does not make it an anchor",
        of(corpus, &other).before([&root]).above([&other]),
    );
    corpus.refuses(
        "anchors::expired-beside-valid",
        "A leaf of the expired one of two",
        of(corpus, &expired).before([&expired, &root]),
    );
    let key = Key::p256("imposter");
    let imposter = Authority::root(&draft::authority("root", &key), key, &corpus.signatures);
    corpus.refuses(
        "anchors::same-name",
        "An authority of the anchor's name with another key",
        of(corpus, &imposter).before([&root]),
    );
    let renamed =
        Authority::root(&draft::authority("renamed", &root.key), Key::p256("root"), &corpus.signatures);
    corpus.refuses(
        "anchors::same-key",
        "An authority of the anchor's key with another name",
        of(corpus, &renamed).before([&root]),
    );
    let intermediate = corpus.below(&root, "intermediate", |draft| draft);
    corpus.accepts(
        "anchors::not-self-signed",
        "An anchor need not sign itself (bundle §4.2.2 asks it of producers)",
        of(corpus, &intermediate),
    );
    corpus.refuses(
        "anchors::below-the-bundle",
        "What the anchor's issuer signs is not below the anchor",
        of(corpus, &root).before([&intermediate]),
    );
}

fn good(corpus: &mut Corpus) {
    let cases: [(&str, &str, Change<'_>); 7] = [
        ("without-key-usage", "Without key usage it may sign (RFC 5280 §6.1.4 n)", &|it| {
            it.without(KEY_USAGE)
        }),
        ("without-id", "An authority need not be an SVID (§3.2)", &|it| it.without(SUBJECT_ALT_NAME)),
        ("without-subject-key-id", "An identifier is a hint", &|it| it.without(SUBJECT_KEY_ID)),
        ("with-extended-usage", "It may have an extended key usage (§4.4)", &|it| {
            it.with(extended_key_usage(false, &[SERVER_AUTH, CLIENT_AUTH]))
        }),
        ("with-any-extended-usage", "Of any kind", &|it| it.with(extended_key_usage(false, &[ANY_USAGE]))),
        ("with-unknown-extension", "An extension that nobody must know", &|it| {
            it.with(extension(UNKNOWN, false, &[5, 0]))
        }),
        ("that-also-signs", "It may sign other things too", &|it| {
            it.having(key_usage(true, &[Usage::DigitalSignature, Usage::KeyCertSign]))
        }),
    ];
    for (case, why, change) in cases {
        let anchor = corpus.root_named("good", change);
        corpus.accepts(&format!("anchors::{case}"), why, of(corpus, &anchor));
    }
}

fn bad(corpus: &mut Corpus) {
    let cases: [(&str, &str, Change<'_>); 9] = [
        (
            "expired",
            "It has expired: nothing below it is valid (RFC 5280 §6.1.3 a, limbo rfc5280::validity)",
            &|it| it.valid(utc("200101000000Z"), utc("210101000000Z")),
        ),
        ("expired-by-a-second", "By one second", &|it| it.valid(utc("200101000000Z"), utc("260614235959Z"))),
        ("not-yet-valid", "It is not valid yet", &|it| it.valid(utc("300101000000Z"), utc("310101000000Z"))),
        ("no-ca", "It is no authority (§4.1)", &|it| it.having(basic_constraints(false, None))),
        ("no-basic-constraints", "It is no authority, by default", &|it| it.without(BASIC_CONSTRAINTS)),
        ("no-key-cert-sign", "It may sign no certificates (§4.3)", &|it| {
            it.having(key_usage(true, &[Usage::CrlSign]))
        }),
        ("leaf-usages", "It has the usages of a leaf", &|it| {
            it.having(key_usage(true, &[Usage::DigitalSignature]))
        }),
        ("unknown-critical", "A critical extension that nobody knows", &|it| {
            it.with(extension(UNKNOWN, true, &[5, 0]))
        }),
        ("version-1", "A certificate of version 1 says nothing of its use", &|mut it| {
            it.version = None;
            it.extensions.clear();
            it
        }),
    ];
    for (case, why, change) in cases {
        let anchor = corpus.root_named("bad", change);
        corpus.refuses(&format!("anchors::{case}"), why, of(corpus, &anchor));
    }
}
