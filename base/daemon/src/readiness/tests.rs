//! Guards and waiting for them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::Readiness;

#[tokio::test]
async fn ready_when_the_last_guard_has_gone() {
    let readiness = Readiness::new();
    readiness.ready().await;
    let (first, second) = (readiness.guard("store"), readiness.guard("authority"));
    assert_eq!(readiness.pending(), ["store", "authority"]);
    first.ready();
    assert_eq!(readiness.pending(), ["authority"]);
    let (done, waiting) = (readiness.clone(), readiness.clone());
    let (order, ()) = tokio::join!(
        async move {
            waiting.ready().await;
            waiting.pending()
        },
        async move {
            assert_eq!(done.pending(), ["authority"]);
            drop(second);
        }
    );
    assert!(order.is_empty());
}

#[test]
fn guards_of_the_same_name_are_counted_apart() {
    let readiness = Readiness::new();
    let (first, second) = (readiness.guard("listener"), readiness.guard("listener"));
    drop(first);
    assert_eq!(readiness.pending(), ["listener"]);
    drop(second);
    assert!(readiness.pending().is_empty());
}
