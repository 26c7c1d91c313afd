//! Paging.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::{Page, Paged};

#[test]
fn pages_cover_a_list_without_gap_or_overlap() {
    let mut after = None;
    let mut seen = Vec::new();
    loop {
        let Paged { items, more } = Page { size: Some(3), after }.cut(1..=7, |n| *n);
        after = items.last().copied();
        seen.extend(items);
        if !more {
            break;
        }
    }
    assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn last_full_page_says_that_it_is_the_last() {
    let page = Page { size: Some(3), after: Some(3) }.cut(1..=6, |n| *n);
    assert_eq!(page, Paged { items: vec![4, 5, 6], more: false });
}

#[test]
fn without_a_size_everything_comes_at_once() {
    assert_eq!(Page::everything().cut(1..=3, |n| *n), Paged { items: vec![1, 2, 3], more: false });
}
