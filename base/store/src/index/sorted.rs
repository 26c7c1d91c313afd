//! A sorted set whose copies share what is the same in them: chunks of pointers, one word an item.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::sync::Arc;

/// Items in order. A clone costs one count; a change to it copies the list of chunks and the one chunk that it touches,
/// and nothing when nobody shares them. A tree of nodes would take a hundred bytes an item and set.
#[derive(Clone, Debug)]
pub(super) struct Sorted<T> {
    /// None is empty, none is longer than [`LONGEST`], and each ends before the next begins.
    chunks: Arc<Vec<Arc<Vec<T>>>>,
    len: usize,
}

/// The items of a chunk: more make a change dearer, fewer make the list of chunks longer, which each change copies too.
const LONGEST: usize = 256;

impl<T> Default for Sorted<T> {
    fn default() -> Self {
        Self { chunks: Arc::default(), len: 0 }
    }
}

impl<T> Sorted<T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// The items from the first one on that is not before what is looked for.
    pub(super) fn iter_from(&self, is_before: impl Fn(&T) -> bool) -> impl Iterator<Item = &T> {
        let (chunk, place) = self.find(is_before);
        let first = self.chunks.get(chunk).map_or(&[][..], |chunk| &chunk[place..]);
        let rest = self.chunks.iter().skip(chunk + 1).flat_map(|chunk| chunk.iter());
        first.iter().chain(rest)
    }

    /// The item that compares equal, where `compare` says how an item stands to what is looked for.
    pub(super) fn get(&self, compare: impl Fn(&T) -> Ordering) -> Option<&T> {
        let (chunk, place) = self.find(|item| compare(item).is_lt());
        self.chunks.get(chunk)?.get(place).filter(|item| compare(item).is_eq())
    }

    /// The chunk and the place in it of the first item that is not before; the end of the last chunk when all are.
    fn find(&self, is_before: impl Fn(&T) -> bool) -> (usize, usize) {
        let begun = self.chunks.partition_point(|chunk| chunk.first().is_some_and(&is_before));
        let Some(chunk) = begun.checked_sub(1) else { return (0, 0) };
        let place = self.chunks[chunk].partition_point(&is_before);
        if place == self.chunks[chunk].len() && begun < self.chunks.len() {
            (begun, 0)
        } else {
            (chunk, place)
        }
    }
}

impl<T: Clone + Ord> Sorted<T> {
    /// Adds the item, in the place of one that is equal.
    pub(super) fn insert(&mut self, item: T) {
        let begun = self.chunks.partition_point(|chunk| chunk.first().is_some_and(|first| *first <= item));
        let chunks = Arc::make_mut(&mut self.chunks);
        let at = begun.saturating_sub(1);
        let Some(chunk) = chunks.get_mut(at) else {
            chunks.push(Arc::new(vec![item]));
            self.len = 1;
            return;
        };
        let chunk = Arc::make_mut(chunk);
        match chunk.binary_search(&item) {
            Ok(place) => {
                chunk[place] = item;
                return;
            }
            Err(place) => chunk.insert(place, item),
        }
        self.len += 1;
        if chunk.len() > LONGEST {
            // What is filled in order leaves full chunks behind.
            let last = begun == chunks.len();
            let chunk = Arc::make_mut(&mut chunks[at]);
            let half = chunk.split_off(if last { LONGEST } else { LONGEST / 2 });
            chunks.insert(at + 1, Arc::new(half));
        }
    }

    /// Removes the item that compares equal, if there is one.
    pub(super) fn remove(&mut self, compare: impl Fn(&T) -> Ordering) -> Option<T> {
        let (at, place) = self.find(|item| compare(item).is_lt());
        self.chunks.get(at)?.get(place).filter(|item| compare(item).is_eq())?;
        let chunks = Arc::make_mut(&mut self.chunks);
        let chunk = Arc::make_mut(&mut chunks[at]);
        let item = chunk.remove(place);
        let is_empty = chunk.is_empty();
        let rest = chunk.len();
        if is_empty {
            chunks.remove(at);
        } else if let Some(next) = chunks.get(at + 1)
            && rest + next.len() <= LONGEST / 2
        {
            let next = chunks.remove(at + 1);
            Arc::make_mut(&mut chunks[at]).extend(next.iter().cloned());
        }
        self.len -= 1;
        Some(item)
    }
}
