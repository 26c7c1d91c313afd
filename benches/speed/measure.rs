//! Clocks and statistics.

use std::time::Duration;

use finial_daemon::Clock;
use rustix::time::{ClockId, clock_gettime};

/// How often each figure is taken; its median is reported.
pub(crate) const RUNS: usize = 5;

/// The median over [`RUNS`] runs.
pub(crate) fn median(figures: &mut [f64]) -> f64 {
    quantile(figures, 0.5)
}

/// The figure below which this part of all figures lies.
pub(crate) fn quantile(figures: &mut [f64], part: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[((figures.len() - 1) as f64 * part).round() as usize]
}

/// CPU time that this process has used, in microseconds.
pub(crate) fn own_cpu_us() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

/// CPU time that another process has used, in microseconds, in the kernel's ticks of 10 ms.
pub(crate) fn cpu_us(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    let fields: Vec<&str> = stat.rsplit_once(')').expect("proc(5)").1.split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks * 1e4
}

/// Memory that another process holds, in kB.
pub(crate) fn resident_kb(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("proc(5)");
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// How long the future takes, in milliseconds.
pub(crate) async fn wall_ms<T>(clock: &Clock, work: impl Future<Output = T>) -> (f64, T) {
    let start = clock.monotonic();
    let outcome = work.await;
    (millis(clock.monotonic() - start), outcome)
}

pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
