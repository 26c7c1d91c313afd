//! What a command hears, and in which order.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use futures_util::FutureExt;
use rustix::process::{Signal, getpid, kill_process};

use super::{Commander, Incoming, Order, WAITING};
use crate::fixtures::bounded;

#[tokio::test]
async fn signals_to_this_process_are_passed_on_to_all() {
    // One that ends nobody who hears it too.
    let incoming = Incoming::listen(&[Signal::WINCH]).unwrap();
    let commander = Commander::new();
    let (mut one, mut two) = (commander.orders(), commander.orders());
    kill_process(getpid(), Signal::WINCH).unwrap();
    let heard = async { (one.next().await, two.next().await) };
    let heard = bounded(async {
        tokio::select! {
            heard = heard => heard,
            () = commander.pass_on(incoming) => unreachable!("it never resolves"),
        }
    })
    .await;
    assert_eq!(heard, (Order::Pass(Signal::WINCH), Order::Pass(Signal::WINCH)));
}

#[tokio::test]
async fn to_end_comes_first_and_the_newest_signals_are_kept() {
    let commander = Commander::new();
    let mut orders = commander.orders();
    for _ in 0..WAITING {
        commander.pass(Signal::HUP);
    }
    commander.pass(Signal::USR1);
    commander.stop(Signal::INT);
    assert_eq!(orders.next().await, Order::Stop(Signal::INT));
    for _ in 1..WAITING {
        assert_eq!(orders.passed().await, Signal::HUP);
    }
    assert_eq!(orders.passed().await, Signal::USR1);
    commander.pass(Signal::HUP);
    orders.forget_signals();
    assert!(orders.passed().now_or_never().is_none());
}
