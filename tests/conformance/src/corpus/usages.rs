//! What a leaf says that it is for (X509-SVID §4, §5.2).

use super::{Corpus, ID};
use crate::x509::{
    der::{BIT_STRING, NULL, OCTET_STRING, TRUE, sequence, tlv},
    draft::Draft,
    extension::{
        ANY_USAGE, BASIC_CONSTRAINTS, CLIENT_AUTH, CODE_SIGNING, EXTENDED_KEY_USAGE, Extension, KEY_USAGE,
        SERVER_AUTH, Usage, alt_names, basic_constraints, basic_constraints_false_in_full,
        extended_key_usage, extension, key_usage, uri,
    },
};

use Usage::{CrlSign, DigitalSignature, KeyAgreement, KeyCertSign, KeyEncipherment};

pub(super) fn add(corpus: &mut Corpus) {
    constraints(corpus);
    key_usages(corpus);
    extended(corpus);
    authority_as_leaf(corpus);
}

fn constraints(corpus: &mut Corpus) {
    let none = corpus.svid().without(BASIC_CONSTRAINTS);
    corpus.accepts("usages::no-basic-constraints", "No authority, by default (§4.1)", corpus.signed(&none));
    let lax = corpus.svid().having(extension(BASIC_CONSTRAINTS, false, &sequence(&[])));
    corpus.accepts("usages::basic-constraints-not-critical", "They may be so in a leaf", corpus.signed(&lax));
    for (case, why, constraints) in [
        ("ca", "A leaf is no authority (§5.2)", basic_constraints(true, None)),
        ("ca-of-none", "Not even of none below it", basic_constraints(true, Some(0))),
        ("ca-not-critical", "Critical or not", extension(BASIC_CONSTRAINTS, false, &sequence(&[TRUE]))),
        (
            "no-ca-in-full",
            "The default written out is no DER (X.690 §11.5)",
            basic_constraints_false_in_full(),
        ),
        (
            "ca-of-one",
            "TRUE is 255 in DER (X.690 §11.1)",
            extension(BASIC_CONSTRAINTS, true, &sequence(&[&[1, 1, 1]])),
        ),
        ("basic-constraints-of-nothing", "The extension is empty", extension(BASIC_CONSTRAINTS, true, &[])),
        (
            "basic-constraints-and-more",
            "Something follows them",
            extension(BASIC_CONSTRAINTS, true, &[0x30, 0, 5, 0]),
        ),
    ] {
        refuse(corpus, case, why, constraints);
    }
}

fn key_usages(corpus: &mut Corpus) {
    for (case, why, usage) in [
        ("digital-signature", "It needs no other (§4.3)", key_usage(true, &[DigitalSignature])),
        (
            "key-agreement",
            "It may have this one too (§4.3)",
            key_usage(true, &[DigitalSignature, KeyAgreement]),
        ),
        ("key-encipherment", "And this one", key_usage(true, &[DigitalSignature, KeyEncipherment])),
        (
            "key-usage-not-critical",
            "§4.3 asks that of issuers, §5.2 not of verifiers",
            key_usage(false, &[DigitalSignature]),
        ),
    ] {
        let leaf = corpus.svid().having(usage);
        corpus.accepts(&format!("usages::{case}"), why, corpus.signed(&leaf));
    }
    let none = corpus.svid().without(KEY_USAGE);
    corpus.refuses("usages::no-key-usage", "An SVID has one (§4.3)", corpus.signed(&none));
    for (case, why, usage) in [
        (
            "key-cert-sign",
            "A leaf signs no certificates (§5.2)",
            key_usage(true, &[DigitalSignature, KeyCertSign]),
        ),
        (
            "crl-sign",
            "A leaf signs no revocation lists (§5.2)",
            key_usage(true, &[DigitalSignature, CrlSign]),
        ),
        ("key-cert-and-crl-sign", "Nor both", key_usage(true, &[DigitalSignature, KeyCertSign, CrlSign])),
        ("key-cert-sign-not-critical", "Critical or not", key_usage(false, &[DigitalSignature, KeyCertSign])),
        ("key-cert-sign-alone", "This is an authority's usage", key_usage(true, &[KeyCertSign])),
        (
            "no-digital-signature",
            "A leaf signs handshakes (§4.3)",
            key_usage(true, &[KeyEncipherment, KeyAgreement]),
        ),
        ("no-usage-at-all", "A list of no usages (RFC 5280 §4.2.1.3)", key_usage(true, &[])),
        ("key-usage-of-nothing", "The extension is empty", extension(KEY_USAGE, true, &[])),
        ("key-usage-as-bytes", "Bytes are no bits", extension(KEY_USAGE, true, &tlv(OCTET_STRING, &[0x80]))),
        (
            "key-usage-of-nine-unused-bits",
            "A byte has eight bits",
            extension(KEY_USAGE, true, &tlv(BIT_STRING, &[9, 0x80])),
        ),
        (
            "key-usage-without-count",
            "No count of unused bits",
            extension(KEY_USAGE, true, &tlv(BIT_STRING, &[])),
        ),
    ] {
        refuse(corpus, case, why, usage);
    }
    let twice = corpus.svid().with(key_usage(true, &[DigitalSignature]));
    corpus.refuses(
        "usages::key-usage-twice",
        "No extension may occur twice (RFC 5280 §4.2)",
        corpus.signed(&twice),
    );
    let hidden = corpus.svid().with(key_usage(true, &[KeyCertSign]));
    corpus.refuses(
        "usages::second-key-usage-signs",
        "The second one signs certificates",
        corpus.signed(&hidden),
    );
}

