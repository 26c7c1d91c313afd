//! How long an identity is kept up to date.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::time::Duration;

use finial_daemon::{Clock, Tasks};
use finial_receive::testing::{Authority, start};
use finial_receive::{NotLive, WebFiles, WebRoots, WebSource};
use futures_util::FutureExt;
use tempfile::TempDir;

use super::{Identities, Use};
use crate::config::Own;
use crate::identity::Identity;

/// Roots alone, from a file.
struct House {
    folder: TempDir,
    identities: Identities,
    tasks: Tasks,
}

impl House {
    fn new() -> Self {
        let (clock, _hand) = Clock::manual(start());
        let (folder, tasks) = (TempDir::new().unwrap(), Tasks::new(clock.clone()));
        fs::write(folder.path().join("ca.pem"), Authority::new("example.org").bundle().to_pem()).unwrap();
        Self { folder, identities: Identities::new(&clock, &tasks), tasks }
    }

    /// The roots, as they are held by an open connection that has seen them.
    async fn held(&self) -> WebSource {
        let Identity::Web(mut source) = self.identities.open(&self.own()).await.unwrap() else { panic!() };
        source.updated().await.unwrap();
        source
    }

    fn own(&self) -> Own {
        let roots = WebRoots::File(self.folder.path().join("ca.pem"));
        Own::Files { files: WebFiles { own: None, roots }, every: None }
    }
}

#[tokio::test]
async fn identity_that_nobody_uses_is_read_no_more_though_an_old_connection_still_holds_it() {
    let house = House::new();
    let mut held = house.held().await;
    house.identities.retain(|_| Use::Current, |_| Use::None);
    assert!(held.updated().now_or_never().is_none());
    house.identities.retain(|_| Use::None, |_| Use::None);
    assert_eq!(held.updated().await, Err(NotLive::Ended));
}

#[tokio::test]
async fn identity_of_the_last_connections_of_a_listener_is_read_until_they_end() {
    let house = House::new();
    let mut held = house.held().await;
    house.identities.retain(|_| Use::Last, |_| Use::None);
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
    assert!(held.updated().now_or_never().is_none());
    drop(held);
    assert!(house.tasks.stop(Duration::from_secs(1)).await);
}
