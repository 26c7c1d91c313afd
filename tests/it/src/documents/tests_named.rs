//! Names of tests, as documents have them in backticks.

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

#[test]
fn names_of_tests_are_told_from_other_code() {
    let text = "`a_b_c_d`, `a_b`, `rule_5_…` and `A::MAX`";
    assert_eq!(Named::in_text(text).map(Named::as_str).collect::<Vec<_>>(), ["a_b_c_d", "rule_5_…"]);
}
