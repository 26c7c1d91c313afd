//! When a leaf is valid, and how that is written (RFC 5280 §4.1.2.5).

use super::Corpus;
use crate::x509::draft::{generalized, utc};

const NOON: &str = "2026-06-15T12:00:00+00:00";

pub(super) fn add(corpus: &mut Corpus) {
    let start = || utc("260615120000Z");
    let end = || utc("270615120000Z");
    let far = || generalized("20600101000000Z");
    for (case, why, from, to) in [
        ("first-second", "The first second counts", start(), end()),
        ("last-second", "The last second counts", utc("250615120000Z"), start()),
        ("one-second", "It is valid for this second only", start(), start()),
        ("year-2049", "The last year of the short form", start(), utc("491231235959Z")),
        ("year-1950", "The first year of the short form", utc("500101000000Z"), end()),
        ("year-2050", "From 2050 the long form", start(), generalized("20500101000000Z")),
        ("no-expiry", "A time that means never", start(), generalized("99991231235959Z")),
        ("leap-day", "A day that not every year has", utc("240229000000Z"), far()),
    ] {
        let leaf = corpus.svid().valid(from, to);
        corpus.accepts(&format!("validity::{case}"), why, corpus.signed(&leaf).at(NOON));
    }
    for (case, why, from, to) in [
        ("not-yet", "It begins a second later", utc("260615120001Z"), end()),
        ("over", "It ended a second before", utc("250615120000Z"), utc("260615115959Z")),
        ("long-over", "It ended years before", utc("100101000000Z"), utc("110101000000Z")),
        ("ends-before-it-begins", "It is never valid", utc("260616000000Z"), utc("260614000000Z")),
        ("in-the-century-before", "The year 76 is 1976", utc("500101000000Z"), utc("760101000000Z")),
        ("no-seconds", "The short form has seconds", utc("2606151200Z"), end()),
        ("with-offset", "Only Greenwich's time", utc("260615120000+0000"), end()),
        ("without-zone", "Only Greenwich's time", utc("260615120000"), end()),
        ("fraction", "No fractions of seconds", start(), generalized("20600101000000.5Z")),
        ("thirtieth-of-february", "There is no such day", utc("260230000000Z"), end()),
        ("month-13", "There is no such month", utc("261301000000Z"), end()),
        ("hour-24", "There is no such hour", utc("260614240000Z"), end()),
        ("letters", "No digits", utc("26O615120000Z"), end()),
        ("empty", "No time at all", utc(""), end()),
    ] {
        let leaf = corpus.svid().valid(from, to);
        corpus.refuses(&format!("validity::{case}"), why, corpus.signed(&leaf).at(NOON));
    }
}
