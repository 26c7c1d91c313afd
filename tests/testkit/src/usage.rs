//! What another program has cost the machine so far.

use std::time::Duration;

/// `/proc` counts the time of processors in hundredths of a second, whatever the kernel's own clock.
const TICK: Duration = Duration::from_millis(10);

/// The time that a process has had of the processors.
///
/// # Panics
/// When there is no such process.
pub fn processor_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process that lives");
    // The second field is a name, in which there may be anything; the fourteenth and fifteenth are the times.
    let fields = stat.rsplit_once(')').expect("a name in brackets").1;
    let ticks = fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u32>().expect("ticks"));
    TICK * ticks.sum::<u32>()
}

/// The memory that a process has now, and the most that it had, in KiB.
///
/// # Panics
/// When there is no such process.
pub fn memory(pid: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process that lives");
    let field = |name| {
        let value = status.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        value.trim().trim_end_matches(" kB").parse().expect("a number")
    };
    (field("VmRSS:"), field("VmHWM:"))
}

/// What the kernel says is free for new programs, in KiB.
///
/// # Panics
/// When it does not say.
pub fn memory_available() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").expect("what the kernel says");
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:")).expect("MemAvailable");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
