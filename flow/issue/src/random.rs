//! Numbers and names that nobody can guess.

use crate::IssueError;

const ALPHANUMERICS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A certificate's serial number: 1 to 2^128 − 1 (RFC 5280 §4.1.2.2 allows up to 20 bytes, and wants it positive).
pub(crate) fn serial_number() -> Result<u128, IssueError> {
    loop {
        let mut bytes = [0; 16];
        fill(&mut bytes)?;
        match u128::from_be_bytes(bytes) {
            0 => {}
            serial => return Ok(serial),
        }
    }
}

/// The ID of a JWT authority: 32 characters of `[A-Za-z0-9]`, as SPIRE makes them.
pub(crate) fn key_id() -> Result<String, IssueError> {
    let mut id = String::with_capacity(32);
    while id.len() < 32 {
        let mut bytes = [0; 64];
        fill(&mut bytes)?;
        // Six bits choose among 64; the two that have no character are drawn again, so that none is likelier.
        let chosen = bytes.iter().filter_map(|byte| ALPHANUMERICS.get(usize::from(byte & 0x3f)));
        id.extend(chosen.take(32 - id.len()).map(|&byte| char::from(byte)));
    }
    Ok(id)
}

fn fill(bytes: &mut [u8]) -> Result<(), IssueError> {
    aws_lc_rs::rand::fill(bytes).map_err(|_| IssueError::Random)
}
