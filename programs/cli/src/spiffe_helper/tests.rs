//! Flags as Go's package flag reads them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::{Asked, read};

fn asked(line: &str) -> Result<Asked, String> {
    read(line.split_whitespace().map(Into::into))
}

fn run(config: &str, daemon_mode: Option<bool>) -> Result<Asked, String> {
    Ok(Asked::Run { config: config.into(), daemon_mode })
}

#[test]
fn flags_are_read_as_go_reads_them() {
    assert_eq!(asked(""), run("helper.conf", None));
    assert_eq!(asked("-config a.conf"), run("a.conf", None));
    assert_eq!(asked("--config=a.conf -daemon-mode=false"), run("a.conf", Some(false)));
    assert_eq!(asked("-daemon-mode -config a"), run("a", Some(true)));
    // A boolean takes no word of its own, and flags end with the first word that is none.
    assert_eq!(asked("-daemon-mode false -config a"), run("helper.conf", Some(true)));
    assert_eq!(asked("-- -config a"), run("helper.conf", None));
    assert_eq!(asked("-version"), Ok(Asked::Version));
    for line in ["-help", "-h", "--help", "-help -version"] {
        assert_eq!(asked(line), Ok(Asked::Help), "{line}");
    }
}

#[test]
fn wrong_flags_are_told_as_go_tells_them() {
    for (line, expected) in [
        ("-confg a", "flag provided but not defined: -confg"),
        ("-exitWhenReady", "flag provided but not defined: -exitWhenReady"),
        ("-config", "flag needs an argument: -config"),
        ("-daemon-mode=maybe", "invalid boolean value \"maybe\" for -daemon-mode: parse error"),
        ("---config", "bad flag syntax: ---config"),
        ("-=a", "bad flag syntax: -=a"),
    ] {
        assert_eq!(asked(line), Err(expected.to_owned()), "{line}");
    }
}
