//! What is counted, and how it is told.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use finial_daemon::{Clock, ClockHand, Tasks};
use finial_receive::Endpoint;
use finial_receive::testing::start;

use super::{Exporter, Failure, Metrics};
use crate::config::Own;
use crate::fixtures::{SERVER, World};
use crate::identities::Identities;
use crate::identity::Identity;

fn metrics() -> (Arc<Metrics>, ClockHand) {
    let (clock, hand) = Clock::manual(start());
    (Arc::new(Metrics::new("ghostunnel".to_owned(), &clock)), hand)
}

/// Of a process without an identity.
fn exporter(metrics: &Arc<Metrics>) -> Exporter {
    let (clock, _hand) = Clock::manual(start());
    let tasks = Tasks::new(clock.clone());
    Exporter::new(Arc::clone(metrics), Identities::new(&clock, &tasks))
}

fn told(metrics: &Arc<Metrics>, name: &str) -> f64 {
    told_by(&exporter(metrics), name)
}

fn told_by(exporter: &Exporter, name: &str) -> f64 {
    let list: serde_json::Value = serde_json::from_str(&exporter.json()).unwrap();
    let found = list.as_array().unwrap().iter().find(|entry| entry["metric"] == name);
    let entry = found.unwrap_or_else(|| panic!("{name} is not in {list}"));
    assert_eq!(entry["timestamp"], 1_800_000_000);
    assert_eq!(entry["hostname"], exporter.hostname());
    entry["value"].as_f64().unwrap()
}

#[test]
fn connections_are_counted() {
    let (metrics, _hand) = metrics();
    let open = metrics.accept();
    metrics.succeed();
    drop(metrics.accept());
    metrics.fail(Failure::Slow);
    drop(metrics.accept());
    metrics.fail(Failure::Refused);
    for (name, value) in [
        ("ghostunnel.accept.total", 3.0),
        ("ghostunnel.accept.success", 1.0),
        ("ghostunnel.accept.error", 2.0),
        ("ghostunnel.accept.timeout", 1.0),
        ("ghostunnel.conn.open", 1.0),
        ("ghostunnel.conn.timeout", 0.0),
    ] {
        assert_eq!(told(&metrics, name), value, "{name}");
    }
    drop(open);
    metrics.time_out();
    assert_eq!(told(&metrics, "ghostunnel.conn.open"), 0.0);
    assert_eq!(told(&metrics, "ghostunnel.conn.timeout"), 1.0);
}

#[test]
fn spans_are_spread_in_nanoseconds() {
    let (metrics, _hand) = metrics();
    for span in 1..=99 {
        metrics.handshakes().note(Duration::from_nanos(span));
    }
    for (name, value) in [
        ("count", 99.0),
        ("min", 1.0),
        ("max", 99.0),
        ("mean", 50.0),
        ("50-percentile", 50.0),
        ("75-percentile", 75.0),
        ("95-percentile", 95.0),
        ("99-percentile", 99.0),
    ] {
        assert_eq!(told(&metrics, &format!("ghostunnel.conn.handshake.{name}")), value, "{name}");
    }
    assert_eq!(told(&metrics, "ghostunnel.conn.lifetime.50-percentile"), 0.0);
}

#[test]
fn memory_for_spans_is_bounded_and_holds_the_last() {
    let (metrics, _hand) = metrics();
    for _ in 0..5_000 {
        metrics.handshakes().note(Duration::from_nanos(7));
    }
    for _ in 0..1_028 {
        metrics.handshakes().note(Duration::from_nanos(9));
    }
    assert_eq!(told(&metrics, "ghostunnel.conn.handshake.min"), 9.0);
    assert_eq!(told(&metrics, "ghostunnel.conn.handshake.count"), 6_028.0);
}

#[test]
fn rates_follow_what_comes_and_fade() {
    let (metrics, hand) = metrics();
    for _ in 0..50 {
        metrics.lifetimes().note(Duration::from_secs(1));
    }
    hand.step(Duration::from_secs(5));
    let rates = metrics.lifetimes().spread().rates;
    assert_eq!(rates, [10.0; 3]);
    hand.step(Duration::from_secs(60));
    let [one, five, fifteen] = metrics.lifetimes().spread().rates;
    assert!((one - 10.0 * (-1.0_f64).exp()).abs() < 1e-9, "{one}");
    assert!(one < five && five < fifteen && fifteen < 10.0);
    hand.step(Duration::from_secs(365 * 86_400));
    assert!(metrics.lifetimes().spread().rates.iter().all(|rate| *rate < 1e-6));
}