fn extended(corpus: &mut Corpus) {
    let leaf = |corpus: &Corpus, usages: &[&str]| corpus.svid().having(extended_key_usage(false, usages));
    let none = corpus.svid().without(EXTENDED_KEY_USAGE);
    corpus.accepts("usages::no-extended-usage-of-server", "It may be absent (§4.4)", corpus.signed(&none));
    corpus.accepts(
        "usages::no-extended-usage-of-client",
        "It may be absent",
        corpus.signed(&none).by_client(),
    );
    let both = corpus.svid().having(extended_key_usage(true, &[CLIENT_AUTH, SERVER_AUTH]));
    corpus.accepts("usages::critical-extended-usage", "It may be critical (§4.4)", corpus.signed(&both));
    corpus.accepts("usages::both-extended-usages-of-client", "As client", corpus.signed(&both).by_client());
    let more = leaf(corpus, &[CODE_SIGNING, SERVER_AUTH, CLIENT_AUTH]);
    corpus.accepts("usages::more-extended-usages", "It may have others too", corpus.signed(&more));
    let server = leaf(corpus, &[SERVER_AUTH]);
    corpus.accepts(
        "usages::server-as-server",
        "§4.4 asks both of issuers; it fits its role",
        corpus.signed(&server),
    );
    corpus.refuses(
        "usages::server-as-client",
        "It does not fit its role",
        corpus.signed(&server).by_client(),
    );
    let client = leaf(corpus, &[CLIENT_AUTH]);
    corpus.accepts(
        "usages::client-as-client",
        "§4.4 asks both of issuers",
        corpus.signed(&client).by_client(),
    );
    corpus.refuses("usages::client-as-server", "It does not fit its role", corpus.signed(&client));
    for (case, why, usages) in [
        ("code-signing", "It fits no role", &[CODE_SIGNING][..]),
        ("any-usage", "Both must be there by name (§4.4)", &[ANY_USAGE]),
        ("no-extended-usages", "A list of no usages (RFC 5280 §4.2.1.12)", &[]),
    ] {
        let leaf = leaf(corpus, usages);
        corpus.refuses(&format!("usages::{case}-as-server"), why, corpus.signed(&leaf));
        corpus.refuses(&format!("usages::{case}-as-client"), why, corpus.signed(&leaf).by_client());
    }
    refuse(corpus, "extended-usage-of-null", "Not a list", extension(EXTENDED_KEY_USAGE, false, NULL));
}

/// A signing certificate is never an identity (§3.2).
fn authority_as_leaf(corpus: &mut Corpus) {
    let root = corpus.root.clone();
    let intermediate = corpus.below(&root, "intermediate", |draft| draft);
    let presented =
        |corpus: &Corpus, leaf: &[u8]| corpus.presented(leaf.to_vec()).with_key(&intermediate.key);
    corpus.refuses(
        "usages::intermediate-as-leaf",
        "A signing certificate",
        presented(corpus, &intermediate.certificate),
    );
    corpus.refuses(
        "usages::root-as-leaf",
        "The authority itself",
        presented(corpus, &root.certificate).with_key(&root.key),
    );
    let named = |draft: Draft| draft.having(alt_names(false, &[uri(ID)]));
    let with_path = corpus.below(&root, "intermediate", named);
    corpus.refuses(
        "usages::authority-with-path-as-leaf",
        "A signing certificate with a workload's ID",
        presented(corpus, &with_path.certificate),
    );
}

fn refuse(corpus: &mut Corpus, case: &str, why: &str, extension: Extension) {
    let leaf = corpus.svid().having(extension);
    corpus.refuses(&format!("usages::{case}"), why, corpus.signed(&leaf));
}
