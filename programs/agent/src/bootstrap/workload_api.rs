//! The bundle as another agent gives it, for an agent that is itself a workload of that one.

use std::time::Duration;

use finial_daemon::Clock;
use finial_identity::{Bundle, TrustDomain};
use finial_receive::{Endpoint, connect};
use finial_wire::client::WorkloadClient;
use futures_util::StreamExt;
use tonic::{Code, Status};

use crate::channel::problem;

/// How long the other agent may take for its first answer.
const LIMIT: Duration = Duration::from_secs(30);

/// Why the other agent gave no bundle.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{}; create an entry there that selects this agent, or allow unauthenticated verifiers", problem(.0))]
    Denied(Status),
    #[error("{}", problem(.0))]
    Failed(Status),
    #[error("it has no bundle of `{0}`: point at an agent of that trust domain, or federate with it")]
    Absent(TrustDomain),
}

impl Refusal {
    /// A refusal may be waited out: the entry may be on its way.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Denied(_) | Self::Absent(_) => true,
            Self::Failed(status) => !matches!(status.code(), Code::InvalidArgument | Code::Unimplemented),
        }
    }
}

/// Its bundle of `trust_domain`, X.509 authorities only.
pub(super) async fn bundle(
    endpoint: &Endpoint,
    trust_domain: &TrustDomain,
    clock: &Clock,
) -> Result<Bundle, Refusal> {
    let client = WorkloadClient::new(connect(endpoint));
    let first = async {
        let mut updates = client.x509_bundles().await?;
        updates.next().await.unwrap_or_else(|| Err(Status::unavailable("the stream ended without an answer")))
    };
    let answer = clock.timeout(LIMIT, first).await;
    let answer = answer.unwrap_or_else(|late| Err(Status::deadline_exceeded(late.to_string())));
    let bundles = answer.map_err(|status| match status.code() {
        Code::PermissionDenied => Refusal::Denied(status),
        _ => Refusal::Failed(status),
    })?;
    let bundle = bundles.bundle(trust_domain).ok_or_else(|| Refusal::Absent(trust_domain.clone()))?;
    Ok(Bundle::clone(bundle))
}
