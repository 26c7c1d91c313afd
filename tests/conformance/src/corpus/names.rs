//! Which names a leaf has, how many and in which order (X509-SVID §2, §5.2).

use super::{Corpus, ID};
use crate::x509::{
    der::{UTF8_STRING, sequence, tlv},
    draft::{self, name},
    extension::{
        ISSUER_ALT_NAME, SUBJECT_ALT_NAME, alt_names, directory, dns, email, extension, ip, other_name,
        registered_id, uri, uri_of_parts,
    },
};

const ANOTHER: &str = "spiffe://example.org/another";

pub(super) fn add(corpus: &mut Corpus) {
    accepted(corpus);
    refused(corpus);
    elsewhere(corpus);
}

fn accepted(corpus: &mut Corpus) {
    let id = || uri(ID);
    for (case, why, names) in [
        ("id-alone", "The ID alone", vec![id()]),
        ("id-then-dns", "Names of other types may stand beside it (§2)", vec![id(), dns("example.org")]),
        ("dns-then-id", "Their order does not matter", vec![dns("example.org"), id()]),
        ("dns-around-id", "A DNS name before it and one after it", vec![dns("a.test"), id(), dns("b.test")]),
        (
            "wildcard-dns",
            "A wildcard is none of a SPIFFE verifier's business",
            vec![id(), dns("*.example.org")],
        ),
        ("ipv4", "An IPv4 address", vec![ip(&[192, 0, 2, 1]), id()]),
        ("ipv6", "An IPv6 address", vec![id(), ip(&[0; 16])]),
        ("email", "An email address", vec![email("workload@example.org"), id()]),
        ("directory-name", "A directory name", vec![directory(&name("workload")), id()]),
        ("registered-id", "A registered ID", vec![registered_id("1.2.3.4"), id()]),
        ("other-name", "A name of a type that nobody knows", vec![other_name("workload"), id()]),
        ("id-of-another-as-dns", "What looks like an ID is none in a DNS name", vec![dns(ANOTHER), id()]),
        ("id-of-another-as-email", "Nor in an email address", vec![email(ANOTHER), id()]),
        ("id-of-another-as-other-name", "Nor in a name of an unknown type", vec![other_name(ANOTHER), id()]),
        (
            "sixty-four-dns-names",
            "Many names of another type",
            (0..64).map(|n| dns(&format!("n{n}.example.org"))).chain([id()]).collect(),
        ),
    ] {
        let leaf = draft::named(&names, &corpus.key).below(&corpus.root.key.spki);
        corpus.accepts(&format!("names::{case}"), why, corpus.signed(&leaf));
    }
    let critical = corpus.svid().having(alt_names(true, &[uri(ID)]));
    corpus.accepts(
        "names::critical",
        "The extension may be critical beside a subject",
        corpus.signed(&critical),
    );
    let no_subject = critical.of(sequence(&[]));
    corpus.accepts(
        "names::critical-without-subject",
        "Without a subject it is critical (§3.1)",
        corpus.signed(&no_subject),
    );
}

fn refused(corpus: &mut Corpus) {
    let id = || uri(ID);
    for (case, why, names) in [
        ("empty", "A list of no names", vec![]),
        ("dns-alone", "There must be a URI name (§2)", vec![dns("example.org")]),
        ("id-as-dns", "An ID in a DNS name is none", vec![dns(ID)]),
        ("id-as-email", "An ID in an email address is none", vec![email(ID)]),
        ("id-as-other-name", "An ID in a name of an unknown type is none", vec![other_name(ID)]),
        ("id-as-directory-name", "An ID in a directory name is none", vec![directory(&name(ID))]),
        ("two-ids", "More than one URI name is refused (§5.2)", vec![id(), uri(ANOTHER)]),
        ("same-id-twice", "The same one twice is two", vec![id(), id()]),
        ("id-then-https", "A URI of another scheme counts as well", vec![id(), uri("https://example.org/")]),
        ("https-then-id", "Whichever comes first", vec![uri("https://example.org/"), id()]),
        ("id-then-urn", "A URI without an authority counts as well", vec![id(), uri("urn:example:workload")]),
        ("id-then-empty-uri", "So does an empty one", vec![id(), uri("")]),
        ("empty-uri-then-id", "Whichever comes first", vec![uri(""), id()]),
        (
            "id-of-another-domain-second",
            "The second is of another domain",
            vec![id(), uri("spiffe://other.test/a")],
        ),
        (
            "id-of-another-domain-first",
            "The first is of another domain",
            vec![uri("spiffe://other.test/a"), id()],
        ),
        (
            "two-ids-around-dns",
            "Two URI names that do not stand together",
            vec![id(), dns("a.test"), uri(ANOTHER)],
        ),
        ("seventeen-ids", "Many URI names", (0..17).map(|n| uri(&format!("{ID}/{n}"))).collect()),
        (
            "uri-of-parts",
            "A URI name with the tag of a constructed value (X.690 §8.21)",
            vec![uri_of_parts(ID)],
        ),
    ] {
        let leaf = draft::named(&names, &corpus.key).below(&corpus.root.key.spki);
        corpus.refuses(&format!("names::{case}"), why, corpus.signed(&leaf));
    }
}

/// IDs that stand somewhere else, or twice.
fn elsewhere(corpus: &mut Corpus) {
    let none = corpus.svid().without(SUBJECT_ALT_NAME);
    corpus.refuses("names::no-extension", "There must be a URI name (§2)", corpus.signed(&none));
    let in_subject = none.clone().of(name(ID));
    corpus.refuses("names::id-as-common-name", "An ID in the subject is none", corpus.signed(&in_subject));
    let of_issuer = none.clone().with(extension(ISSUER_ALT_NAME, false, &sequence(&[&uri(ID)])));
    corpus.refuses(
        "names::id-of-issuer",
        "The issuer's names are not the subject's",
        corpus.signed(&of_issuer),
    );
    let twice = corpus.svid().with(alt_names(false, &[uri(ANOTHER)]));
    corpus.refuses(
        "names::two-extensions",
        "Two extensions with an ID each; no extension may occur twice (RFC 5280 §4.2)",
        corpus.signed(&twice),
    );
    let same_twice = corpus.svid().with(alt_names(false, &[uri(ID)]));
    corpus.refuses("names::same-extension-twice", "The same extension twice", corpus.signed(&same_twice));
    let second_of_dns = corpus.svid().with(alt_names(false, &[dns("example.org")]));
    corpus.refuses(
        "names::second-extension-of-dns",
        "A second extension without a URI name",
        corpus.signed(&second_of_dns),
    );
    let unmarked = corpus.svid().of(sequence(&[]));
    corpus.refuses(
        "names::not-critical-without-subject",
        "Without a subject the names must be critical (§3.1, RFC 5280 §4.1.2.6)",
        corpus.signed(&unmarked),
    );
    let text = none.with(extension(SUBJECT_ALT_NAME, false, &tlv(UTF8_STRING, ID.as_bytes())));
    corpus.refuses(
        "names::text-for-a-list",
        "The extension holds a text and no list of names",
        corpus.signed(&text),
    );
}
