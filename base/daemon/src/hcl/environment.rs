//! Environment variables in a configuration.

/// Replaces `$NAME` and `${NAME}` by what `lookup` gives, and `$$` by `$`, as SPIRE's `-expandEnv` does over the
/// whole text before it is parsed. A name that `lookup` does not know becomes nothing; a `$` without a name stays.
pub fn expand_env(text: &str, lookup: impl Fn(&str) -> Option<String>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let (replacement, remainder) = variable(after, &lookup);
        expanded.push_str(&replacement);
        rest = remainder;
    }
    expanded.push_str(rest);
    expanded
}

/// What replaces a `$` and the name `after` it, and what follows.
fn variable(after: &str, lookup: impl Fn(&str) -> Option<String>) -> (String, &str) {
    if let Some(rest) = after.strip_prefix('$') {
        return ("$".to_owned(), rest);
    }
    if let Some((name, rest)) = after.strip_prefix('{').and_then(|after| after.split_once('}')) {
        return (lookup(name).unwrap_or_default(), rest);
    }
    let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
    // A digit is a whole name in a shell, and so it is here.
    let end = if after.starts_with(|c: char| c.is_ascii_digit()) { 1 } else { end };
    match after.split_at(end) {
        ("", rest) => ("$".to_owned(), rest),
        (name, rest) => (lookup(name).unwrap_or_default(), rest),
    }
}
