//! Why no rule over URIs matches, by the one that comes closest.

use finial_tls::UriPatterns;

use crate::AccessFlags;

pub(super) fn is_match(pattern: &str, uri: &str) -> bool {
    UriPatterns::parse([pattern]).is_ok_and(|patterns| patterns.matches(uri))
}

/// The rule that shares the most segments with `uri`, and where they part; a trust domain that no rule names comes first.
pub(super) fn explain(patterns: &[String], uri: &str, access: &AccessFlags) -> Vec<String> {
    let closest = patterns.iter().rev().max_by_key(|pattern| shared(pattern, uri));
    let mut reasons = match closest {
        None => vec![format!("no rule is over URIs, such as {uri}")],
        Some(closest) if shared(closest, uri) <= SCHEME => vec![format!(
            "its trust domain is `{}`, and no rule has that; the first rule is {}",
            authority(uri),
            patterns.first().map_or("", String::as_str),
        )],
        Some(closest) => {
            vec![format!("no rule matches {uri}; the closest is {closest}, {}", parting(closest, uri))]
        }
    };
    if !access.dns_names.is_empty() || !access.common_names.is_empty() {
        reasons.push("none of the rules over other names is met by what is known".to_owned());
    }
    reasons
}

/// The segments `spiffe:` and the empty one after it.
const SCHEME: usize = 2;

fn shared(pattern: &str, uri: &str) -> usize {
    let pairs = pattern.split('/').zip(uri.split('/'));
    pairs.take_while(|(pattern, segment)| matches!(*pattern, "*" | "**") || pattern == segment).count()
}

fn authority(uri: &str) -> &str {
    uri.split('/').nth(SCHEME).unwrap_or_default()
}

fn parting(pattern: &str, uri: &str) -> String {
    let at = shared(pattern, uri);
    match (pattern.split('/').nth(at), uri.split('/').nth(at)) {
        (Some(expected), Some(found)) => format!("which has `{expected}` where this has `{found}`"),
        (Some(expected), None) => format!("which goes on with `{expected}`"),
        (None, Some(found)) => format!("which ends before `{found}`"),
        (None, None) => "which is of another form".to_owned(),
    }
}
