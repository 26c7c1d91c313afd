//! Scripts that succeed, fail, hang, say much, and leave others behind.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use finial_daemon::{Clock, Tasks};

use super::{GRACE, KEPT, RunError, to_its_end};
use crate::child::Children;
use crate::fixtures::{Ears, bounded, clock, lives};

const LIMIT: Duration = Duration::from_secs(30);

async fn run(script: &str) -> Result<(), RunError> {
    let (ears, clock) = (Ears::new(), Clock::system());
    let drain = Tasks::new(clock.clone()).drain();
    bounded(to_its_end(&ears.script(script), LIMIT, &Children::default(), &clock, &drain)).await
}

#[tokio::test]
async fn good_end_is_a_success_whatever_was_printed() {
    run("echo out; echo err >&2").await.unwrap();
}

#[tokio::test]
async fn bad_end_is_told_with_the_end_of_what_was_printed() {
    let RunError::Failed { status, output } = run("echo out; echo err >&2; exit 3").await.unwrap_err() else {
        panic!("another error")
    };
    assert_eq!(status.code(), Some(3));
    assert!(output.contains("out") && output.contains("err"), "{output}");
    let loud = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; exit 1";
    let RunError::Failed { output, .. } = run(loud).await.unwrap_err() else { panic!("another error") };
    assert!(output.len() <= KEPT && output.ends_with("line 19999"), "{output}");
}

#[tokio::test]
async fn it_has_no_input() {
    run("read line; [ -z \"$line\" ]").await.unwrap();
}

#[tokio::test]
async fn whoever_it_leaves_behind_holds_nobody_up() {
    run("sleep 1000 & exit 0").await.unwrap();
}

#[tokio::test]
async fn missing_program_is_told() {
    let (ears, clock) = (Ears::new(), Clock::system());
    let mut line = ears.script("");
    line.program = "/nonexistent".into();
    let drain = Tasks::new(clock.clone()).drain();
    let error = to_its_end(&line, LIMIT, &Children::default(), &clock, &drain).await.unwrap_err();
    assert!(matches!(error, RunError::Start(_)), "{error}");
}

#[tokio::test]
async fn it_is_asked_to_end_when_its_time_is_over() {
    let (mut ears, (clock, hand)) = (Ears::new(), clock());
    let script =
        ears.script(r#"trap 'echo asked; exit 0' TERM; echo up > "$1"; while :; do sleep 0.02; done"#);
    let (children, drain) = (Children::default(), Tasks::new(clock.clone()).drain());
    let running = to_its_end(&script, LIMIT, &children, &clock, &drain);
    let (ended, ()) = bounded(Box::pin(async {
        tokio::join!(running, async {
            assert_eq!(ears.next().await, "up");
            hand.step(LIMIT);
        })
    }))
    .await;
    let RunError::Late { output, .. } = ended.unwrap_err() else { panic!("another error") };
    assert!(output.contains("asked"), "{output}");
}

#[tokio::test]
async fn it_is_ended_by_force_with_all_that_it_started_when_it_does_not_heed_that() {
    let (mut ears, (clock, hand)) = (Ears::new(), clock());
    let script = ears.script(r#"trap '' TERM; sleep 1000 & echo $! > "$1"; while :; do sleep 0.02; done"#);
    let (children, drain) = (Children::default(), Tasks::new(clock.clone()).drain());
    let running = to_its_end(&script, LIMIT, &children, &clock, &drain);
    let (ended, other) = bounded(Box::pin(async {
        tokio::join!(running, async {
            let other = ears.next().await;
            hand.step(LIMIT);
            hand.sleepers(1).await;
            hand.step(GRACE);
            other
        })
    }))
    .await;
    assert!(matches!(ended.unwrap_err(), RunError::Late { .. }));
    while lives(&other) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn it_may_come_to_its_end_when_the_helper_ends_and_not_for_ever() {
    for (script, is_good) in [
        (r#"echo up > "$1"; while [ ! -e "$1.go" ]; do sleep 0.02; done"#, true),
        (r#"echo up > "$1"; while :; do sleep 0.02; done"#, false),
    ] {
        let (mut ears, (clock, hand)) = (Ears::new(), clock());
        let (script, go) = (ears.script(script), ears.path("ears.go"));
        let (children, tasks) = (Children::default(), Tasks::new(clock.clone()));
        let drain = tasks.drain();
        let running = to_its_end(&script, LIMIT, &children, &clock, &drain);
        let (ended, ()) = bounded(Box::pin(async {
            tokio::join!(running, async {
                assert_eq!(ears.next().await, "up");
                drain.request();
                hand.sleepers(2).await;
                if is_good {
                    std::fs::write(go, "").unwrap();
                } else {
                    hand.step(GRACE);
                }
            })
        }))
        .await;
        assert_eq!(ended.is_ok(), is_good, "{ended:?}");
    }
}
