//! How many authorities may stand below another (RFC 5280 §4.2.1.9).

use super::{Corpus, Presented};
use crate::x509::{
    authority::Authority,
    der::{INTEGER, TRUE, sequence, tlv},
    draft::Draft,
    extension::{BASIC_CONSTRAINTS, basic_constraints, extension},
};

pub(super) fn add(corpus: &mut Corpus) {
    // The limits of the anchor and of those below it, top first; none has no limit.
    let cases: [(&str, &[Option<u8>], bool); 12] = [
        ("anchor-0", &[Some(0)], true),
        ("anchor-0-one-below", &[Some(0), None], false),
        ("anchor-1-one-below", &[Some(1), None], true),
        ("anchor-1-two-below", &[Some(1), None, None], false),
        ("anchor-2-two-below", &[Some(2), None, None], true),
        ("intermediate-0", &[None, Some(0)], true),
        ("intermediate-0-one-below", &[None, Some(0), None], false),
        ("intermediate-1-one-below", &[None, Some(1), None], true),
        ("intermediate-1-two-below", &[None, Some(1), None, None], false),
        ("growing", &[Some(1), Some(5)], true),
        ("growing-too-late", &[Some(1), Some(5), Some(5)], false),
        ("lowest-0", &[None, None, Some(0)], true),
    ];
    for (case, limits, accepted) in cases {
        let presented = below(corpus, limits);
        let id = format!("path-lengths::{case}");
        match accepted {
            true => corpus.accepts(&id, "No authority has more below it than it may", presented),
            false => corpus.refuses(&id, "One authority has more below it than it may", presented),
        }
    }
    for (case, why, length) in [
        ("negative", "A length is no negative number", &[0xff][..]),
        ("empty", "A number has at least one byte", &[]),
        ("with-leading-zero", "A number has no byte that says nothing (X.690 §8.3.2)", &[0, 1]),
    ] {
        let odd = extension(BASIC_CONSTRAINTS, true, &sequence(&[TRUE, &tlv(INTEGER, length)]));
        let root = corpus.root.clone();
        let bad = corpus.below(&root, "bad", |draft| draft.having(odd));
        let leaf = corpus.presented(bad.sign(&corpus.svid().below(&bad.key.spki)));
        corpus.refuses(&format!("path-lengths::{case}"), why, leaf.above([&bad]));
    }
}

/// A chain of authorities with these limits, and the usual leaf.
fn below(corpus: &Corpus, limits: &[Option<u8>]) -> Presented {
    let limited = |draft: Draft, limit| draft.having(basic_constraints(true, limit));
    let mut line: Vec<Authority> = Vec::new();
    for (number, limit) in limits.iter().enumerate() {
        let name = format!("limited {number}");
        line.push(match line.last() {
            None => corpus.root_named(&name, |draft| limited(draft, *limit)),
            Some(above) => corpus.below(above, &name, |draft| limited(draft, *limit)),
        });
    }
    let issuer = &line[line.len() - 1];
    let leaf = corpus.presented(issuer.sign(&corpus.svid().below(&issuer.key.spki)));
    leaf.before([&line[0]]).above(line[1..].iter().rev())
}
