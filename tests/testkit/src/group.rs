//! A limit on another program's memory that the kernel enforces.

use std::fs;
use std::path::PathBuf;

use crate::Process;

/// A control group with so much memory for one process: it is killed when it needs more. Removed when this is dropped.
#[derive(Debug)]
pub struct MemoryGroup(PathBuf);

impl MemoryGroup {
    /// Puts `process` into a group of `bytes`; `None` where groups may not be made, which only root may.
    pub fn around(process: &Process, bytes: u64) -> Option<Self> {
        let name = format!("finial-test-{}", process.id());
        let [first, second] =
            ["/sys/fs/cgroup/memory", "/sys/fs/cgroup"].map(|root| PathBuf::from(root).join(&name));
        let limits = [(first, "memory.limit_in_bytes"), (second, "memory.max")];
        limits.into_iter().find_map(|(folder, limit)| {
            fs::create_dir(&folder).ok()?;
            let group = Self(folder);
            let write = |file: &str, value: String| fs::write(group.0.join(file), value);
            write(limit, bytes.to_string()).ok()?;
            write("cgroup.procs", process.id().to_string()).ok()?;
            Some(group)
        })
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // Empty once its process has ended; if that lingers, an empty group is all that stays behind.
        let _ = fs::remove_dir(&self.0);
    }
}
