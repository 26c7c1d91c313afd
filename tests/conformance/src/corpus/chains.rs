//! Chains of more than a leaf: in any order, with too much and too little (RFC 5280 §6.1).

use super::{Change, Corpus, Presented};
use crate::x509::{
    authority::Authority,
    draft::{Draft, authority, name, svid, utc},
    extension::{
        BASIC_CONSTRAINTS, KEY_USAGE, POLICY_CONSTRAINTS, SUBJECT_ALT_NAME, UNKNOWN, Usage, alt_names,
        basic_constraints, extension, key_usage, uri,
    },
    keys::Key,
};

pub(super) fn add(corpus: &mut Corpus) {
    orders(corpus);
    lengths(corpus);
    loops(corpus);
    crossings(corpus);
    bad_intermediates(corpus);
    odd_intermediates(corpus);
    issuers(corpus);
}

/// The usual leaf below this authority, alone before `root`.
fn leaf_of(corpus: &Corpus, issuer: &Authority) -> Presented {
    corpus.presented(issuer.sign(&corpus.svid().below(&issuer.key.spki)))
}

fn orders(corpus: &mut Corpus) {
    let root = corpus.root.clone();
    let upper = corpus.below(&root, "upper", |draft| draft);
    let middle = corpus.below(&upper, "middle", |draft| draft);
    let lower = corpus.below(&middle, "lower", |draft| draft);
    let stranger = corpus.root_named("stranger", |draft| draft);
    let leaf = leaf_of(corpus, &lower);
    let itself = lower.certified(leaf.leaf.clone());
    for (case, why, above) in [
        ("in-order", "Three authorities, each above the one before", vec![&lower, &middle, &upper]),
        ("reversed", "The other way around", vec![&upper, &middle, &lower]),
        ("shuffled", "In no order", vec![&middle, &lower, &upper]),
        ("with-root", "The anchor is in the chain too", vec![&lower, &middle, &upper, &root]),
        ("root-first", "The anchor comes first", vec![&root, &lower, &middle, &upper]),
        (
            "each-twice",
            "Each certificate comes twice",
            vec![&lower, &lower, &middle, &middle, &upper, &upper],
        ),
        ("with-stranger", "One that leads nowhere", vec![&stranger, &lower, &middle, &upper]),
        ("leaf-again", "The leaf is there again", vec![&itself, &lower, &middle, &upper]),
    ] {
        corpus.accepts(&format!("chains::{case}"), why, leaf.clone().above(above));
    }
    for (case, why, above) in [
        ("none-above", "Nothing leads to the anchor", vec![]),
        ("lowest-missing", "The leaf's issuer is missing", vec![&middle, &upper]),
        ("middle-missing", "One in the middle is missing", vec![&lower, &upper]),
        ("highest-missing", "The one below the anchor is missing", vec![&lower, &middle]),
        ("stranger-alone", "There is only one that leads nowhere", vec![&stranger]),
    ] {
        corpus.refuses(&format!("chains::{case}"), why, leaf.clone().above(above));
    }
}

fn lengths(corpus: &mut Corpus) {
    for count in [1, 2, 4, 6, 16, 40] {
        let mut line = vec![corpus.root.clone()];
        for number in 0..count {
            let next = corpus.below(&line[number], &format!("number {number}"), |draft| draft);
            line.push(next);
        }
        let presented = leaf_of(corpus, &line[count]).above(line[1..].iter().rev());
        let case = format!("chains::{count}-intermediates");
        match count <= 6 {
            true => corpus.accepts(&case, "A chain that is sound", presented),
            false => corpus.refuses(&case, "Longer than any verifier should follow", presented),
        }
    }
    let root = corpus.root.clone();
    let many = vec![&root; 20];
    corpus.refuses(
        "chains::root-twenty-times",
        "More certificates than anyone presents",
        leaf_of(corpus, &root).above(many),
    );
}

