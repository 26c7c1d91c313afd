//! Where a proxy listens and forwards: ghostunnel's rules on which sockets either side may be, in its order.

use crate::{Address, ProxyError};

/// A server's backend, which is reached in the clear: on this machine, unless it was said otherwise.
pub(super) fn server_target(text: &str, anywhere: bool) -> Result<Address, ProxyError> {
    if !anywhere && !Address::is_local(text) {
        return Err(ProxyError::UnsafeTarget);
    }
    match parse("--target", text)? {
        Address::Passed(_) => Err(ProxyError::PassedTarget),
        target => Ok(target),
    }
}

/// Where a client's callers connect, in the clear, and use its identity: on this machine, unless it was said otherwise.
pub(super) fn check_client_listen(text: &str, anywhere: bool) -> Result<(), ProxyError> {
    if anywhere || Address::is_local(text) { Ok(()) } else { Err(ProxyError::UnsafeListen) }
}

/// A client's server, and the host in its address.
pub(super) fn client_target(text: &str) -> Result<(Address, String), ProxyError> {
    let target = parse("--target", text)?;
    let network = match &target {
        Address::Tcp { host, .. } => {
            let host = host.clone();
            return Ok((target, host));
        }
        Address::Unix(_) => "unix",
        Address::Passed(_) => "systemd",
    };
    Err(ProxyError::ClientTarget { network })
}

/// Either proxy's own socket. ghostunnel reads it last, when it opens it.
pub(super) fn listen(text: &str) -> Result<Address, ProxyError> {
    parse("--listen", text)
}

fn parse(flag: &'static str, text: &str) -> Result<Address, ProxyError> {
    Address::parse(text).map_err(|cause| ProxyError::Address { flag, cause })
}
