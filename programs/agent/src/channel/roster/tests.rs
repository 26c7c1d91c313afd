//! Orders in which servers are tried.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use finial_daemon::{Clock, ClockHand};
use finial_receive::testing::start;

use super::Roster;
use crate::config::{ServerAddress, Servers};

fn servers(text: &str) -> Vec<ServerAddress> {
    let Servers::Listed(servers) = Servers::parse(text, Some(8081)).unwrap() else { panic!("a list") };
    servers
}

fn roster() -> (Roster, ClockHand) {
    let (clock, hand) = Clock::manual(start());
    (Roster::new(&clock), hand)
}

/// The hosts of `a,b,c` in the order in which they are tried.
fn order(roster: &Roster) -> String {
    roster.order(servers("a,b,c")).into_iter().map(|server| server.host).collect()
}

#[test]
fn servers_are_tried_in_the_order_of_preference() {
    let (roster, _hand) = roster();
    assert_eq!(order(&roster), "abc");
}

#[test]
fn the_server_that_served_last_comes_first() {
    let (roster, _hand) = roster();
    roster.serves(&servers("c")[0]);
    assert_eq!(order(&roster), "cab");
}

#[test]
fn a_server_that_failed_stands_behind_the_others_for_a_while() {
    let (roster, hand) = roster();
    roster.failed(&servers("a")[0]);
    assert_eq!(order(&roster), "bca");
    hand.step(Duration::from_secs(6));
    assert_eq!(order(&roster), "abc");
}

#[test]
fn a_server_that_fails_again_stands_back_for_longer() {
    let (roster, hand) = roster();
    roster.failed(&servers("a")[0]);
    hand.step(Duration::from_secs(6));
    roster.failed(&servers("a")[0]);
    hand.step(Duration::from_secs(6));
    assert_eq!(order(&roster), "bca");
    hand.step(Duration::from_secs(6));
    assert_eq!(order(&roster), "abc");
}

#[test]
fn of_servers_that_all_failed_the_first_comes_first() {
    let (roster, hand) = roster();
    for host in ["b", "a", "c"] {
        roster.failed(&servers(host)[0]);
        hand.step(Duration::from_secs(2));
    }
    assert_eq!(order(&roster), "bac");
}

#[test]
fn a_server_that_ends_a_connection_at_once_has_failed() {
    let (roster, hand) = roster();
    let (mut term, _) = roster.serves(&servers("a")[0]);
    hand.step(Duration::from_secs(1));
    term.ended_by_server();
    assert_eq!(order(&roster), "bca");
}

#[test]
fn a_server_that_ends_an_old_connection_is_asked_again_first() {
    let (roster, hand) = roster();
    let (mut term, _) = roster.serves(&servers("b")[0]);
    hand.step(Duration::from_secs(180));
    term.ended_by_server();
    assert_eq!(order(&roster), "bac");
}

#[test]
fn a_change_of_servers_is_told() {
    let (roster, _hand) = roster();
    assert!(!roster.serves(&servers("a")[0]).1);
    assert!(!roster.serves(&servers("a")[0]).1);
    assert!(roster.serves(&servers("b")[0]).1);
}

#[test]
fn the_servers_of_before_are_remembered_in_the_order_of_preference() {
    let (roster, _hand) = roster();
    assert!(roster.listed().is_empty());
    roster.failed(&servers("a")[0]);
    assert_eq!(order(&roster), "bca");
    assert_eq!(roster.listed(), servers("a,b,c"));
}