/// Authorities that certify each other.
fn loops(corpus: &mut Corpus) {
    let root = corpus.root.clone();
    let lost = corpus.root_named("lost", |draft| draft);
    let one = corpus.below(&lost, "one", |draft| draft);
    let two = corpus.below(&one, "two", |draft| draft);
    let one_again = corpus.below(&two, "one", |draft| draft);
    let leaf = leaf_of(corpus, &one_again);
    corpus.refuses("chains::loop", "Two that certify each other", leaf.clone().above([&one_again, &two]));
    let anchored = corpus.below(&root, "one", |draft| draft);
    corpus.accepts(
        "chains::loop-with-a-way-out",
        "Two that certify each other, one of them certified by the anchor as well",
        leaf.above([&one_again, &two, &anchored]),
    );
    let itself = corpus.root_named("self", |draft| draft);
    corpus.refuses(
        "chains::self-signed-above",
        "One that certifies itself",
        leaf_of(corpus, &itself).above([&itself]),
    );
    let circle: Vec<Authority> = ["a", "b", "c", "d", "e"]
        .iter()
        .zip(["b", "c", "d", "e", "a"])
        .map(|(name, above)| {
            let above = corpus.root_named(above, |draft| draft);
            corpus.below(&above, name, |draft| draft)
        })
        .collect();
    corpus.refuses("chains::circle-of-five", "Five in a circle", leaf_of(corpus, &circle[0]).above(&circle));
    let mesh: Vec<Authority> = (0..14)
        .map(|number| {
            let above = corpus.root_named("mesh", |draft| draft);
            corpus.below(&above, "mesh", |draft| draft.with(extension(UNKNOWN, false, &[number])))
        })
        .collect();
    corpus.refuses(
        "chains::mesh",
        "Fourteen certificates of one name and key: many paths, none to the anchor",
        leaf_of(corpus, &mesh[0]).above(&mesh),
    );
}

/// More than one certificate for an authority.
fn crossings(corpus: &mut Corpus) {
    let root = corpus.root.clone();
    let other = corpus.root_named("other", |draft| draft);
    let by_root = corpus.below(&root, "crossed", |draft| draft);
    let by_other = corpus.below(&other, "crossed", |draft| draft);
    let leaf = leaf_of(corpus, &by_root);
    corpus.accepts(
        "chains::cross-signed",
        "The second certificate leads to the anchor",
        leaf.clone().above([&by_other, &by_root]),
    );
    corpus.accepts(
        "chains::cross-signed-either",
        "Both lead to an anchor",
        leaf.clone().above([&by_other, &by_root]).before([&root, &other]),
    );
    corpus.refuses(
        "chains::cross-signed-elsewhere",
        "The one that leads to the anchor is missing",
        leaf.clone().above([&by_other]),
    );
    let expired = corpus.below(&root, "crossed", |draft| draft.valid(time("200101"), time("210101")));
    corpus.accepts(
        "chains::expired-beside-valid",
        "One certificate has expired, the other has not",
        leaf.clone().above([&expired, &by_root]),
    );
    corpus.refuses(
        "chains::expired-beside-foreign",
        "One has expired, the other leads elsewhere",
        leaf.above([&expired, &by_other]),
    );
    let key = Key::p256("second root");
    let second = Authority::root(&authority("root", &key), key, &corpus.signatures);
    let of_second = leaf_of(corpus, &second);
    corpus.accepts(
        "chains::rolled-over",
        "Two anchors of one name, as after a rotation",
        of_second.clone().before([&root, &second]),
    );
    corpus.refuses("chains::before-rollover", "The bundle has only the anchor before", of_second.clone());
    let link = root.certified(root.sign(&authority("root", &second.key)));
    corpus.accepts(
        "chains::rollover-certificate",
        "The old key certifies the new one (RFC 4210 §4.4)",
        of_second.above([&link]),
    );
}

