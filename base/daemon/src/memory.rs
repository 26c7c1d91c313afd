//! Memory that a program needed for a moment, such as at its start.

#[cfg(test)]
mod tests;

use std::fs;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::mm::{Advice, madvise};

use crate::{Clock, Tasks};

/// How long code stays mapped that ran once: mapping again what is in use takes less than a millisecond.
const PERIOD: Duration = Duration::from_mins(1);

/// [`settle`]s now, and every minute until the tasks drain. One is enough for a process: further calls do nothing.
pub fn keep_settled(clock: &Clock, tasks: &Tasks) {
    static IS_KEPT: AtomicBool = AtomicBool::new(false);
    if IS_KEPT.swap(true, Ordering::Relaxed) {
        return;
    }
    settle();
    let (clock, drain) = (clock.clone(), tasks.drain());
    let keeping = async move {
        loop {
            clock.sleep(PERIOD).await;
            // The kernel looks at every page to tell of the mappings, which takes milliseconds when there are many.
            let _ = tokio::task::spawn_blocking(settle).await;
        }
    };
    tasks.spawn("memory", async move {
        tokio::select! {
            () = drain.requested() => {}
            () = keeping => {}
        }
    });
}

/// Gives back the pages of code and constants that were mapped so far: call it when the program has started, or has done
/// what it does seldom.
///
/// What starts (reading configuration, building every endpoint) runs through code all over the file, once. The kernel maps
/// sixteen pages around each place, and they count as memory of the process for as long as it lives: most of that of an
/// idle program. Afterwards only what is still used is mapped again, from the page cache.
///
/// Does nothing where `/proc` cannot be read.
pub fn settle() {
    let Ok(program) = fs::read_link("/proc/self/exe") else { return };
    let maps = fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    for range in unchanged(&maps, &program.to_string_lossy()) {
        drop_pages(range);
    }
}

/// The addresses of the mappings that hold what the program's file holds, and that nobody may write, in `/proc/PID/smaps`.
fn unchanged(maps: &str, program: &str) -> impl Iterator<Item = Range<usize>> {
    let mut last = None;
    maps.lines().filter_map(move |line| {
        if let Some(size) = line.strip_prefix("Anonymous:") {
            // Copies that differ from the file, such as addresses that were fitted in at the start, stay.
            return last.take().filter(|_| size.trim() == "0 kB");
        }
        if line.split(' ').next().is_some_and(|first| !first.ends_with(':')) {
            last = read_only(line).filter(|_| line.ends_with(program));
        }
        None
    })
}

/// The addresses of a mapping, if it is a private one of a file, which nobody may write.
fn read_only(mapping: &str) -> Option<Range<usize>> {
    // address perms offset dev inode path, see proc_pid_maps(5).
    let mut fields = mapping.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let is_private = matches!(fields.next()?, "r-xp" | "r--p");
    let is_file = fields.nth(2)? != "0";
    let address = |text| usize::from_str_radix(text, 16).ok();
    (is_private && is_file).then_some(address(start)?..address(end)?)
}

/// A refusal, such as for memory that is locked, leaves the pages where they are, which harms nobody.
#[expect(unsafe_code, reason = "there is no safe way to advise the kernel on memory")]
fn drop_pages(range: Range<usize>) {
    let address = std::ptr::with_exposed_provenance_mut(range.start);
    // SAFETY: the range is a mapping of this program's own file, private and not writable, and none of its pages differs from
    // the file: whoever touches one has the same bytes mapped again. Nothing changes that between the listing and now: the
    // kernel and the dynamic loader map and protect the program's file before `main`. Libraries, of which some are loaded
    // later (to resolve names), are left alone.
    let _ = unsafe { madvise(address, range.len(), Advice::LinuxDontNeed) };
}
