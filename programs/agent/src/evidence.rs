//! What a node shows to its server, and the showing of it.

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use finial_attest::{AttestError, NodeEvidenceSource};
use finial_daemon::{Backoff, Clock, jitter};
use finial_identity::{CertificateRequest, PrivateKey, TrustDomain, X509Credential};
use finial_wire::client::{AgentClient, Responder};
use finial_wire::{NodeEvidence, retry_after};
use tonic::Status;
use tonic::transport::Channel;

use crate::channel::{self, answer};
use crate::loss::Verdict;

/// What a server gives for evidence that convinced it.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) credential: X509Credential,
    pub(crate) can_reattest: bool,
}

/// Shows evidence once, with a key for the SVID that it shall bring.
///
/// # Errors
/// The server's refusal as a [`Status`] in the chain, or why there is no evidence, or what is wrong with the answer.
pub(crate) async fn show(
    evidence: &mut dyn NodeEvidenceSource,
    key: &PrivateKey,
    trust_domain: &TrustDomain,
    channel: &Channel,
    clock: &Clock,
) -> anyhow::Result<Admission> {
    let shown = NodeEvidence { kind: evidence.kind().to_owned(), payload: evidence.payload().await? };
    let request = CertificateRequest::create(key, None)?;
    let client = AgentClient::new(channel.clone());
    let mut answers = Answers(evidence);
    let result = answer(clock, client.attest_agent(shown, request, &mut answers)).await?;
    let credential = X509Credential::new(result.svid, key.clone(), String::new())
        .context("the server answered with an SVID for another key")?;
    let id = credential.svid().id();
    anyhow::ensure!(
        id.is_member_of(trust_domain) && id.is_agent(),
        "the server answered with the SVID of {id}, which is no agent of {trust_domain}"
    );
    Ok(Admission { credential, can_reattest: result.can_reattest })
}

/// Whether showing the evidence once more may end otherwise: the server was not reached, or was in trouble itself; or
/// whoever has the evidence was.
pub(crate) fn is_passing(error: &anyhow::Error) -> bool {
    match (error.downcast_ref::<Status>(), error.downcast_ref::<AttestError>()) {
        (Some(status), _) => Verdict::on(status) == Verdict::Passing,
        (None, Some(error)) => matches!(error, AttestError::Unavailable { .. }),
        (None, None) => false,
    }
}

/// How long to wait after a failure: not less than the server has told.
pub(crate) fn retry_in(backoff: &mut Backoff, error: &anyhow::Error) -> Duration {
    let told = error.downcast_ref::<Status>().and_then(retry_after).unwrap_or_default();
    // Those who are told the same do not come back together.
    backoff.next().max(told + jitter(told / 8, 1.0))
}

/// What went wrong with an attestation or renewal, in one line.
pub(crate) fn problem(error: &anyhow::Error) -> String {
    error.downcast_ref::<Status>().map_or_else(|| format!("{error:#}"), channel::problem)
}

/// Lets the evidence answer the server's challenges.
struct Answers<'a>(&'a mut dyn NodeEvidenceSource);

#[async_trait]
impl Responder for Answers<'_> {
    async fn respond(&mut self, challenge: Vec<u8>) -> Result<Vec<u8>, Status> {
        self.0.respond(&challenge).await.map_err(|error| Status::failed_precondition(error.to_string()))
    }
}
