//! The grammar: what matches, what does not, and what is refused.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::{UriPatternError, UriPatterns};

fn matches(pattern: &str, uri: &str) -> bool {
    UriPatterns::parse([pattern]).unwrap().matches(uri)
}

#[test]
fn these_match() {
    for (pattern, uri) in [
        ("spiffe://a/b", "spiffe://a/b"),
        ("spiffe://a/b/", "spiffe://a/b"),
        ("spiffe://a/b", "spiffe://a/b/"),
        ("spiffe://a/*", "spiffe://a/b"),
        ("spiffe://a/*/c", "spiffe://a/b/c"),
        ("spiffe://*/c", "spiffe://a/c"),
        ("spiffe://a/ns/*/sa/*", "spiffe://a/ns/b/sa/c"),
        ("spiffe://a/**", "spiffe://a"),
        ("spiffe://a/**", "spiffe://a/"),
        ("spiffe://a/**", "spiffe://a/b"),
        ("spiffe://a/**", "spiffe://a/b/c/d"),
        ("spiffe://a/*/**", "spiffe://a/b"),
        ("spiffe://a/**/", "spiffe://a/b/c"),
        ("**", "spiffe://a/b"),
        ("**", ""),
    ] {
        assert!(matches(pattern, uri), "{pattern} must match {uri}");
    }
}

#[test]
fn these_do_not_match() {
    for (pattern, uri) in [
        ("spiffe://a/b", "spiffe://a/B"),
        ("spiffe://a/b", "spiffe://a/b/c"),
        ("spiffe://a/b/c", "spiffe://a/b"),
        ("spiffe://a/b", "xspiffe://a/b"),
        ("spiffe://a/*", "spiffe://a"),
        ("spiffe://a/*", "spiffe://a/"),
        ("spiffe://a/*", "spiffe://a/b/c"),
        ("spiffe://a/*/c", "spiffe://a//c"),
        ("spiffe://a/**", "spiffe://a.evil/b"),
        ("spiffe://a/**", "spiffe://ab"),
        ("spiffe://a/*/**", "spiffe://a"),
        ("spiffe://a/b.c", "spiffe://a/bxc"),
        ("*", "spiffe://a/b"),
    ] {
        assert!(!matches(pattern, uri), "{pattern} must not match {uri}");
    }
}

#[test]
fn these_are_refused_in_the_words_of_ghostunnel() {
    for (pattern, rule, text) in [
        ("", UriPatternError::Empty, "input pattern was empty string"),
        (
            "spiffe://a/b*",
            UriPatternError::PartOfSegment,
            "wildcard '*' can only appear between two separators",
        ),
        (
            "spiffe://a*/b",
            UriPatternError::PartOfSegment,
            "wildcard '*' can only appear between two separators",
        ),
        (
            "spiffe://a/*b*",
            UriPatternError::PartOfSegment,
            "wildcard '*' can only appear between two separators",
        ),
        ("spiffe://a/**/b", UriPatternError::NotAtEnd, "wildcard '**' can only appear at end of pattern"),
        ("**/b", UriPatternError::NotAtEnd, "wildcard '**' can only appear at end of pattern"),
        ("spiffe://a/b**", UriPatternError::NotAtEnd, "wildcard '**' can only appear at end of pattern"),
    ] {
        let error = UriPatterns::parse([pattern]).unwrap_err();
        assert_eq!((error, error.to_string().as_str()), (rule, text), "{pattern}");
    }
}

#[test]
fn a_list_matches_when_one_of_it_does_and_an_empty_list_never() {
    let patterns = UriPatterns::parse(["spiffe://a/x", "spiffe://a/y/*"]).unwrap();
    assert!(patterns.matches("spiffe://a/y/z") && !patterns.matches("spiffe://a/y"));
    assert!(!UriPatterns::parse([""; 0]).unwrap().matches("spiffe://a/x"));
}
