//! When to ask again: travels with a refusal, so that those who were refused together do not come back together.

#[cfg(test)]
mod tests;

use std::time::Duration;

use prost::Message;
use prost_types::Any;
use tonic::{Code, Status};

use crate::proto::rpc;

const TYPE_URL: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// What gRPC's own retries heed: milliseconds, in the trailers.
const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<prost_types::Duration>,
}

/// A refusal that says after what time to ask again: for programs in `google.rpc.RetryInfo` and
/// `grpc-retry-pushback-ms`. What people read is the caller's `message`.
pub fn refused_until(code: Code, message: impl Into<String>, after: Duration) -> Status {
    let message = message.into();
    // A Duration of the wire holds some ten thousand years.
    let retry_delay = prost_types::Duration::try_from(after).ok();
    let details = rpc::Status {
        code: code.into(),
        message: message.clone(),
        details: vec![Any {
            type_url: TYPE_URL.to_owned(),
            value: RetryInfo { retry_delay }.encode_to_vec(),
        }],
    };
    let mut status = Status::with_details(code, message, details.encode_to_vec().into());
    if let Ok(pushback) = after.as_millis().to_string().parse() {
        status.metadata_mut().insert(PUSHBACK, pushback);
    }
    status
}

/// The longest time that a server is believed: what its callers hold lives on meanwhile, and not for ever.
const LONGEST: Duration = Duration::from_mins(5);

/// After what time to ask again, if a refusal says so: five minutes at most.
pub fn retry_after(status: &Status) -> Option<Duration> {
    let details = rpc::Status::decode(status.details()).ok()?.details;
    let details = details.iter().find(|any| any.type_url == TYPE_URL)?;
    let delay = RetryInfo::decode(details.value.as_slice()).ok()?.retry_delay?;
    Duration::try_from(delay).ok().map(|delay| delay.min(LONGEST))
}
