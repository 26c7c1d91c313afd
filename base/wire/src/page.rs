//! Lists in pages.

/// Which part of a list is wanted. `K` is what the list is sorted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<K> {
    /// Most items wanted; none: all of them.
    pub size: Option<usize>,
    /// The last item of the previous page; none: from the beginning.
    pub after: Option<K>,
}

impl<K> Page<K> {
    /// The whole list.
    pub fn everything() -> Self {
        Self { size: None, after: None }
    }
}

impl<K: Ord> Page<K> {
    /// Cuts this page out of items that come sorted by key.
    pub fn cut<T>(&self, sorted: impl IntoIterator<Item = T>, key: impl Fn(&T) -> K) -> Paged<T> {
        let mut rest =
            sorted.into_iter().filter(|item| self.after.as_ref().is_none_or(|after| key(item) > *after));
        let items: Vec<T> = rest.by_ref().take(self.size.unwrap_or(usize::MAX)).collect();
        Paged { items, more: rest.next().is_some() }
    }
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paged<T> {
    /// The items, sorted by what [`Page::after`] names.
    pub items: Vec<T>,
    /// Whether the list goes on after the last of them.
    pub more: bool,
}

#[cfg(test)]
mod tests;
