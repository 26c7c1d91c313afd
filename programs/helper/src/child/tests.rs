//! Lives of commands, by shell scripts and a clock that stands.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use finial_daemon::ClockHand;
use rustix::process::Signal;
use tokio::task::JoinHandle;

use super::{Children, Commander, Supervised};
use crate::config::{CommandConfig, CommandLine, Kinds, Restart, SignalName};
use crate::fixtures::{Ears, Writer, bounded, clock, lives};
use crate::vitals::Vitals;

/// Says `up`, then `told` at each SIGUSR1 and `bye` at SIGTERM.
const SERVER: &str = r#"
    trap 'echo told > "$1"' USR1
    trap 'echo bye > "$1"; exit 7' TERM
    echo up > "$1"
    while :; do sleep 0.02; done
"#;

struct Scene {
    ears: Ears,
    writer: Writer,
    commander: Commander,
    vitals: Vitals,
    hand: ClockHand,
    running: JoinHandle<u8>,
}

fn config(line: CommandLine) -> CommandConfig {
    CommandConfig {
        name: "script".to_owned(),
        line,
        renew_signal: Some(SignalName(Signal::USR1)),
        restart: Restart::Renewal,
        stop_grace: Some(Duration::from_secs(10)),
        on: Kinds::ALL,
        required: false,
        is_program: false,
    }
}

fn scene(script: &str, change: impl FnOnce(&mut CommandConfig)) -> Scene {
    let ears = Ears::new();
    let mut config = config(ears.script(script));
    change(&mut config);
    let ((clock, hand), (writer, deliveries)) = (clock(), Writer::new());
    let (vitals, commander) = (Vitals::new(&clock), Commander::new());
    let supervised = Supervised {
        vitals: vitals.command(&config.name, false),
        config,
        children: Children::default(),
        orders: commander.orders(),
        clock,
    };
    #[expect(clippy::disallowed_methods, reason = "a test waits for it")]
    let running = tokio::spawn(supervised.run(deliveries));
    Scene { ears, writer, commander, vitals, hand, running }
}

impl Scene {
    async fn has_status(&self, status: &str) {
        bounded(self.vitals.until(|health| health["commands"]["script"]["status"] == status)).await;
    }

    async fn stopped(self, by: Signal) -> u8 {
        self.commander.stop(by);
        bounded(self.running).await.unwrap()
    }

    /// Passes the pause before the next start, which is about as long.
    async fn pass_pause(&self, seconds: f64) {
        bounded(self.hand.sleepers(1)).await;
        let before = self.vitals.clock().now();
        let wake = self.hand.advance_to_next_wake().unwrap();
        let pause = wake.duration_since(before).unwrap().as_secs_f64();
        assert!((0.9..=1.1).contains(&(pause / seconds)), "{pause}");
    }
}

#[tokio::test]
async fn command_is_started_once_everything_is_written_and_told_of_what_comes_then() {
    let mut scene = scene(SERVER, |_| {});
    scene.writer.deliver_jwt();
    scene.has_status("waiting").await;
    scene.writer.deliver();
    assert_eq!(scene.ears.next().await, "up");
    for _ in 0..3 {
        scene.writer.deliver_jwt();
        assert_eq!(scene.ears.next().await, "told");
    }
    assert!(scene.vitals.metrics().contains("command_signals_total{command=\"script\"} 3"));
    scene.has_status("running").await;
    assert_eq!(scene.stopped(Signal::TERM).await, 7);
}

#[tokio::test]
async fn without_a_renew_signal_a_running_command_is_told_nothing() {
    let mut scene = scene(SERVER, |config| config.renew_signal = None);
    scene.writer.deliver();
    assert_eq!(scene.ears.next().await, "up");
    scene.writer.deliver();
    scene.commander.stop(Signal::TERM);
    assert_eq!(scene.ears.next().await, "bye");
}

#[tokio::test]
async fn command_that_has_ended_is_started_again_at_the_next_delivery_only() {
    let mut scene = scene("echo up > \"$1\"; exit 3", |_| {});
    for _ in 0..3 {
        scene.writer.deliver();
        assert_eq!(scene.ears.next().await, "up");
        scene.has_status("failed").await;
        assert!(scene.hand.next_wake().is_none(), "no pause runs");
    }
    assert!(scene.vitals.metrics().contains("command_starts_total{command=\"script\"} 3"));
    assert_eq!(scene.stopped(Signal::TERM).await, 3);
}

#[tokio::test]
async fn crash_loop_has_pauses_that_double() {
    let mut scene = scene("echo up > \"$1\"; exit 3", |config| config.restart = Restart::OnFailure);
    scene.writer.deliver();
    for pause in [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0] {
        assert_eq!(scene.ears.next().await, "up");
        scene.pass_pause(pause).await;
    }
    assert_eq!(scene.ears.next().await, "up");
}

