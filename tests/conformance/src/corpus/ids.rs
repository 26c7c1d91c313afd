//! What the one URI name says (SPIFFE-ID §2).

use super::Corpus;
use crate::x509::{draft, extension::uri_bytes};

pub(super) fn add(corpus: &mut Corpus) {
    for (case, why, id) in ACCEPTED {
        add_one(corpus, case, why, id.as_bytes(), true);
    }
    for (case, why, id) in REFUSED {
        add_one(corpus, case, why, id, false);
    }
    let path = |length: usize| format!("spiffe://example.org/{}", "a".repeat(length - 21));
    let name = |length: usize| format!("spiffe://{}/a", "a".repeat(length));
    add_one(corpus, "2048-bytes", "The longest ID there is (§2.3)", path(2048).as_bytes(), true);
    add_one(corpus, "2049-bytes", "One byte more than the longest ID", path(2049).as_bytes(), false);
    add_one(corpus, "20000-bytes", "Much more than the longest ID", path(20_000).as_bytes(), false);
    add_one(
        corpus,
        "trust-domain-of-256-bytes",
        "One byte more than the longest trust domain",
        name(256).as_bytes(),
        false,
    );
}

fn add_one(corpus: &mut Corpus, case: &str, why: &str, id: &[u8], accepted: bool) {
    let leaf = draft::named(&[uri_bytes(id)], &corpus.key).below(&corpus.root.key.spki);
    let presented = corpus.signed(&leaf).naming(&String::from_utf8_lossy(id));
    let case = format!("ids::{case}");
    match accepted {
        true => corpus.accepts(&case, why, presented),
        false => corpus.refuses(&case, why, presented),
    }
}

const ACCEPTED: &[(&str, &str, &str)] = &[
    ("one-letter", "The shortest path", "spiffe://example.org/a"),
    ("every-character", "Every character that a segment may have (§2.2)", "spiffe://example.org/azAZ09.-_"),
    ("three-dots", "A segment of three dots is none of the two special ones", "spiffe://example.org/..."),
    ("leading-dot", "A segment may begin with a dot", "spiffe://example.org/.a"),
    ("leading-dots", "Or with two", "spiffe://example.org/..a"),
    ("trailing-dots", "Or end with two", "spiffe://example.org/a.."),
    ("deep", "Many segments", "spiffe://example.org/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z"),
    ("upper-case-path", "The path tells upper from lower case (§2.4)", "spiffe://example.org/WORKLOAD"),
    ("reserved-path", "No path means more than others", "spiffe://example.org/spire/server"),
];

