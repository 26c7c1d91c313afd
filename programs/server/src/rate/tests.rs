//! How the buckets fill and empty.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, SystemTime};

use finial_daemon::{Clock, ClockHand};
use tonic::Extensions;

use super::{MAX_ADDRESSES, Rate, RateLimit};

struct Limited {
    limit: RateLimit,
    rate: Rate,
    hand: ClockHand,
}

fn limit(per_second: u32, burst: u32) -> Limited {
    let (clock, hand) = Clock::manual(SystemTime::UNIX_EPOCH);
    let rate = Rate { per_second, burst };
    Limited { limit: RateLimit::new(Some(rate), &clock), rate, hand }
}

impl Limited {
    fn reserve(&self, address: IpAddr, count: usize) -> Option<Duration> {
        self.limit.reserve(self.rate, address, count)
    }
}

fn address(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(number).into()
}

#[test]
fn burst_is_free_and_the_rest_waits() {
    let limit = limit(2, 2);
    assert_eq!(limit.reserve(address(1), 2), Some(Duration::ZERO));
    assert_eq!(limit.reserve(address(1), 1), Some(Duration::from_millis(500)));
    assert_eq!(limit.reserve(address(2), 1), Some(Duration::ZERO), "each address has its own");
}

#[test]
fn time_fills_the_bucket_up_to_the_burst() {
    let limit = limit(1, 1);
    assert_eq!(limit.reserve(address(1), 1), Some(Duration::ZERO));
    limit.hand.step(Duration::from_mins(1));
    assert_eq!(limit.reserve(address(1), 1), Some(Duration::ZERO));
    assert_eq!(limit.reserve(address(1), 1), Some(Duration::from_secs(1)));
}

#[test]
fn more_than_the_burst_or_than_ten_seconds_ahead_is_refused() {
    let limit = limit(1, 1);
    assert_eq!(limit.reserve(address(1), 2), None);
    let admitted = (0..20).filter(|_| limit.reserve(address(1), 1).is_some()).count();
    assert_eq!(admitted, 11);
}

#[test]
fn table_of_addresses_is_bounded_and_forgets_the_idle() {
    let limit = limit(1, 1);
    for number in 0..u32::try_from(MAX_ADDRESSES).unwrap() {
        limit.reserve(address(number), 1).unwrap();
    }
    assert_eq!(limit.reserve(address(u32::MAX), 1), None);
    limit.hand.step(Duration::from_secs(1));
    assert_eq!(limit.reserve(address(u32::MAX), 1), Some(Duration::ZERO));
    assert_eq!(limit.limit.buckets.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn caller_without_an_address_is_not_limited() {
    let limit = limit(1, 1).limit;
    for _ in 0..100 {
        limit.take(&Extensions::new(), 1).await.unwrap();
    }
}
