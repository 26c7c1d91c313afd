//! Selectors: the properties a workload or a node was attested to have.

use std::{cmp::Ordering, fmt, str::FromStr};

#[cfg(test)]
mod tests;

/// One property of a workload or node, such as `unix:uid:1000`: a type and a value.
///
/// `Debug` shows the type only: values name paths, users and images, which do not belong in logs.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Selector {
    /// `type:value` in one piece: servers hold millions of selectors. The type has no colon, so the first one ends it.
    text: Box<str>,
}

impl Selector {
    /// A selector of this type (`unix`) with this value (`uid:1000`).
    ///
    /// # Errors
    /// [`SelectorError`] when either is empty or the type has a colon.
    pub fn new(kind: impl AsRef<str>, value: impl AsRef<str>) -> Result<Self, SelectorError> {
        let (kind, value) = (kind.as_ref(), value.as_ref());
        if kind.is_empty() {
            return Err(SelectorError::NoType(value.to_owned()));
        }
        if kind.contains(':') {
            return Err(SelectorError::ColonInType(kind.to_owned()));
        }
        if value.is_empty() {
            return Err(SelectorError::NoValue(kind.to_owned()));
        }
        Ok(Self { text: [kind, ":", value].concat().into() })
    }

    /// Parses `type:value`; the value may hold more colons.
    ///
    /// # Errors
    /// [`SelectorError`] when the colon, the type or the value is missing.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        match text.split_once(':') {
            Some((kind, value)) => Self::new(kind, value),
            None => Err(SelectorError::NoType(text.to_owned())),
        }
    }

    /// The type: the name of the attestor that found it.
    pub fn kind(&self) -> &str {
        self.parts().0
    }

    /// The value, which is the attestor's own.
    pub fn value(&self) -> &str {
        self.parts().1
    }

    fn parts(&self) -> (&str, &str) {
        self.text.split_once(':').unwrap_or((&self.text, ""))
    }
}

/// By type, then value; the whole text would put `a-b:1` before `a:1`.
impl Ord for Selector {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts().cmp(&other.parts())
    }
}

impl PartialOrd for Selector {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        Self::parse(text)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Selector({}:…)", self.kind())
    }
}

/// Why a text is no selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// There is no type before the value.
    #[error("selector has no type: `{0}`; write type:value, such as unix:uid:1000")]
    NoType(String),
    /// The type has a colon, which would be read as the end of it.
    #[error("selector type has a colon: `{0}`")]
    ColonInType(String),
    /// There is no value after the type.
    #[error("selector of type `{0}` has no value; write type:value, such as unix:uid:1000")]
    NoValue(String),
}

/// Selectors without duplicates, in order. Made once and read often, so it takes no more memory than they do.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SelectorSet(Box<[Selector]>);

impl SelectorSet {
    /// Whether every selector of this set is in the other. The empty set is a subset of every set.
    pub fn is_subset_of(&self, other: &SelectorSet) -> bool {
        let mut rest = other.0.iter();
        self.0.iter().all(|wanted| rest.by_ref().find(|candidate| *candidate >= wanted) == Some(wanted))
    }

    /// Whether the selector is in the set.
    pub fn contains(&self, selector: &Selector) -> bool {
        self.0.binary_search(selector).is_ok()
    }

    /// The selectors by type, then value.
    pub fn iter(&self) -> std::slice::Iter<'_, Selector> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Selector> for SelectorSet {
    fn from_iter<I: IntoIterator<Item = Selector>>(selectors: I) -> Self {
        let mut sorted: Vec<_> = selectors.into_iter().collect();
        sorted.sort_unstable();
        sorted.dedup();
        Self(sorted.into())
    }
}

impl Extend<Selector> for SelectorSet {
    fn extend<I: IntoIterator<Item = Selector>>(&mut self, selectors: I) {
        *self = std::mem::take(self).into_iter().chain(selectors).collect();
    }
}

impl IntoIterator for SelectorSet {
    type Item = Selector;
    type IntoIter = std::vec::IntoIter<Selector>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_vec().into_iter()
    }
}

impl<'a> IntoIterator for &'a SelectorSet {
    type Item = &'a Selector;
    type IntoIter = std::slice::Iter<'a, Selector>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
