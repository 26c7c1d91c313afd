//! The file `/proc/<pid>/cgroup`: a line for each hierarchy of control groups.

use std::borrow::Cow;
use std::io;

/// The paths of all hierarchies, version 1 (`4:memory:/docker/…`) and 2 (`0::/…`) alike. The kernel allows no line
/// break in a name, and a name that is not UTF-8 is no container's.
pub(super) fn paths(text: &[u8]) -> Vec<Cow<'_, str>> {
    let lines = text.split(|&byte| byte == b'\n');
    // A path may hold colons of its own.
    lines
        .filter_map(|line| line.splitn(3, |&byte| byte == b':').nth(2))
        .map(String::from_utf8_lossy)
        .collect()
}

/// The agent's own file.
pub(super) fn own() -> io::Result<Vec<u8>> {
    std::fs::read("/proc/self/cgroup")
}