#[tokio::test]
async fn delivery_ends_the_pause() {
    let mut scene = scene("echo up > \"$1\"; exit 3", |config| config.restart = Restart::Always);
    scene.writer.deliver();
    assert_eq!(scene.ears.next().await, "up");
    bounded(scene.hand.sleepers(1)).await;
    scene.writer.deliver();
    assert_eq!(scene.ears.next().await, "up");
}

#[tokio::test]
async fn good_end_is_followed_by_a_start_only_where_that_is_asked_for() {
    for restart in [Restart::OnFailure, Restart::Renewal] {
        let mut scene = scene("echo up > \"$1\"", |config| config.restart = restart);
        scene.writer.deliver();
        assert_eq!(scene.ears.next().await, "up");
        scene.has_status("succeeded").await;
        assert!(scene.hand.next_wake().is_none(), "{restart:?}");
    }
    let mut scene = scene("echo up > \"$1\"", |config| config.restart = Restart::Always);
    scene.writer.deliver();
    assert_eq!(scene.ears.next().await, "up");
    scene.pass_pause(1.0).await;
    assert_eq!(scene.ears.next().await, "up");
}

#[tokio::test]
async fn never_is_once() {
    let scene = scene("exit 4", |config| config.restart = Restart::Never);
    scene.writer.deliver();
    assert_eq!(bounded(scene.running).await.unwrap(), 4);
}

#[tokio::test]
async fn command_that_ignores_the_request_to_end_is_ended_with_all_that_it_started() {
    let script = r#"trap '' TERM; sleep 1000 & echo $! > "$1"; while :; do sleep 0.02; done"#;
    let mut scene = scene(script, |_| {});
    scene.writer.deliver();
    let other = scene.ears.next().await;
    scene.commander.stop(Signal::TERM);
    bounded(scene.hand.sleepers(1)).await;
    scene.hand.step(Duration::from_secs(9));
    assert!(lives(&other) && !scene.running.is_finished());
    scene.hand.step(Duration::from_secs(1));
    assert_eq!(bounded(&mut scene.running).await.unwrap(), 128 + 9);
    while lives(&other) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn program_takes_as_long_as_it_likes_to_end() {
    let script =
        r#"trap 'echo wait > "$1"' TERM; trap 'exit 5' INT; echo up > "$1"; while :; do sleep 0.02; done"#;
    let mut scene = scene(script, |config| config.stop_grace = None);
    scene.writer.deliver();
    assert_eq!(scene.ears.next().await, "up");
    scene.commander.stop(Signal::TERM);
    assert_eq!(scene.ears.next().await, "wait");
    assert!(scene.hand.next_wake().is_none());
    scene.commander.pass(Signal::INT);
    assert_eq!(bounded(scene.running).await.unwrap(), 5);
}

#[tokio::test]
async fn signals_are_passed_on_while_it_runs_and_lost_while_it_does_not() {
    let mut scene = scene(SERVER, |_| {});
    scene.commander.pass(Signal::USR1);
    scene.writer.deliver();
    assert_eq!(scene.ears.next().await, "up");
    scene.commander.pass(Signal::USR1);
    assert_eq!(scene.ears.next().await, "told");
    scene.commander.stop(Signal::TERM);
    assert_eq!(scene.ears.next().await, "bye");
}

#[tokio::test]
async fn program_that_is_missing_or_cannot_be_run_fails_with_the_code_of_a_shell() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    std::fs::write(&plain, "no program").unwrap();
    for (program, code, reason) in [
        ("/nonexistent/program".into(), 127, "/nonexistent/program cannot be run: No such file or directory"),
        (plain.clone(), 126, "plain cannot be run: Permission denied"),
        (folder.path().to_owned(), 126, "cannot be run: Permission denied"),
    ] {
        let scene = scene("", |config| {
            config.line = CommandLine { program: program.into(), arguments: Vec::new() };
            config.restart = Restart::Never;
        });
        scene.writer.deliver();
        assert_eq!(bounded(scene.running).await.unwrap(), code);
        let fits = |told: &str| told.contains(reason);
        bounded(scene.vitals.until(|health| fits(health["commands"]["script"]["reason"].as_str().unwrap())))
            .await;
    }
}

#[tokio::test]
async fn command_that_dies_of_its_own_renew_signal_is_told_to_its_owner() {
    let mut scene = scene("echo up > \"$1\"; while :; do sleep 0.02; done", |_| {});
    scene.writer.deliver();
    assert_eq!(scene.ears.next().await, "up");
    scene.writer.deliver();
    let reason = "signal: 10 (SIGUSR1), its own renew_signal, which it does not handle";
    let told = |health: &serde_json::Value| {
        health["commands"]["script"]["reason"].as_str().is_some_and(|told| told.starts_with(reason))
    };
    bounded(scene.vitals.until(told)).await;
}

#[tokio::test]
async fn asked_to_end_before_it_was_started_it_never_starts() {
    let scene = scene(SERVER, |_| {});
    assert_eq!(scene.stopped(Signal::INT).await, 128 + 2);
}
