//! How many streams one process and one user may hold open, so that a leak in one workload stays there.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use finial_attest::PinnedProcess;
use tonic::Status;

/// The most streams of an API that may be open at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLimits {
    /// By one process; 1,000 by default.
    pub per_process: usize,
    /// By all processes of one user ID; 20,000 by default.
    pub per_user: usize,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self { per_process: 1_000, per_user: 20_000 }
    }
}

/// Counts the open streams.
#[derive(Debug)]
pub(in crate::agent) struct StreamTable {
    limits: StreamLimits,
    open: Mutex<HashMap<Holder, usize>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Holder {
    Process(i32),
    User(u32),
}

/// The right to one stream; dropped with it.
#[derive(Debug)]
pub(in crate::agent) struct StreamPlace {
    table: Arc<StreamTable>,
    holders: [Holder; 2],
}

impl StreamTable {
    pub(in crate::agent) fn new(limits: StreamLimits) -> Self {
        Self { limits, open: Mutex::default() }
    }

    /// A place for one more stream of this process, or a refusal that names the limit.
    pub(in crate::agent) fn open(self: &Arc<Self>, process: &PinnedProcess) -> Result<StreamPlace, Status> {
        let (pid, uid) = (process.pid(), process.credentials().uid());
        let holders = [Holder::Process(pid), Holder::User(uid)];
        let mut open = self.counts();
        let count = |holder| open.get(&holder).copied().unwrap_or_default();
        if count(holders[0]) >= self.limits.per_process {
            return Err(refusal("process", pid, self.limits.per_process));
        }
        if count(holders[1]) >= self.limits.per_user {
            return Err(refusal("user", uid, self.limits.per_user));
        }
        for holder in holders {
            *open.entry(holder).or_default() += 1;
        }
        Ok(StreamPlace { table: Arc::clone(self), holders })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Holder, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let mut open = self.table.counts();
        for holder in self.holders {
            let left = open.get_mut(&holder).map(|count| {
                *count -= 1;
                *count
            });
            if left == Some(0) {
                open.remove(&holder);
            }
        }
    }
}

fn refusal(kind: &str, id: impl Display, limit: usize) -> Status {
    Status::resource_exhausted(format!(
        "{kind} {id} has {limit} streams open, the most for one {kind}; close some, or raise the limit"
    ))
}
