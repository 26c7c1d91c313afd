//! How often a hook runs, and what is known of it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use finial_daemon::{ClockHand, Drain, Tasks};
use tokio::net::TcpListener;

use super::Hook;
use crate::child::Children;
use crate::config::{Action, HookEntry, Kinds, Method};
use crate::fixtures::{Ears, Writer, bounded, clock};
use crate::vitals::Vitals;

struct Scene {
    writer: Writer,
    vitals: Vitals,
    hand: ClockHand,
    drain: Drain,
    tasks: Tasks,
}

fn scene(action: Action) -> Scene {
    let ((clock, hand), (writer, deliveries)) = (clock(), Writer::new());
    let (vitals, tasks) = (Vitals::new(&clock), Tasks::new(clock.clone()));
    let entry = HookEntry {
        name: "hook".to_owned(),
        action,
        on: Kinds::ALL,
        timeout: Duration::from_secs(30),
        retries: 2,
        pause: Duration::from_secs(1),
        required: false,
    };
    let hook = Hook { entry, children: Children::default(), vitals: vitals.hook("hook", false), clock };
    tasks.spawn("hook", hook.run(deliveries, tasks.drain()));
    Scene { writer, vitals, hand, drain: tasks.drain(), tasks }
}

impl Scene {
    async fn has_status(&self, status: &str) {
        bounded(self.vitals.until(|health| health["hooks"]["hook"]["status"] == status)).await;
    }

    fn runs(&self, result: &str) -> String {
        let name = format!("finial_helper_hook_runs_total{{hook=\"hook\",result=\"{result}\"}} ");
        let metrics = self.vitals.metrics();
        metrics.lines().find_map(|line| line.strip_prefix(&name)).unwrap().to_owned()
    }
}

#[tokio::test]
async fn deliveries_during_a_run_make_exactly_one_more() {
    let mut ears = Ears::new();
    let go = ears.path("ears.go");
    let script = r#"echo run > "$1"; while [ ! -e "$1.go" ]; do sleep 0.02; done"#;
    let scene = scene(Action::Command(ears.script(script)));
    scene.writer.deliver_jwt();
    scene.has_status("waiting").await;
    scene.writer.deliver();
    assert_eq!(ears.next().await, "run");
    for _ in 0..5 {
        scene.writer.deliver();
    }
    std::fs::write(&go, "").unwrap();
    assert_eq!(ears.next().await, "run");
    while scene.runs("succeeded") != "2" {
        tokio::task::yield_now().await;
    }
    std::fs::remove_file(&go).unwrap();
    scene.writer.deliver();
    assert_eq!(ears.next().await, "run");
    assert_eq!(scene.runs("succeeded"), "2");
}

#[tokio::test]
async fn hook_that_fails_is_tried_again_then_waits_for_the_next_delivery() {
    let mut ears = Ears::new();
    let script = ears.script(r#"echo run > "$1"; [ -e "$1.go" ]"#);
    let scene = scene(Action::Command(script));
    scene.writer.deliver();
    for failed in ["1", "2", "3"] {
        assert_eq!(ears.next().await, "run");
        while scene.runs("failed") != failed {
            tokio::task::yield_now().await;
        }
        if failed != "3" {
            bounded(scene.hand.sleepers(1)).await;
            scene.hand.advance_to_next_wake().unwrap();
        }
    }
    assert!(scene.hand.next_wake().is_none(), "no attempt is left");
    scene.has_status("failed").await;
    bounded(
        scene.vitals.until(|health| health["hooks"]["hook"]["reason"] == "it has failed by exit status: 1"),
    )
    .await;
    std::fs::write(ears.path("ears.go"), "").unwrap();
    scene.writer.deliver();
    scene.has_status("succeeded").await;
}

#[tokio::test]
async fn delivery_during_a_pause_begins_anew_at_once() {
    let mut ears = Ears::new();
    let scene = scene(Action::Command(ears.script(r#"echo run > "$1"; exit 1"#)));
    for failed in ["1", "2", "3", "4", "5"] {
        scene.writer.deliver();
        assert_eq!(ears.next().await, "run");
        while scene.runs("failed") != failed {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn server_that_hangs_is_given_up_on_and_holds_up_no_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let scene = scene(Action::Request { method: Method::Post, url, socket: None });
    scene.writer.deliver();
    let _hanging = bounded(listener.accept()).await.unwrap();
    bounded(scene.hand.sleepers(1)).await;
    scene.hand.step(Duration::from_secs(30));
    bounded(scene.vitals.until(|health| health["hooks"]["hook"]["reason"] == "no answer within 30s")).await;
    bounded(scene.hand.sleepers(1)).await;
    scene.hand.advance_to_next_wake().unwrap();
    let _hanging = bounded(listener.accept()).await.unwrap();
    scene.drain.request();
    bounded(scene.vitals.until(|health| health["hooks"]["hook"]["reason"] == "the helper ended meanwhile"))
        .await;
    assert!(bounded(scene.tasks.stop(Duration::from_secs(1))).await);
}
