//! The names of users and groups, remembered for a minute: each lookup may ask a directory service.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use finial_daemon::Clock;
use nix::unistd::{Gid, Group, Uid, User};

use crate::AttestError;

/// The user and group databases of this machine (`getpwuid`, `getgrgid`).
#[derive(Debug)]
pub(super) struct Names {
    clock: Clock,
    users: Mutex<Remembered>,
    groups: Mutex<Remembered>,
}

/// By id: the name, if it has one, and until when that is believed (monotonic).
type Remembered = HashMap<u32, (Option<String>, Duration)>;

impl Names {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, users: Mutex::default(), groups: Mutex::default() }
    }

    /// The name of a user; none for an id that no user has.
    pub(super) async fn user(&self, uid: u32) -> Result<Option<String>, AttestError> {
        let look_up = move || Ok(User::from_uid(Uid::from_raw(uid))?.map(|user| user.name));
        self.remember(&self.users, uid, "user", look_up).await
    }

    /// The name of a group; none for an id that no group has.
    pub(super) async fn group(&self, gid: u32) -> Result<Option<String>, AttestError> {
        let look_up = move || Ok(Group::from_gid(Gid::from_raw(gid))?.map(|group| group.name));
        self.remember(&self.groups, gid, "group", look_up).await
    }

    async fn remember(
        &self,
        names: &Mutex<Remembered>,
        id: u32,
        database: &'static str,
        look_up: impl FnOnce() -> io::Result<Option<String>> + Send + 'static,
    ) -> Result<Option<String>, AttestError> {
        let now = self.clock.monotonic();
        if let Some((name, _)) = locked(names).get(&id).filter(|(_, until)| now < *until) {
            return Ok(name.clone());
        }
        let found =
            tokio::task::spawn_blocking(look_up).await.map_err(|source| AttestError::Aborted { source })?;
        let name = found.map_err(|source| AttestError::Names { database, source })?;
        let mut names = locked(names);
        if names.len() >= CAPACITY {
            names.clear();
        }
        names.insert(id, (name.clone(), now + LIFETIME));
        Ok(name)
    }
}

fn locked(names: &Mutex<Remembered>) -> std::sync::MutexGuard<'_, Remembered> {
    names.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long a name, or that there is none, is believed.
const LIFETIME: Duration = Duration::from_secs(60);
/// How many names are remembered; beyond that all are forgotten.
const CAPACITY: usize = 4096;
