//! Which core a thread, and whatever it starts, may run on.

use std::thread;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores of this machine that the bench divides.
#[derive(Clone, Copy)]
pub(super) struct Cores {
    /// For what is measured.
    pub(super) subject: usize,
    /// For callers and backends.
    pub(super) load: usize,
}

impl Cores {
    /// The first two that this process may use; `None` when there is one alone.
    pub(super) fn two() -> Option<Self> {
        let allowed = sched_getaffinity(None).unwrap();
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
        Some(Self { subject: cores.next()?, load: cores.next()? })
    }
}

/// Does the work on a thread of its own, which stays on these cores, as do the threads and programs that it starts.
pub(super) fn on<T: Send>(cores: &[usize], work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let worker = scope.spawn(|| {
            pin(cores);
            work()
        });
        worker.join().expect("the thread has not panicked")
    })
}

/// Keeps this thread on these cores.
pub(super) fn pin(cores: &[usize]) {
    let mut set = CpuSet::new();
    for core in cores {
        set.set(*core);
    }
    sched_setaffinity(None, &set).unwrap();
}
