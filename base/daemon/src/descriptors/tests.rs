//! The limit of the process is its own test's business, in a process of its own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{limit, raise_limit};
use crate::alone::alone;

#[test]
fn the_soft_limit_becomes_the_hard_one() {
    alone("descriptors::tests::the_soft_limit_becomes_the_hard_one", || {
        let maximum = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum }).unwrap();
        assert_eq!(limit(), Some(64));
        assert_eq!(raise_limit().unwrap(), maximum);
        assert_eq!(limit(), maximum);
    });
}
