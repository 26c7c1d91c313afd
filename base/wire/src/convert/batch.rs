//! The limit on repeated items.

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
