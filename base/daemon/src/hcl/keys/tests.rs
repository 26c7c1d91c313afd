//! What becomes of keys that are known and not served.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::{Key, KeyState};
use crate::hcl::parse;

const KEYS: &[Key] = &[
    Key::works("server.port", "8081"),
    Key::not_yet("server.audit", "false"),
    Key::not_yet("server.hostname", "true"),
    Key::not_yet("server.cidrs", "[]"),
    Key::not_yet("server.batch", "1000"),
    Key::not_yet("server.opa", ""),
    Key::not_yet("server.telemetry", "{}"),
    Key::not_yet("server.opa.path", ""),
    Key::new("server.pipe", "", KeyState::Never("use a socket")),
    Key::new("server.cache", "5s", KeyState::NoEffect("it is always current")),
];

fn taken(text: &str) -> Result<Vec<String>, String> {
    let mut block = parse(text, "f").unwrap();
    let notes = block.take_unserved(KEYS, "server").map_err(|error| error.to_string())?;
    assert_eq!(block.remaining().collect::<Vec<_>>(), Vec::<&str>::new(), "{text}");
    Ok(notes)
}

#[test]
fn names_and_blocks_are_told_apart() {
    let key = KEYS[7];
    assert_eq!((key.name(), key.block()), ("path", "server.opa"));
    let top = Key::not_yet("telemetry", "");
    assert_eq!((top.name(), top.block()), ("telemetry", ""));
}

#[test]
fn value_that_asks_for_nothing_is_taken() {
    for text in [
        "audit = false",
        "audit = \"\"",
        "hostname = true",
        "cidrs = []",
        "batch = 1000",
        "batch = \"1000\"",
        "telemetry {}",
        "pipe = \"\"",
        "cache = \"5s\"",
        "{\"audit\": null}",
    ] {
        assert_eq!(taken(text), Ok(Vec::new()), "{text}");
    }
}

#[test]
fn whatever_asks_for_something_is_refused_with_place_and_remedy() {
    for (text, refusal) in [
        ("audit = true", "f:1:1: audit is not supported yet: remove it"),
        ("\n hostname = false", "f:2:2: hostname is not supported yet: remove it"),
        ("cidrs = [\"10.0.0.0/8\"]", "f:1:1: cidrs is not supported yet: remove it"),
        ("batch = 7", "f:1:1: batch is not supported yet: remove it"),
        ("opa {}", "f:1:1: opa is not supported yet: remove it"),
        ("telemetry { x {} }", "f:1:1: telemetry is not supported yet: remove it"),
        ("opa { path = 1 }", "f:1:1: opa is not supported yet: remove it"),
        ("pipe = \"x\"", "f:1:1: pipe is not supported: use a socket"),
        (
            "pipe = \"x\" audit = 1",
            "f:1:1: pipe is not supported: use a socket\nf:1:12: audit is not supported yet: remove it",
        ),
    ] {
        assert_eq!(taken(text).unwrap_err(), refusal);
    }
}

#[test]
fn what_has_no_effect_is_told() {
    assert_eq!(
        taken("cache = \"6s\""),
        Ok(vec!["f:1:1: cache has no effect: it is always current".to_owned()])
    );
}

#[test]
fn what_is_passed_over_is_told_with_the_nearest_key() {
    let mut block = parse("prot = 1\nother = 2", "f").unwrap();
    block.take::<u16>("port").unwrap();
    assert_eq!(
        block.pass_over(),
        [
            "f:1:1: unknown key \"prot\" at the top level (did you mean \"port\"?); it has no effect",
            "f:2:1: unknown key \"other\" at the top level: remove it, or check the spelling; it has no effect",
        ]
    );
    block.finish().unwrap();
}
