//! Where the Workload API is, as spiffe-helper's file and environment name it.

use finial_receive::{ENDPOINT_VARIABLE, Endpoint, ReceiveError};

use super::keys::Keys;

/// Where SPIRE's agent, and so ours, serves the Workload API unless it is told otherwise.
const SOCKET_PATH: &str = "/tmp/spire-agent/public/api.sock";

/// `None` when it cannot be read, which is kept as a fault.
pub(super) fn read(top: &mut Keys, variable: Option<&str>) -> Option<Endpoint> {
    if let Some(text) = top.text("agent_address") {
        return parse(&text).map_err(|error| top.fault_at("agent_address", &error.to_string())).ok();
    }
    match variable.filter(|text| !text.is_empty()) {
        Some(text) => parse(text).map_err(|error| top.fault(&format!("{ENDPOINT_VARIABLE}: {error}"))).ok(),
        None => Some(default()),
    }
}

pub(super) fn default() -> Endpoint {
    Endpoint::Unix(SOCKET_PATH.into())
}

/// A path, which spiffe-helper wants, or an address as SPIFFE writes it.
fn parse(text: &str) -> Result<Endpoint, ReceiveError> {
    match text.starts_with('/') {
        true => Ok(Endpoint::Unix(text.into())),
        false => Endpoint::parse(text),
    }
}
