//! The header that every Workload API call carries, so that a forged request from a browser or a proxy cannot pass for
//! one (SPIFFE Workload Endpoint §3).

use tonic::Status;
use tonic::metadata::MetadataMap;

/// The header's name.
pub(crate) const NAME: &str = "workload.spiffe.io";

/// Refuses a request without exactly one such header with the value `true` (WEP-04).
pub(super) fn check(metadata: &MetadataMap) -> Result<(), Status> {
    let mut values = metadata.get_all(NAME).iter();
    match (values.next(), values.next()) {
        (Some(value), None) if value.as_bytes() == b"true" => Ok(()),
        _ => Err(Status::invalid_argument("security header missing from request")),
    }
}
