//! What is lent, and what comes back.

use super::{LARGE, Pool, SMALL};

#[test]
fn buffer_that_was_given_back_is_lent_again() {
    let pool = Pool::of(1);
    let first = pool.take();
    let place = first.as_ptr();
    drop(first);
    assert_eq!(pool.take().as_ptr(), place);
}

#[test]
fn when_all_large_buffers_are_lent_small_ones_are_made() {
    let pool = Pool::of(2);
    let lent = [pool.take(), pool.take(), pool.take()];
    assert_eq!(lent.each_ref().map(|buffer| buffer.len()), [LARGE, LARGE, SMALL]);
    drop(lent);
    assert_eq!([pool.take(), pool.take(), pool.take()].map(|buffer| buffer.len()), [LARGE, LARGE, SMALL]);
}

/// Of 64 KiB the headers of IPv6 and of TCP with its timestamps take their share.
#[test]
fn large_buffer_is_one_packet_of_loopback_also_as_tls_records() {
    const { assert!(LARGE + LARGE.div_ceil(16 * 1024) * 22 <= 65_536 - 40 - 32) }
}
