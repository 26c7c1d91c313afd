//! Texts as the ancestor splits them, and those that it refuses.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::{SplitError, split};

#[test]
fn texts_are_split_as_the_ancestor_splits_them() {
    for (text, arguments) in [
        ("", &[][..]),
        ("\n", &[]),
        ("one", &["one"]),
        ("-flag1 value1 -flag2 value2", &["-flag1", "value1", "-flag2", "value2"]),
        (r#"-c "SELECT pg_reload_conf();""#, &["-c", "SELECT pg_reload_conf();"]),
        (r#""a ""quoted"" word" b"#, &[r#"a "quoted" word"#, "b"]),
        (r#""""#, &[""]),
        (r#""""""#, &["\""]),
        ("it's 'not quoted'", &["it's", "'not", "quoted'"]),
        (r"a\ b", &[r"a\", "b"]),
        ("two  spaces ", &["two", "", "spaces", ""]),
        (" leading", &["", "leading"]),
        ("tab\tis none", &["tab\tis", "none"]),
        ("\"line\nbreak\" b\n", &["line\nbreak", "b"]),
        ("ü “ñ”", &["ü", "“ñ”"]),
    ] {
        assert_eq!(split(text).unwrap(), arguments, "{text:?}");
    }
}

#[test]
fn texts_that_the_ancestor_refuses_at_each_start_are_refused_at_once() {
    for (text, error) in [
        (r#"a"b"#, SplitError::Bare(r#"a"b"#.to_owned())),
        (r#"--name="x y""#, SplitError::Bare(r#"--name="x"#.to_owned())),
        (r#""a"b"#, SplitError::Followed('b')),
        (r#""a"ü"#, SplitError::Followed('ü')),
        (r#"-flag1 "value 1"#, SplitError::Open),
        (r#"""""#, SplitError::Open),
        ("one\ntwo", SplitError::Break),
        ("\"one\"\ntwo", SplitError::Break),
    ] {
        assert_eq!(split(text).unwrap_err(), error, "{text:?}");
    }
}
