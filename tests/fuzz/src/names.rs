//! SPIFFE IDs, trust domains and selectors, beside the grammar of the specification written out a second time.

use finial_identity::{Selector, SelectorSet, SpiffeId, TrustDomain};

/// An ID is what SPIFFE-ID §2 says, byte for byte, and nothing else.
pub(crate) fn spiffe_id(data: &[u8]) {
    let name = TrustDomain::parse(data).ok();
    assert_eq!(name.is_some(), is_name(data));
    assert!(
        name.is_none_or(|name| name.name().as_bytes() == data && TrustDomain::parse(name.name()) == Ok(name))
    );

    let id = SpiffeId::parse(data).ok();
    assert_eq!(id.is_some(), is_id(data));
    let Some(id) = id else { return };
    assert_eq!(id.as_str().as_bytes(), data);
    let trust_domain = id.trust_domain();
    let segments: Vec<&str> = id.path().split('/').skip(1).collect();
    assert_eq!(SpiffeId::new(&trust_domain, id.path()).as_ref(), Ok(&id));
    assert_eq!(SpiffeId::from_segments(&trust_domain, &segments).as_ref(), Ok(&id));
    assert_eq!(id.has_path(), !segments.is_empty());
    assert!(id.is_member_of(&trust_domain));
    assert_eq!(TrustDomain::from_name_or_id(id.as_str()).as_ref(), Ok(&trust_domain));
}

/// §2.1 to §2.3, without a word in common with the parser.
fn is_id(data: &[u8]) -> bool {
    let Some(rest) = data.strip_prefix(b"spiffe://") else { return false };
    let mut parts = rest.split(|byte| *byte == b'/');
    let is_segment = |segment: &[u8]| {
        let is_dots = segment == b"." || segment == b"..";
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_".contains(byte);
        !segment.is_empty() && !is_dots && segment.iter().all(allowed)
    };
    data.len() <= 2048 && parts.next().is_some_and(is_name) && parts.all(is_segment)
}

fn is_name(data: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(byte);
    (1..=255).contains(&data.len()) && data.iter().all(allowed)
}

/// A line is a selector; what is parsed reads as it was written, and a set has each once and in order.
pub(crate) fn selectors(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let parsed: Vec<Selector> = text.lines().filter_map(selector).collect();
    let set: SelectorSet = parsed.iter().cloned().collect();
    assert!(set.len() <= parsed.len() && set.is_empty() == parsed.is_empty());
    assert!(parsed.iter().all(|selector| set.contains(selector)));
    assert!(set.iter().zip(set.iter().skip(1)).all(|(one, next)| one < next));
    let half: SelectorSet = parsed.iter().step_by(2).cloned().collect();
    assert!(half.is_subset_of(&set) && set.is_subset_of(&set));
    assert_eq!(set.is_subset_of(&half), set == half);
}

fn selector(line: &str) -> Option<Selector> {
    let parsed = Selector::parse(line).ok();
    let is_one = line.split_once(':').is_some_and(|(kind, value)| !kind.is_empty() && !value.is_empty());
    assert_eq!(parsed.is_some(), is_one);
    let selector = parsed?;
    assert_eq!(selector.to_string(), line);
    assert_eq!(Selector::new(selector.kind(), selector.value()).as_ref(), Ok(&selector));
    assert_eq!(format!("{selector:?}"), format!("Selector({}:…)", selector.kind()), "of the type only");
    Some(selector)
}
