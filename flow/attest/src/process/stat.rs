//! What is read from the text files of `/proc/<pid>`.

/// The effective ids of a process, and its supplementary groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
}

impl Ids {
    /// Parses `/proc/<pid>/status`. The lines of ids hold the real, effective, saved and file system id.
    pub(crate) fn parse(status: &[u8]) -> Option<Self> {
        let groups = line(status, "Groups:")?.map(|group| group.parse().ok()).collect::<Option<_>>()?;
        Some(Self { uid: effective(status, "Uid:")?, gid: effective(status, "Gid:")?, groups })
    }
}

/// The process id in `/proc/self/fdinfo/<pidfd>`: 0 when `/proc` cannot see the process, -1 when it has been reaped.
pub(super) fn fdinfo_pid(fdinfo: &[u8]) -> Option<i32> {
    line(fdinfo, "Pid:")?.next()?.parse().ok()
}

fn effective(status: &[u8], label: &str) -> Option<u32> {
    line(status, label)?.nth(1)?.parse().ok()
}

/// The words of the line with this label. The only line that a process writes itself, `Name:`, has its line breaks
/// escaped by the kernel.
fn line<'a>(text: &'a [u8], label: &str) -> Option<impl Iterator<Item = &'a str>> {
    let words = text.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(label.as_bytes()))?;
    Some(std::str::from_utf8(words).ok()?.split_ascii_whitespace())
}
