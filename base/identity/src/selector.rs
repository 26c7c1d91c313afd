//! Selectors: the properties a workload or a node was attested to have.

use std::{collections::BTreeSet, fmt, str::FromStr};

#[cfg(test)]
mod tests;

/// One property of a workload or node, such as `unix:uid:1000`: a type and a value.
///
/// `Debug` shows the type only: values name paths, users and images, which do not belong in logs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selector {
    kind: String,
    value: String,
}

impl Selector {
    /// A selector of this type (`unix`) with this value (`uid:1000`).
    ///
    /// # Errors
    /// [`SelectorError`] when either is empty or the type has a colon.
    pub fn new(kind: impl Into<String>, value: impl Into<String>) -> Result<Self, SelectorError> {
        let (kind, value) = (kind.into(), value.into());
        if kind.is_empty() {
            return Err(SelectorError::NoType(value));
        }
        if kind.contains(':') {
            return Err(SelectorError::ColonInType(kind));
        }
        if value.is_empty() {
            return Err(SelectorError::NoValue(kind));
        }
        Ok(Self { kind, value })
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
        &self.kind
    }

    /// The value, which is the attestor's own.
    pub fn value(&self) -> &str {
        &self.value
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
        write!(f, "{}:{}", self.kind, self.value)
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Selector({}:…)", self.kind)
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

/// Selectors without duplicates, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SelectorSet(BTreeSet<Selector>);

impl SelectorSet {
    /// Whether every selector of this set is in the other. The empty set is a subset of every set.
    pub fn is_subset_of(&self, other: &SelectorSet) -> bool {
        self.0.is_subset(&other.0)
    }

    /// Whether the selector is in the set.
    pub fn contains(&self, selector: &Selector) -> bool {
        self.0.contains(selector)
    }

    /// The selectors by type, then value.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Selector> {
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
        Self(selectors.into_iter().collect())
    }
}

impl Extend<Selector> for SelectorSet {
    fn extend<I: IntoIterator<Item = Selector>>(&mut self, selectors: I) {
        self.0.extend(selectors);
    }
}

impl IntoIterator for SelectorSet {
    type Item = Selector;
    type IntoIter = std::collections::btree_set::IntoIter<Selector>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a SelectorSet {
    type Item = &'a Selector;
    type IntoIter = std::collections::btree_set::Iter<'a, Selector>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