#[test]
fn prometheus_is_told_each_value_once_with_its_type() {
    let (metrics, _hand) = metrics();
    let _open = metrics.accept();
    metrics.handshakes().note(Duration::from_nanos(4));
    let text = exporter(&metrics).prometheus();
    for line in [
        "# TYPE ghostunnel_conn_open gauge",
        "ghostunnel_conn_open 1",
        "ghostunnel_accept_total 1",
        "ghostunnel_conn_handshake_count 1",
        "ghostunnel_conn_handshake_sum 4",
        "ghostunnel_conn_handshake_std_dev 0",
        "ghostunnel_conn_lifetime_rate15 0",
        "# TYPE ghostunnel_conn_handshake_timer histogram",
        "ghostunnel_conn_handshake_timer_bucket{le=\"0.5\"} 4",
        "ghostunnel_conn_handshake_timer_bucket{le=\"0.95\"} 4",
        "ghostunnel_conn_handshake_timer_bucket{le=\"0.99\"} 4",
        "ghostunnel_conn_handshake_timer_bucket{le=\"0.999\"} 4",
        "ghostunnel_conn_handshake_timer_bucket{le=\"+Inf\"} 1",
        "ghostunnel_conn_handshake_timer_sum 4",
        "ghostunnel_conn_handshake_timer_count 1",
        "ghostunnel_peer_rejected_total 0",
        "# TYPE ghostunnel_peer_rejected_total counter",
        "# TYPE process_open_fds gauge",
        "process_start_time_seconds 1800000000",
    ] {
        assert_eq!(text.lines().filter(|told| *told == line).count(), 1, "{line}\n{text}");
    }
    let values: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(values.iter().all(|line| line.split_once(' ').unwrap().1.parse::<f64>().is_ok()));
}

#[test]
fn the_prefix_is_the_operators() {
    let (clock, _hand) = Clock::manual(start());
    let metrics = Arc::new(Metrics::new("edge-1".to_owned(), &clock));
    assert_eq!(told(&metrics, "edge-1.conn.open"), 0.0);
    assert!(exporter(&metrics).prometheus().contains("\nedge_1_conn_open 0\n"));
}

#[test]
fn histogram_counts_what_is_below_each_bound() {
    let (metrics, _hand) = metrics();
    for millis in [1, 2, 30, 400, 60_000] {
        metrics.handshakes().note(Duration::from_millis(millis));
    }
    let text = exporter(&metrics).prometheus();
    for (bound, count) in
        [("0.001", 1), ("0.0025", 2), ("0.025", 2), ("0.05", 3), ("0.5", 4), ("10", 4), ("+Inf", 5)]
    {
        let line = format!("ghostunnel_conn_handshake_seconds_bucket{{le=\"{bound}\"}} {count}");
        assert!(text.lines().any(|told| told == line), "{line}\n{text}");
    }
    assert!(text.contains("\nghostunnel_conn_handshake_seconds_sum 60.433\n"), "{text}");
}

#[test]
fn graphite_is_told_paths_values_and_seconds() {
    let (clock, _hand) = Clock::manual(start());
    let metrics = Arc::new(Metrics::new("my edge".to_owned(), &clock));
    let _open = metrics.accept();
    for span in 1..=99 {
        metrics.lifetimes().note(Duration::from_nanos(span));
    }
    let text = exporter(&metrics).graphite();
    for line in [
        "my_edge.accept.total.count 1 1800000000",
        "my_edge.conn.open.count 1 1800000000",
        "my_edge.reload.refused.value 0 1800000000",
        "my_edge.conn.lifetime.count 99 1800000000",
        "my_edge.conn.lifetime.min 1 1800000000",
        "my_edge.conn.lifetime.max 99 1800000000",
        "my_edge.conn.lifetime.mean 50.00 1800000000",
        "my_edge.conn.lifetime.std-dev 28.58 1800000000",
        "my_edge.conn.lifetime.95-percentile 95.00 1800000000",
        "my_edge.conn.lifetime.999-percentile 99.00 1800000000",
        "my_edge.conn.lifetime.one-minute 0.00 1800000000",
        "my_edge.conn.lifetime.mean-rate 0.00 1800000000",
    ] {
        assert_eq!(text.lines().filter(|told| *told == line).count(), 1, "{line}\n{text}");
    }
    assert!(text.lines().all(|line| line.split(' ').count() == 3), "{text}");
}

#[test]
fn seconds_to_the_end_of_our_certificate_are_told_and_go_below_zero() {
    let world = World::new();
    let (_writer, source) = world.party(SERVER);
    let identities = Identities::new(&world.clock, &Tasks::new(world.clock.clone()));
    let endpoint = Endpoint::parse("unix:///nowhere/agent.sock").unwrap();
    identities.insert(Own::WorkloadApi(endpoint), Identity::Spiffe(source));
    let metrics = Arc::new(Metrics::new("ghostunnel".to_owned(), &world.clock));
    let exporter = Exporter::new(metrics, identities);
    let left = || {
        let list: serde_json::Value = serde_json::from_str(&exporter.json()).unwrap();
        let name = "ghostunnel.certificate.expires-in.seconds";
        list.as_array().unwrap().iter().find(|entry| entry["metric"] == name).unwrap()["value"].clone()
    };
    assert_eq!(left(), 3600);
    world.hand.step(Duration::from_secs(3610));
    assert_eq!(left(), -10);
}
