//! Environment variables in a configuration.

/// Replaces `$NAME` and `${NAME}` by what `lookup` gives, and `$$` by `$`, as SPIRE's `-expandEnv` does over the
/// whole text before it is parsed, comments included. A name that `lookup` does not know becomes nothing; a `$` without
/// a name stays.
///
/// As with Go's `os.Expand`, the one character after `$` is a whole name when the shell has such a variable (`$1`,
/// `$?`, …), and what is no name in braces is left out: `${}`, and the `${` that nothing closes.
pub fn expand_env(text: &str, lookup: impl Fn(&str) -> Option<String>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let (name, remainder) = name(after);
        match name {
            Name::None => expanded.push('$'),
            Name::Broken => {}
            Name::Of("$") => expanded.push('$'),
            Name::Of(name) => expanded.push_str(&lookup(name).unwrap_or_default()),
        }
        rest = remainder;
    }
    expanded.push_str(rest);
    expanded
}

/// What follows a `$`.
enum Name<'a> {
    /// A variable.
    Of(&'a str),
    /// A brace without a variable.
    Broken,
    /// Something else.
    None,
}

/// The name at the beginning of `after`, and what follows it.
fn name(after: &str) -> (Name<'_>, &str) {
    if let Some(braced) = after.strip_prefix('{') {
        return match braced.split_once('}') {
            Some(("", rest)) => (Name::Broken, rest),
            Some((name, rest)) => (Name::Of(name), rest),
            None => (Name::Broken, braced),
        };
    }
    let end = match after.chars().next() {
        Some(c) if is_special(c) => 1,
        _ => after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len()),
    };
    match after.split_at(end) {
        ("", rest) => (Name::None, rest),
        (name, rest) => (Name::Of(name), rest),
    }
}

/// The variables of a shell that have one character.
fn is_special(c: char) -> bool {
    matches!(c, '*' | '#' | '$' | '@' | '!' | '?' | '-' | '0'..='9')
}