const REFUSED: &[(&str, &str, &[u8])] = &[
    ("trust-domain-alone", "A leaf's ID has a path (X509-SVID §5.2)", b"spiffe://example.org"),
    ("root-path", "A path of one slash is none", b"spiffe://example.org/"),
    ("trailing-slash", "No slash at the end (§2.2)", b"spiffe://example.org/workload/"),
    ("empty-segment", "No empty segment (§2.2)", b"spiffe://example.org//workload"),
    ("empty-segment-inside", "No empty segment (§2.2)", b"spiffe://example.org/a//workload"),
    ("dot-segment", "No segment of one dot (§2.2)", b"spiffe://example.org/./workload"),
    ("dot-dot-segment", "No segment of two dots (§2.2)", b"spiffe://example.org/a/../workload"),
    ("dot-dot-at-end", "No segment of two dots (§2.2)", b"spiffe://example.org/workload/.."),
    (
        "dot-dot-to-another-domain",
        "It does not lead out of the domain",
        b"spiffe://example.org/../other.test/a",
    ),
    ("no-scheme", "The scheme is spiffe (§2)", b"example.org/workload"),
    ("no-scheme-but-slashes", "The scheme is spiffe", b"//example.org/workload"),
    ("https", "The scheme is spiffe", b"https://example.org/workload"),
    ("urn", "The scheme is spiffe", b"urn:spiffe:example.org:workload"),
    ("longer-scheme", "The scheme is spiffe", b"spiffex://example.org/workload"),
    ("shorter-scheme", "The scheme is spiffe", b"spiff://example.org/workload"),
    ("upper-case-scheme", "In lower case (§2.1)", b"SPIFFE://example.org/workload"),
    ("mixed-case-scheme", "In lower case (§2.1)", b"Spiffe://example.org/workload"),
    ("no-slashes", "Two slashes follow it", b"spiffe:example.org/workload"),
    ("one-slash", "Two slashes follow it", b"spiffe:/example.org/workload"),
    ("three-slashes", "The trust domain is not empty (§2)", b"spiffe:///workload"),
    ("back-slashes", "A back slash is no slash", b"spiffe:\\\\example.org\\workload"),
    ("empty", "An empty URI", b""),
    ("scheme-alone", "The trust domain is not empty", b"spiffe://"),
    ("upper-case-domain", "A trust domain is in lower case (§2.1)", b"spiffe://EXAMPLE.org/workload"),
    ("userinfo", "No user (§2.1)", b"spiffe://user@example.org/workload"),
    ("empty-userinfo", "Not even an empty one", b"spiffe://@example.org/workload"),
    ("userinfo-of-the-domain", "The host is what follows the @", b"spiffe://example.org@other.test/workload"),
    ("port", "No port (§2.1)", b"spiffe://example.org:443/workload"),
    ("empty-port", "Not even an empty one", b"spiffe://example.org:/workload"),
    ("ipv6-host", "No address in brackets (§2.1)", b"spiffe://[::1]/workload"),
    ("percent-in-domain", "No escapes in the trust domain (§2.1)", b"spiffe://ex%61mple.org/workload"),
    ("percent-slash-in-domain", "No escapes in the trust domain", b"spiffe://example.org%2fworkload"),
    ("percent-in-path", "No escapes in the path (§2.2)", b"spiffe://example.org/%77orkload"),
    ("percent-slash-in-path", "No escapes in the path", b"spiffe://example.org/a%2fworkload"),
    ("percent-dots", "No escapes in the path", b"spiffe://example.org/a/%2e%2e/workload"),
    ("percent-nul", "No escapes in the path", b"spiffe://example.org/workload%00"),
    ("query", "No query (§2)", b"spiffe://example.org/workload?a=b"),
    ("empty-query", "Not even an empty one", b"spiffe://example.org/workload?"),
    ("query-after-domain", "No query", b"spiffe://example.org?/workload"),
    ("fragment", "No fragment (§2)", b"spiffe://example.org/workload#a"),
    ("empty-fragment", "Not even an empty one", b"spiffe://example.org/workload#"),
    ("fragment-after-domain", "No fragment", b"spiffe://example.org#/workload"),
    ("leading-space", "No space", b" spiffe://example.org/workload"),
    ("trailing-space", "No space", b"spiffe://example.org/workload "),
    ("space-inside", "No space", b"spiffe://example.org/work load"),
    ("trailing-newline", "No control character", b"spiffe://example.org/workload\n"),
    ("newline-inside", "No control character", b"spiffe://example.org/work\nload"),
    ("tab-inside", "No control character", b"spiffe://example.org/work\tload"),
    ("nul-at-end", "No NUL", b"spiffe://example.org/workload\0"),
    ("nul-in-path", "What stands before a NUL is not the name", b"spiffe://example.org/workload\0.other"),
    (
        "nul-in-domain",
        "What stands before a NUL is not the name",
        b"spiffe://example.org\0.other.test/workload",
    ),
    ("nul-at-start", "No NUL", b"\0spiffe://example.org/workload"),
    ("tilde", "A character that was allowed once", b"spiffe://example.org/~workload"),
    ("colon", "A character that was allowed once", b"spiffe://example.org/sa:workload"),
    ("at-sign", "A character that was allowed once", b"spiffe://example.org/me@work"),
    ("asterisk", "No wildcard", b"spiffe://example.org/*"),
    ("asterisk-in-domain", "No wildcard", b"spiffe://*.org/workload"),
    ("comma", "No comma", b"spiffe://example.org/workload,spiffe://example.org/another"),
    ("utf8-path", "No Unicode in the path (the URI has UTF-8)", b"spiffe://example.org/caf\xc3\xa9"),
    ("latin1-path", "No byte above 127", b"spiffe://example.org/caf\xe9"),
    ("utf8-domain", "No Unicode in the trust domain", b"spiffe://ex\xc3\xa4mple.org/workload"),
    ("kelvin-sign", "The sign U+212A becomes a k in lower case", b"spiffe://example.org/wor\xe2\x84\xaaload"),
    ("cyrillic-a", "A letter that looks like another", b"spiffe://ex\xd0\xb0mple.org/workload"),
    ("full-width-slash", "A sign that looks like a slash", b"spiffe://example.org\xef\xbc\x8fworkload"),
    ("zero-width-space", "A sign that nobody sees", b"spiffe://example.org/work\xe2\x80\x8bload"),
    ("byte-order-mark", "A mark that nobody sees", b"\xef\xbb\xbfspiffe://example.org/workload"),
    ("overlong-slash", "UTF-8 in a form that is too long", b"spiffe://example.org/a\xc0\xafworkload"),
    ("utf16", "Two bytes a character", b"\0s\0p\0i\0f\0f\0e\0:\0/\0/\0e\0x\0.\0o\0r\0g\0/\0a"),
    // The bundle is that of example.org.
    (
        "other-domain",
        "The bundle of another domain does not vouch for it (Federation §7.3)",
        b"spiffe://other.test/workload",
    ),
    ("domain-below", "A name below the domain's is another domain", b"spiffe://a.example.org/workload"),
    ("domain-above", "The name above the domain's is another domain", b"spiffe://org/workload"),
    (
        "domain-begins-alike",
        "A domain that begins with the same letters",
        b"spiffe://example.organic/workload",
    ),
    ("domain-ends-alike", "A domain that ends with the same letters", b"spiffe://myexample.org/workload"),
    ("domain-with-dot", "A dot at the end makes another domain (§2.1)", b"spiffe://example.org./workload"),
    ("domain-with-dash", "One sign makes another domain", b"spiffe://example-org/workload"),
    ("punycode-domain", "Nothing is decoded", b"spiffe://xn--example-.org/workload"),
];
