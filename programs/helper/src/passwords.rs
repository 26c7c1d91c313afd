//! The password of keystores, read each time one is written, so that it may change while the helper runs.

use std::io::{self, ErrorKind, Read};
use std::path::Path;

use zeroize::Zeroizing;

use crate::DeliverError;

/// The longest file, in bytes.
const MAX_BYTES: u64 = 4096;

/// The first line of the file.
pub(crate) async fn read(path: &Path) -> Result<Zeroizing<String>, DeliverError> {
    let file = path.to_owned();
    let read = tokio::task::spawn_blocking(move || first_line(&file)).await;
    let read = read.unwrap_or_else(|aborted| Err(io::Error::other(aborted)));
    read.map_err(|cause| DeliverError::Password { path: path.to_owned(), cause })
}

/// The same, waiting for the disk.
pub(crate) fn first_line(path: &Path) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::with_capacity(MAX_BYTES as usize + 1));
    std::fs::File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    let refuse = |problem: &str| Err(io::Error::new(ErrorKind::InvalidData, problem));
    if text.len() as u64 > MAX_BYTES {
        return refuse("it is longer than 4096 bytes");
    }
    match text.lines().next() {
        None | Some("") => refuse("its first line is empty: write the password there"),
        Some(line) => Ok(Zeroizing::new(line.to_owned())),
    }
}
