//! The services: each answers in nouns from the index, and changes the store.

mod agent;
mod bundle;
mod debug;
mod entry;
mod local_authority;
mod logger;
mod svid;

use std::sync::Arc;

use finial_daemon::Tasks;
use finial_provide::Changes;
use finial_receive::Source;
use finial_wire::server::{
    agent_service, bundle_service, changes_service, entry_service, local_authority_service,
    server_debug_service, server_logger_service, svid_service,
};
use tonic::service::Routes;

use crate::core::Core;
use agent::AgentEndpoint;
use bundle::BundleEndpoint;
use debug::DebugEndpoint;
use entry::EntryEndpoint;
use local_authority::LocalAuthorityEndpoint;
use logger::LoggerEndpoint;
use svid::SvidEndpoint;

/// The services of both listeners.
pub(crate) fn routes(core: &Arc<Core>, tasks: &Tasks) -> Routes {
    let core = || Arc::clone(core);
    let changes = Changes::new(core().index.subscribe(), core().connection_age, &core().clock, tasks);
    Routes::new(agent_service(Arc::new(AgentEndpoint::new(core()))))
        .add_service(entry_service(Arc::new(EntryEndpoint::new(core()))))
        .add_service(bundle_service(Arc::new(BundleEndpoint::new(core()))))
        .add_service(svid_service(Arc::new(SvidEndpoint::new(core()))))
        .add_service(local_authority_service(Arc::new(LocalAuthorityEndpoint::new(core()))))
        .add_service(changes_service(Arc::new(changes)))
}

/// The services of the Unix socket alone.
pub(crate) fn local_routes(common: Routes, core: &Arc<Core>, source: Source) -> Routes {
    let debug = DebugEndpoint::new(Arc::clone(core), source);
    common
        .add_service(server_debug_service(Arc::new(debug)))
        .add_service(server_logger_service(Arc::new(LoggerEndpoint)))
}