/// Authorities that are none, each between the leaf and the anchor.
fn bad_intermediates(corpus: &mut Corpus) {
    let critical = || extension(UNKNOWN, true, &[5, 0]);
    let cases: [(&str, &str, Change<'_>); 12] = [
        ("no-ca", "Not an authority (RFC 5280 §6.1.4 k)", &|it| it.having(basic_constraints(false, None))),
        ("no-basic-constraints", "Not an authority, by default", &|it| it.without(BASIC_CONSTRAINTS)),
        ("no-key-cert-sign", "It may sign no certificates (§6.1.4 n)", &|it| {
            it.having(key_usage(true, &[Usage::CrlSign]))
        }),
        ("digital-signature-only", "It may sign no certificates", &|it| {
            it.having(key_usage(true, &[Usage::DigitalSignature]))
        }),
        ("expired", "It has expired", &|it| it.valid(time("200101"), time("210101"))),
        ("not-yet-valid", "It is not valid yet", &|it| it.valid(time("300101"), time("310101"))),
        ("unknown-critical", "A critical extension that nobody knows (§4.2)", &|it| it.with(critical())),
        ("version-1", "A certificate of version 1 is no authority", &|mut it| {
            it.version = None;
            it.extensions.clear();
            it
        }),
        ("twice-basic-constraints", "An extension twice", &|it| it.with(basic_constraints(true, None))),
        ("critical-policy-constraints", "Constraints that nobody evaluates", &|it| {
            it.with(extension(POLICY_CONSTRAINTS, true, &[0x30, 3, 0x80, 1, 0]))
        }),
        ("no-ca-but-path-length", "A length does not make an authority", &|it| {
            it.having(basic_constraints(false, Some(3)))
        }),
        ("malformed-extension", "An extension that cannot be read", &|it| {
            it.having(extension(KEY_USAGE, true, &[3]))
        }),
    ];
    let root = corpus.root.clone();
    for (case, why, change) in cases {
        let bad = corpus.below(&root, "bad", change);
        corpus.refuses(&format!("chains::intermediate-{case}"), why, leaf_of(corpus, &bad).above([&bad]));
    }
    let key = Key::p256("workload");
    let workload = root.authority(&corpus.svid(), key);
    corpus.refuses(
        "chains::leaf-of-a-leaf",
        "A workload signs for itself",
        leaf_of(corpus, &workload).above([&workload]),
    );
    let forged = root.certified(corpus.root_named("forger", |it| it).sign(&authority("root", &root.key)));
    corpus.refuses(
        "chains::forged-intermediate",
        "Its signature is by another key",
        leaf_of(corpus, &workload).above([&forged, &workload]),
    );
}

/// Authorities whose names are odd: a verifier does not read them (§3.2).
fn odd_intermediates(corpus: &mut Corpus) {
    let root = corpus.root.clone();
    for (case, why, names) in [
        ("no-id", "An authority need not be an SVID", None),
        ("malformed-id", "As in the standard's own example", Some(vec![uri("spiffe://example.org/")])),
        (
            "id-with-path",
            "Not to be issued, and not looked at",
            Some(vec![uri("spiffe://example.org/authority")]),
        ),
        (
            "two-ids",
            "Not to be issued, and not looked at",
            Some(vec![uri("spiffe://example.org"), uri("spiffe://other.test")]),
        ),
        (
            "id-of-another-domain",
            "What vouches for a leaf is the bundle, not a name on the way",
            Some(vec![uri("spiffe://other.test")]),
        ),
    ] {
        let plain = |draft: Draft| draft.without(SUBJECT_ALT_NAME);
        let odd = corpus.below(&root, "odd", |draft| match names {
            Some(names) => draft.having(alt_names(false, &names)),
            None => plain(draft),
        });
        corpus.accepts(
            &format!("chains::intermediate-with-{case}"),
            why,
            leaf_of(corpus, &odd).above([&odd]),
        );
    }
    let of_another =
        corpus.below(&root, "other", |draft| draft.having(alt_names(false, &[uri("spiffe://other.test")])));
    let leaf = svid("spiffe://other.test/workload", &corpus.key).below(&of_another.key.spki);
    let presented = corpus.presented(of_another.sign(&leaf)).above([&of_another]);
    corpus.refuses(
        "chains::leaf-and-intermediate-of-another-domain",
        "The bundle of example.org vouches for no other domain",
        presented,
    );
}

/// Leaves whose issuer is not who it seems.
fn issuers(corpus: &mut Corpus) {
    let forger = corpus.root_named("forger", |draft| draft);
    let mut leaf = corpus.svid();
    leaf.issuer = Some(corpus.root.name.clone());
    corpus.refuses(
        "chains::right-name-wrong-key",
        "It names the anchor and is signed by another key",
        corpus.presented(forger.sign(&leaf)),
    );
    leaf.issuer = Some(name("another"));
    corpus.refuses(
        "chains::right-key-wrong-name",
        "It is signed by the anchor's key and names another",
        corpus.signed(&leaf),
    );
    let own = Authority::root(&corpus.svid(), Key::p256("workload"), &corpus.signatures);
    corpus.refuses(
        "chains::self-signed-leaf",
        "It certifies itself",
        corpus.presented(own.certificate.clone()),
    );
    corpus.refuses(
        "chains::self-signed-leaf-in-bundle",
        "Nor does it when it is in the bundle: it is no authority",
        corpus.presented(own.certificate.clone()).before([&own]),
    );
    let mut unaware = corpus.svid().below(&forger.key.spki);
    unaware.issuer = None;
    corpus.accepts(
        "chains::wrong-authority-key-id",
        "The identifier is a hint; the signature is the anchor's (RFC 5280 §6.1)",
        corpus.signed(&unaware),
    );
}

fn time(date: &str) -> Vec<u8> {
    utc(&format!("{date}000000Z"))
}
