//! The mask after the call.

use rustix::fs::Mode;
use rustix::process::umask;

use crate::alone::alone;

#[test]
fn mask_becomes_at_least_0027_and_keeps_what_was_stricter() {
    alone("umask::tests::mask_becomes_at_least_0027_and_keeps_what_was_stricter", check_masks);
}

fn check_masks() {
    for (inherited, expected) in [(0o000, 0o027), (0o022, 0o027), (0o077, 0o077), (0o027, 0o027)] {
        umask(Mode::from_raw_mode(inherited));
        super::restrict();
        assert_eq!(umask(Mode::from_raw_mode(0o027)).as_raw_mode(), expected, "from {inherited:o}");
    }
}
