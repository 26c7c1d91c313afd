//! What the kernel says of this process, as Prometheus's own libraries tell it.

use std::fs;

use rustix::param::page_size;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// At one moment. What the kernel does not say is left out.
#[derive(Clone, Debug)]
pub struct Process {
    /// CPU time spent, user and system.
    pub cpu_seconds: f64,
    /// Memory that is resident.
    pub resident_bytes: Option<f64>,
    /// Memory that is mapped.
    pub virtual_bytes: Option<f64>,
    /// How many descriptors are open.
    pub open_descriptors: Option<f64>,
    /// How many may be open.
    pub descriptor_limit: Option<f64>,
}

impl Process {
    /// Reads `/proc/self`.
    pub fn now() -> Self {
        let spent = clock_gettime(ClockId::ProcessCPUTime);
        let memory = fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let mut pages = memory.split(' ').map(|count| count.parse::<f64>().ok());
        let mut bytes = || Some(pages.next()?? * page_size() as f64);
        // The listing opens one of its own.
        let open = fs::read_dir("/proc/self/fd").map(|listing| listing.count().saturating_sub(1));
        Self {
            cpu_seconds: spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9,
            virtual_bytes: bytes(),
            resident_bytes: bytes(),
            open_descriptors: open.ok().map(|count| count as f64),
            descriptor_limit: getrlimit(Resource::Nofile).current.map(|limit| limit as f64),
        }
    }
}
