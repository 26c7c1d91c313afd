//! Names of tests, as documents have them in backticks, and as the sources have them.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::{root, sources};

/// A test that a document names. One that ends in `_…` stands for all that begin so.
#[derive(Clone, Copy)]
pub(super) struct Named<'a>(&'a str);

impl<'a> Named<'a> {
    /// What looks like the name of a test: words joined by underscores, four at least, in backticks.
    pub(super) fn in_text(text: &'a str) -> impl Iterator<Item = Self> {
        text.split('`').skip(1).step_by(2).filter(|code| Self::looks_like_one(code)).map(Self)
    }

    fn looks_like_one(code: &str) -> bool {
        let name = code.strip_suffix('…').unwrap_or(code);
        let words = name.split('_').filter(|word| !word.is_empty()).count();
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        (words >= 4 || name.len() < code.len() && words >= 2) && name.bytes().all(allowed)
    }

    pub(super) fn as_str(self) -> &'a str {
        self.0
    }

    pub(super) fn is(self, test: &str) -> bool {
        match self.0.strip_suffix('…') {
            Some(beginning) => test.starts_with(beginning),
            None => test == self.0,
        }
    }
}

/// Every function that an attribute with `test` in it stands before, and those of batteries.
pub(super) fn tests_of_the_workspace() -> BTreeSet<String> {
    let mut files = Vec::new();
    for folder in ["base", "flow", "plugins", "programs", "sdk", "tests", "xtask"] {
        sources(&root().join(folder), &mut files);
    }
    let tests_of = |file: &PathBuf| {
        let source = fs::read_to_string(file).unwrap();
        // The functions of a battery are tests of every implementation that runs it.
        let is_battery = file.to_string_lossy().contains("/battery");
        if is_battery {
            source.lines().filter_map(function).map(str::to_owned).collect()
        } else {
            tests_in(&source)
        }
    };
    files.iter().flat_map(tests_of).collect()
}

fn tests_in(source: &str) -> Vec<String> {
    let mut tests = Vec::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[") {
            is_test |= line.contains("test");
        } else if let Some(name) = is_test.then(|| function(line)).flatten() {
            tests.push(name.to_owned());
            is_test = false;
        } else if !line.is_empty() && !line.starts_with("//") {
            is_test = false;
        }
    }
    tests
}

fn function(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?;
    rest.split('(').next()
}

#[test]
fn tests_are_told_from_other_functions() {
    let source =
        "#[test]\nfn one() {}\nfn other() {}\n#[tokio::test(flavor = \"x\")]\n// why\nasync fn two() {}";
    assert_eq!(tests_in(source), ["one", "two"]);
    let text = "`a_b_c_d`, `a_b`, `rule_5_…` and `A::MAX`";
    assert_eq!(Named::in_text(text).map(Named::as_str).collect::<Vec<_>>(), ["a_b_c_d", "rule_5_…"]);
}
