//! The services, as traits that speak nouns, and the adapters that put them on the wire.
//!
//! Each method takes the request's [`Extensions`]: what the layers in front learned about the caller. Its error goes to
//! the caller as it is.

mod agent;
mod arrivals;
mod attest;
mod authority;
mod bundle;
mod changes;
mod debug;
mod delegated;
mod ending;
mod entry;
mod explain;
mod gathered;
mod local_authority;
mod logger;
mod names;
mod secrets;
mod security_header;
mod svid;
mod sync;
mod watched;
mod workload;

use std::convert::Infallible;

use http::{Request, Response};
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::server::NamedService;
use tonic::{Extensions, Status};

pub use agent::{AgentApi, agent_service};
pub use arrivals::Arrivals;
pub use attest::Dialogue;
pub use authority::MendedAuthority;
pub use bundle::{BundleApi, bundle_service};
pub use changes::{ChangesApi, changes_service};
pub use debug::{AgentDebugApi, ServerDebugApi, agent_debug_service, server_debug_service};
pub use delegated::{DelegatedIdentityApi, delegated_identity_service};
pub use ending::Ending;
pub use entry::{Created, EntryApi, entry_service};
pub use explain::{ExplainApi, explain_service};
pub use gathered::Gathered;
pub use local_authority::{LocalAuthorityApi, local_authority_service};
pub use logger::{LoggerApi, agent_logger_service, server_logger_service};
pub use names::{metric_key, service_and_method};
pub use secrets::{Messages, SecretApi, secret_service};
pub(crate) use security_header::NAME as SECURITY_HEADER;
pub use svid::{SvidApi, svid_service};
pub use watched::{CallWatcher, Watched, WatchedCall, watched};
pub use workload::{WorkloadApi, workload_service};

/// A service that `tonic::transport::Server::add_service` takes.
pub trait GrpcService:
    Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send + 'static>
    + NamedService
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> GrpcService for S where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send + 'static>
        + NamedService
        + Clone
        + Send
        + Sync
        + 'static
{
}

fn split<T>(request: tonic::Request<T>) -> (Extensions, T) {
    let (_, extensions, message) = request.into_parts();
    (extensions, message)
}

/// The answer of an RPC that upstream has and this version does not serve.
fn not_served<T>(rpc: &str) -> Result<T, Status> {
    Err(Status::unimplemented(format!("{rpc} is not served by this version")))
}
