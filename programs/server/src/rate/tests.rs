//! How the buckets fill and empty.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime};

use finial_daemon::doorstep;
use finial_daemon::{Clock, ClockHand};
use finial_wire::retry_after;
use tonic::Extensions;

use finial_attest::Caller;

use super::{Exceeded, MAX_ADDRESSES, MAX_WAIT, Origin, Rate, RateLimit};

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
    fn reserve(&self, address: IpAddr, count: usize) -> Result<Duration, Exceeded> {
        self.limit.reserve(self.rate, doorstep::Origin::of(address), count)
    }
}

fn address(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(number).into()
}

#[test]
fn burst_is_free_and_the_rest_waits() {
    let limit = limit(2, 2);
    assert_eq!(limit.reserve(address(1), 2), Ok(Duration::ZERO));
    assert_eq!(limit.reserve(address(1), 1), Ok(Duration::from_millis(500)));
    assert_eq!(limit.reserve(address(2), 1), Ok(Duration::ZERO), "each address has its own");
}

#[test]
fn time_fills_the_bucket_up_to_the_burst() {
    let limit = limit(1, 1);
    assert_eq!(limit.reserve(address(1), 1), Ok(Duration::ZERO));
    limit.hand.step(Duration::from_mins(1));
    assert_eq!(limit.reserve(address(1), 1), Ok(Duration::ZERO));
    assert_eq!(limit.reserve(address(1), 1), Ok(Duration::from_secs(1)));
}

#[test]
fn more_than_the_burst_or_than_ten_seconds_ahead_is_refused() {
    let limit = limit(1, 1);
    assert_eq!(limit.reserve(address(1), 2), Err(Exceeded::Burst(1)));
    let admitted = (0..20).filter(|_| limit.reserve(address(1), 1).is_ok()).count();
    assert_eq!(admitted, 11);
    assert_eq!(limit.reserve(address(1), 1), Err(Exceeded::Until(Duration::from_secs(1))));
}

#[test]
fn table_of_addresses_is_bounded_and_forgets_the_idle() {
    let limit = limit(1, 1);
    for number in 0..u32::try_from(MAX_ADDRESSES).unwrap() {
        limit.reserve(address(number), 1).unwrap();
    }
    // Those for whom there is no place share one bucket, and nobody who is known suffers from them.
    assert_eq!(limit.reserve(address(u32::MAX), 1), Ok(Duration::ZERO));
    assert_eq!(limit.reserve(address(u32::MAX - 1), 1), Ok(Duration::from_secs(1)));
    assert_eq!(limit.reserve(address(7), 1), Ok(Duration::from_secs(1)));
    assert_eq!(limit.limit.table.lock().unwrap().buckets.len(), MAX_ADDRESSES);
    limit.hand.step(Duration::from_secs(1));
    assert_eq!(limit.reserve(address(u32::MAX), 1), Ok(Duration::ZERO));
    assert_eq!(
        limit.limit.table.lock().unwrap().buckets.len(),
        2,
        "the one that still owes, and the new one"
    );
}

#[test]
fn addresses_of_one_ipv6_network_are_one_caller() {
    let limit = limit(1, 1);
    let host = |number| IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, number));
    assert_eq!(limit.reserve(host(1), 1), Ok(Duration::ZERO));
    assert_eq!(limit.reserve(host(2), 1), Ok(Duration::from_secs(1)));
    let mapped = IpAddr::from(Ipv4Addr::LOCALHOST.to_ipv6_mapped());
    assert_eq!(limit.reserve(mapped, 1), Ok(Duration::ZERO));
    assert_eq!(limit.reserve(Ipv4Addr::LOCALHOST.into(), 1), Ok(Duration::from_secs(1)));
}

#[tokio::test]
async fn refused_caller_is_told_when_to_ask_again() {
    let limit = limit(1, 1);
    for _ in 0..11 {
        limit.reserve(address(1), 1).unwrap();
    }
    let mut ctx = Extensions::new();
    ctx.insert(Origin::new(Caller::anonymous(), Some(address(1))));
    let refusal = limit.limit.take(&ctx, 1).await.unwrap_err();
    assert_eq!(refusal.code(), tonic::Code::ResourceExhausted);
    assert_eq!(refusal.message(), "rate limit exceeded: try again in 1s");
    assert_eq!(retry_after(&refusal), Some(Duration::from_secs(1)));
    limit.hand.step(Duration::from_secs(1));
    assert_eq!(limit.reserve(address(1), 1), Ok(MAX_WAIT));
    let refusal = limit.limit.take(&ctx, 2).await.unwrap_err();
    assert_eq!(refusal.message(), "rate limit exceeded: ask for at most 1 at a time");
    assert_eq!(retry_after(&refusal), None);
}

#[tokio::test]
async fn caller_without_an_address_is_not_limited() {
    let limit = limit(1, 1).limit;
    for _ in 0..100 {
        limit.take(&Extensions::new(), 1).await.unwrap();
    }
}
