//! The server as the cache sees it: six questions, so that the cache knows nothing of channels.

use std::collections::HashMap;
use std::time::SystemTime;

use async_trait::async_trait;
use finial_identity::{Audience, Bundle, EntryId, JwtSvid, TrustDomain, X509Svid};
use finial_wire::client::SyncedEntries;
use futures_util::stream::BoxStream;
use tonic::Status;

/// What the agent holds already: for each entry its revision number and the instant it was created.
pub type Known = HashMap<EntryId, (i64, SystemTime)>;

/// The newest revisions of the server's data, as they come.
pub type Revisions = BoxStream<'static, Result<u64, Status>>;

/// The server that an agent belongs to.
///
/// Calls may fail or hang: the caller limits, repeats and spaces them. An answer belongs to the agent that asked.
#[async_trait]
pub trait Upstream: Send + Sync + 'static {
    /// The entries this agent is authorized for: in full where `known` lacks them or is out of date.
    async fn sync_entries(&self, known: &Known) -> Result<SyncedEntries, Status>;

    /// An X.509-SVID for each entry and DER encoded certificate signing request, in the order of the requests.
    async fn new_x509_svids(
        &self,
        requests: Vec<(EntryId, Vec<u8>)>,
    ) -> Result<Vec<Result<X509Svid, Status>>, Status>;

    /// A JWT-SVID for the entry, meant for `audience`.
    async fn new_jwt_svid(&self, entry: &EntryId, audience: &Audience) -> Result<JwtSvid, Status>;

    /// The bundle of the agent's own trust domain.
    async fn bundle(&self) -> Result<Bundle, Status>;

    /// The bundle of a trust domain that the agent's federates with; `NotFound` when the server holds none.
    async fn federated_bundle(&self, trust_domain: &TrustDomain) -> Result<Bundle, Status>;

    /// A stream that gives the newest revision at once and after each change. `Unimplemented` when the server
    /// cannot push, which means: poll.
    async fn revisions(&self) -> Result<Revisions, Status>;
}
