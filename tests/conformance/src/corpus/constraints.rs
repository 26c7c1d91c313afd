//! Constraints on the names below an authority (RFC 5280 §4.2.1.10, X509-SVID §4.2).

use super::{Corpus, ID};
use crate::x509::{
    der::{explicit, sequence},
    draft::{self, name},
    extension::{
        Extension, NAME_CONSTRAINTS, directory, dns, email, extension, ip, name_constraints, other_name,
        registered_id, uri,
    },
};

pub(super) fn add(corpus: &mut Corpus) {
    let (net, address) = ([192, 0, 2, 0, 255, 255, 255, 0], [192, 0, 2, 1]);
    let id = || uri(ID);
    for (case, why, constraint, names, accepted) in [
        (
            "dns-permitted",
            "The DNS name is within",
            permit(dns("example.org")),
            vec![id(), dns("a.example.org")],
            true,
        ),
        (
            "dns-permitted-itself",
            "The name itself is within",
            permit(dns("example.org")),
            vec![id(), dns("example.org")],
            true,
        ),
        (
            "dns-not-permitted",
            "The DNS name is outside",
            permit(dns("example.org")),
            vec![id(), dns("other.test")],
            false,
        ),
        (
            "dns-ends-alike",
            "Only whole labels count",
            permit(dns("example.org")),
            vec![id(), dns("myexample.org")],
            false,
        ),
        (
            "dns-excluded",
            "The DNS name is excluded",
            exclude(dns("example.org")),
            vec![id(), dns("a.example.org")],
            false,
        ),
        (
            "dns-excluded-in-other-case",
            "Case does not matter in DNS",
            exclude(dns("example.org")),
            vec![id(), dns("EXAMPLE.ORG")],
            false,
        ),
        (
            "dns-not-excluded",
            "Another is excluded",
            exclude(dns("other.test")),
            vec![id(), dns("example.org")],
            true,
        ),
        (
            "dns-second-excluded",
            "One of two is excluded",
            exclude(dns("b.test")),
            vec![dns("a.test"), id(), dns("b.test")],
            false,
        ),
        (
            "dns-without-dns-name",
            "A constraint on names that the leaf has not",
            permit(dns("other.test")),
            vec![id()],
            true,
        ),
        (
            "dns-of-the-id",
            "The ID's trust domain is no DNS name",
            exclude(dns("example.org")),
            vec![id()],
            true,
        ),
        ("ip-permitted", "The address is within", permit(ip(&net)), vec![id(), ip(&address)], true),
        (
            "ip-not-permitted",
            "The address is outside",
            permit(ip(&net)),
            vec![id(), ip(&[198, 51, 100, 1])],
            false,
        ),
        ("ip-excluded", "The address is excluded", exclude(ip(&net)), vec![id(), ip(&address)], false),
        (
            "ip-with-bad-mask",
            "A mask with a hole",
            permit(ip(&[192, 0, 2, 0, 255, 0, 255, 0])),
            vec![id(), ip(&address)],
            false,
        ),
        (
            "ip-of-five-bytes",
            "No address has five bytes",
            permit(ip(&[192, 0, 2, 0, 255])),
            vec![id(), ip(&address)],
            false,
        ),
        ("uri-permitted", "The ID is within (§4.2)", permit(uri("example.org")), vec![id()], true),
        ("uri-not-permitted", "The ID is outside", permit(uri("other.test")), vec![id()], false),
        ("uri-excluded", "The ID is excluded", exclude(uri("example.org")), vec![id()], false),
        ("uri-not-excluded", "Another is excluded", exclude(uri("other.test")), vec![id()], true),
        (
            "uri-below-permitted",
            "A name below one that is permitted, which begins with a dot",
            permit(uri(".org")),
            vec![id()],
            true,
        ),
        (
            "uri-below-not-permitted",
            "The permitted names are those below it, not itself",
            permit(uri(".example.org")),
            vec![id()],
            false,
        ),
        (
            "uri-with-scheme",
            "A constraint is a host, and no URI",
            permit(uri("spiffe://example.org")),
            vec![id()],
            false,
        ),
        (
            "email-not-permitted",
            "The address is outside",
            permit(email("other.test")),
            vec![id(), email("a@example.org")],
            false,
        ),
        (
            "directory-not-permitted",
            "The leaf's subject is outside",
            permit(directory(&name("other"))),
            vec![id()],
            false,
        ),
        (
            "directory-excluded",
            "The leaf's subject is excluded",
            exclude(directory(&name("workload"))),
            vec![id()],
            false,
        ),
        (
            "registered-id-excluded",
            "What nobody evaluates refuses the chain",
            exclude(registered_id("1.2.3.4")),
            vec![id(), registered_id("1.2.3.4")],
            false,
        ),
        (
            "other-name-excluded",
            "What nobody evaluates refuses the chain",
            exclude(other_name("a")),
            vec![id(), other_name("a")],
            false,
        ),
    ] {
        add_one(corpus, case, why, constraint, &names, accepted);
    }
    let empty = extension(NAME_CONSTRAINTS, true, &sequence(&[]));
    add_one(
        corpus,
        "empty",
        "Constraints of no kind, which RFC 5280 §4.2.1.10 forbids to issuers, constrain nothing",
        empty,
        &[id()],
        true,
    );
    let minimum = explicit(0, &sequence(&[&dns("example.org"), &[0x80, 1, 1]]));
    let minimum = extension(NAME_CONSTRAINTS, true, &sequence(&[&minimum]));
    add_one(corpus, "with-minimum", "A minimum other than 0", minimum, &[id(), dns("example.org")], false);
    let lax = name_constraints(false, &[], &[dns("example.org")]);
    add_one(
        corpus,
        "not-critical",
        "Not critical, and heeded all the same",
        lax,
        &[id(), dns("example.org")],
        false,
    );
}

fn permit(name: Vec<u8>) -> Extension {
    name_constraints(true, &[name], &[])
}

fn exclude(name: Vec<u8>) -> Extension {
    name_constraints(true, &[], &[name])
}

/// The constraint in the anchor, and again in an intermediate.
fn add_one(
    corpus: &mut Corpus,
    case: &str,
    why: &str,
    constraint: Extension,
    names: &[Vec<u8>],
    accepted: bool,
) {
    let anchor = corpus.root_named("constrained", |draft| draft.with(constraint.clone()));
    let leaf = draft::named(names, &corpus.key);
    let by_anchor = corpus.presented(anchor.sign(&leaf.clone().below(&anchor.key.spki))).before([&anchor]);
    let root = corpus.root.clone();
    let intermediate = corpus.below(&root, "constrained", |draft| draft.with(constraint));
    let by_intermediate =
        corpus.presented(intermediate.sign(&leaf.below(&intermediate.key.spki))).above([&intermediate]);
    for (place, presented) in [("anchor", by_anchor), ("intermediate", by_intermediate)] {
        let id = format!("constraints::{case}-in-{place}");
        match accepted {
            true => corpus.accepts(&id, why, presented),
            false => corpus.refuses(&id, why, presented),
        }
    }
}
