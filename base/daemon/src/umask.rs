//! The file mode mask of the process.

#[cfg(test)]
mod tests;

use rustix::fs::Mode;
use rustix::process::umask;

/// What nobody but owner and group may ever be given by default.
const FLOOR: Mode = Mode::from_raw_mode(0o027);

/// Makes the process's mask at least 0027, as SPIRE does: new files are never writable by the group nor open to
/// others. Bits that the mask already has stay. Call it first in a program, before other threads create files.
pub fn restrict() {
    let inherited = umask(FLOOR);
    umask(inherited | FLOOR);
}
