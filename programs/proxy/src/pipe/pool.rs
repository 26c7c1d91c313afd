//! Buffers for bytes on their way. A connection that is idle holds none, and all together hold a bounded number of
//! large ones.

#[cfg(test)]
mod tests;

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

/// Nearly four full TLS records: plain or as records, what a buffer holds is one packet of loopback. With a full 64 KiB
/// each write would leave a crumb, which costs a packet of its own: an eighth of all CPU.
const LARGE: usize = 65_344;
/// For when the large ones are all in use.
const SMALL: usize = 4 * 1024;
/// Together 16 MiB.
const COUNT: usize = 256;

/// Lends buffers. Clones lend the same ones.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    shelf: Arc<Mutex<Shelf>>,
}

#[derive(Debug)]
struct Shelf {
    free: Vec<Box<[u8]>>,
    /// How many may still be made.
    unmade: usize,
}

/// A buffer, until it is dropped. What it holds at first is whatever it held last.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Box<[u8]>,
    /// Where it goes back to, unless it is a small one.
    pool: Option<Pool>,
}

impl Pool {
    pub(crate) fn new() -> Self {
        Self::of(COUNT)
    }

    fn of(count: usize) -> Self {
        Self { shelf: Arc::new(Mutex::new(Shelf { free: Vec::new(), unmade: count })) }
    }

    /// A large buffer; a small one while all large ones are lent, so that nobody waits for peers that do not read.
    pub(crate) fn take(&self) -> Buffer {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = shelf.free.pop() {
            return Buffer { bytes, pool: Some(self.clone()) };
        }
        let Some(unmade) = shelf.unmade.checked_sub(1) else {
            return Buffer { bytes: vec![0; SMALL].into(), pool: None };
        };
        shelf.unmade = unmade;
        drop(shelf);
        Buffer { bytes: vec![0; LARGE].into(), pool: Some(self.clone()) }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.take() {
            let bytes = std::mem::take(&mut self.bytes);
            pool.shelf.lock().unwrap_or_else(PoisonError::into_inner).free.push(bytes);
        }
    }
}
