//! Before the first stage, attest: a node that already has an identity shows it, and gets an agent's in exchange.
//!
//! The agent's half of x509pop in SPIRE's mode `spiffe`. Another agent, on the host of a virtual machine say, gives this
//! process an X.509-SVID over its Workload API; the server takes it when it is of its own trust domain and below the path
//! that it was told (`svid_prefix`). What is proven, and how, is [`finial_attest`]'s; what is fetched, [`finial_receive`]'s.

#[cfg(test)]
mod tests;

use std::time::Duration;

use async_trait::async_trait;
use finial_attest::{AttestError, NodeEvidenceSource, Possession};
use finial_daemon::{Clock, Elapsed};
use finial_identity::X509Credential;
use finial_receive::{Endpoint, connect};
use finial_wire::client::WorkloadClient;
use futures_util::StreamExt;
use tonic::Status;

const KIND: &str = "x509pop";
/// How long the other agent may take to give an SVID.
const LIMIT: Duration = Duration::from_secs(10);

/// Shows the first X.509-SVID that a Workload API gives to this process, fetched anew for each attestation.
#[derive(Debug)]
pub struct SpiffeEvidence {
    endpoint: Endpoint,
    clock: Clock,
    shown: Option<Possession>,
}

impl SpiffeEvidence {
    /// Evidence from the Workload API at `endpoint`, which is not asked yet.
    pub fn new(endpoint: Endpoint, clock: Clock) -> Self {
        Self { endpoint, clock, shown: None }
    }

    async fn fetch(&self) -> Result<X509Credential, FetchError> {
        let endpoint = || self.endpoint.to_string();
        let refused = |source| FetchError::Refused { endpoint: endpoint(), source };
        let first = async {
            let mut contexts =
                WorkloadClient::new(connect(&self.endpoint)).x509_svids().await.map_err(refused)?;
            let context = contexts.next().await.transpose().map_err(refused)?;
            let credential = context.and_then(|context| context.credentials.into_iter().next());
            credential.ok_or_else(|| FetchError::None { endpoint: endpoint() })
        };
        let fetched = self.clock.timeout(LIMIT, first).await;
        fetched.map_err(|source| FetchError::Late { endpoint: endpoint(), source })?
    }
}

#[async_trait]
impl NodeEvidenceSource for SpiffeEvidence {
    fn kind(&self) -> &str {
        KIND
    }

    async fn payload(&mut self) -> Result<Vec<u8>, AttestError> {
        let credential = self
            .fetch()
            .await
            .map_err(|error| AttestError::Unavailable { kind: KIND, source: Box::new(error) })?;
        let (chain, key) = (credential.svid().chain().to_vec(), credential.key().to_rustls());
        Ok(self.shown.insert(Possession::new(chain, &key)?).payload())
    }

    async fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>, AttestError> {
        let unasked =
            || AttestError::Evidence { problem: "the server's challenge came too early".to_owned() };
        self.shown.as_ref().ok_or_else(unasked)?.respond(challenge)
    }
}

/// Why there is no SVID to show.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("the workload api at {endpoint} gives this process no x509-svid")]
    Refused { endpoint: String, source: Status },
    #[error("the workload api at {endpoint} has no x509-svid for this process")]
    None { endpoint: String },
    #[error("the workload api at {endpoint} gave no answer")]
    Late { endpoint: String, source: Elapsed },
}
