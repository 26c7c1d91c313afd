//! Ending together, by request, by force and by panic.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use super::Tasks;
use crate::Clock;

const GRACE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn tasks_that_heed_the_drain_stop_in_time() {
    let tasks = Tasks::new(Clock::manual(SystemTime::UNIX_EPOCH).0);
    for name in ["one", "two"] {
        let drain = tasks.drain();
        tasks.spawn(name, async move { drain.requested().await });
    }
    assert!(!tasks.drain().is_requested());
    assert!(tasks.stop(GRACE).await);
    assert!(tasks.drain().is_requested());
    assert!(tasks.shared.running().is_empty());
}

#[tokio::test]
async fn task_that_ignores_the_drain_is_dropped_after_the_grace() {
    struct SetOnDrop(Arc<AtomicBool>);
    impl Drop for SetOnDrop {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let (clock, hand) = Clock::manual(SystemTime::UNIX_EPOCH);
    let tasks = Tasks::new(clock);
    let dropped = Arc::new(AtomicBool::new(false));
    let witness = SetOnDrop(Arc::clone(&dropped));
    tasks.spawn("stubborn", async move {
        let _witness = witness;
        std::future::pending::<()>().await;
    });
    let stop = async {
        hand.sleepers(1).await;
        assert!(!dropped.load(Ordering::SeqCst));
        hand.step(GRACE);
    };
    let (in_time, ()) = tokio::join!(tasks.stop(GRACE), stop);
    assert!(!in_time);
    assert!(dropped.load(Ordering::SeqCst));
}

#[tokio::test]
async fn panic_of_a_task_asks_all_to_end_and_is_remembered() {
    let tasks = Tasks::new(Clock::manual(SystemTime::UNIX_EPOCH).0);
    tasks.spawn("rotation", async { panic!("out of {}", "luck") });
    tasks.drain().requested().await;
    assert_eq!(tasks.panicked(), Some("rotation"));
    assert!(tasks.stop(GRACE).await);
}

#[tokio::test]
async fn panic_of_a_session_ends_only_that_session() {
    let tasks = Tasks::new(Clock::manual(SystemTime::UNIX_EPOCH).0);
    let (answer, answered) = tokio::sync::oneshot::channel();
    tasks.spawn_session("connection", async { panic!("bad input") });
    tasks.spawn_session("connection", async move { answer.send(7).unwrap() });
    assert_eq!(answered.await.unwrap(), 7);
    assert_eq!(tasks.panicked(), None);
    assert!(!tasks.drain().is_requested());
    assert!(tasks.stop(GRACE).await);
}

#[tokio::test]
async fn a_part_ends_alone_or_with_the_whole_and_its_panic_ends_the_whole() {
    let tasks = Tasks::new(Clock::manual(SystemTime::UNIX_EPOCH).0);
    let (one, other) = (tasks.part(), tasks.part());
    one.drain().request();
    assert!(one.drain().is_requested());
    assert!(!other.drain().is_requested() && !tasks.drain().is_requested());
    other.spawn("broken", async { panic!("on purpose") });
    tasks.drain().requested().await;
    assert!(other.drain().is_requested());
    assert_eq!(tasks.panicked(), Some("broken"));
    assert!(one.stop(GRACE).await);
}
