//! The limits on repeated items and on texts.

use tonic::Status;

use crate::MAX_BATCH;
use crate::error::WireError;

/// Refuses a batch of more than [`MAX_BATCH`].
pub(crate) fn check(what: &'static str, count: usize) -> Result<(), Status> {
    at_most(MAX_BATCH, what, count).map_err(WireError::refusal)
}

/// Refuses more items than the limit.
pub(crate) fn at_most(limit: usize, what: &'static str, count: usize) -> Result<(), WireError> {
    if count > limit {
        return Err(WireError::TooMany { what, count, limit });
    }
    Ok(())
}

/// Refuses a text of more bytes than the limit.
pub(crate) fn no_longer_than(limit: usize, what: &'static str, bytes: usize) -> Result<(), WireError> {
    if bytes > limit {
        return Err(WireError::TooLong { what, bytes, limit });
    }
    Ok(())
}
