//! The set against the standard library's, whatever is done to it in whatever order.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;

use super::{LONGEST, Sorted};

fn check(set: &Sorted<u32>, expected: &BTreeSet<u32>) {
    assert_eq!(set.len(), expected.len());
    assert_eq!(set.is_empty(), expected.is_empty());
    assert!(set.iter().eq(expected.iter()));
    assert!(set.chunks.iter().all(|chunk| !chunk.is_empty() && chunk.len() <= LONGEST));
}

#[test]
fn it_holds_what_an_ordinary_set_holds_and_earlier_copies_stay_as_they_were() {
    for seed in 0..20 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut set, mut expected) = (Sorted::default(), BTreeSet::new());
        let mut earlier: Vec<(Sorted<u32>, BTreeSet<u32>)> = Vec::new();
        let range = [50, 2_000, 100_000][random.usize(..3)];
        for step in 0..4_000 {
            let item = random.u32(..range);
            // First it grows, then it shrinks to nothing.
            if random.u32(..4_000) > step {
                set.insert(item);
                expected.insert(item);
            } else {
                let near = expected.range(item..).next().copied().unwrap_or(item);
                assert_eq!(set.remove(|other| other.cmp(&near)).is_some(), expected.remove(&near));
            }
            assert_eq!(set.get(|other| other.cmp(&item)), expected.get(&item));
            if step % 500 == 0 {
                assert!(set.iter_from(|other| *other < item).eq(expected.range(item..)));
                earlier.push((set.clone(), expected.clone()));
            }
        }
        check(&set, &expected);
        earlier.iter().for_each(|(set, expected)| check(set, expected));
        for item in expected {
            assert_eq!(set.remove(|other| other.cmp(&item)), Some(item));
        }
        check(&set, &BTreeSet::new());
    }
}

#[test]
fn what_is_filled_in_order_is_packed() {
    let mut set = Sorted::default();
    (0..10_000).for_each(|item| set.insert(item));
    assert!(set.chunks.len() <= 10_000 / LONGEST + 1);
    assert_eq!(set.iter_from(|item| *item < 9_998).collect::<Vec<_>>(), [&9_998, &9_999]);
    assert_eq!(set.iter_from(|item| *item < 10_000).count(), 0);
}

#[test]
fn an_item_takes_the_place_of_one_that_is_equal() {
    #[derive(Clone, Debug)]
    struct Named(u32, &'static str);
    impl PartialEq for Named {
        fn eq(&self, other: &Self) -> bool {
            self.0 == other.0
        }
    }
    impl Eq for Named {}
    impl PartialOrd for Named {
        fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
            Some(self.cmp(other))
        }
    }
    impl Ord for Named {
        fn cmp(&self, other: &Self) -> std::cmp::Ordering {
            self.0.cmp(&other.0)
        }
    }
    let mut set = Sorted::default();
    set.insert(Named(1, "old"));
    set.insert(Named(1, "new"));
    assert_eq!((set.len(), set.get(|item| item.0.cmp(&1)).unwrap().1), (1, "new"));
}
