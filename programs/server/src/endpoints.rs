//! The services: each answers in nouns from the index, and changes the store.

mod agent;
mod bundle;
mod entry;
mod local_authority;
mod svid;

use std::sync::Arc;

use finial_daemon::Drain;
use finial_provide::Changes;
use finial_wire::server::{
    agent_service, bundle_service, changes_service, entry_service, local_authority_service, svid_service,
};
use tonic::service::Routes;

use crate::core::Core;
use crate::listener::CONNECTION_AGE;
use agent::AgentEndpoint;
use bundle::BundleEndpoint;
use entry::EntryEndpoint;
use local_authority::LocalAuthorityEndpoint;
use svid::SvidEndpoint;

/// The services of both listeners.
pub(crate) fn routes(core: &Arc<Core>, drain: Drain) -> Routes {
    let core = || Arc::clone(core);
    let changes = Changes::new(core().index.subscribe(), CONNECTION_AGE, &core().clock, drain);
    Routes::new(agent_service(Arc::new(AgentEndpoint::new(core()))))
        .add_service(entry_service(Arc::new(EntryEndpoint::new(core()))))
        .add_service(bundle_service(Arc::new(BundleEndpoint::new(core()))))
        .add_service(svid_service(Arc::new(SvidEndpoint::new(core()))))
        .add_service(local_authority_service(Arc::new(LocalAuthorityEndpoint::new(core()))))
        .add_service(changes_service(Arc::new(changes)))
}
