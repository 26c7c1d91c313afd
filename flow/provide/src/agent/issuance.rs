//! One batch of X.509-SVIDs: a fresh key for each entry, one call, and the check of what comes back.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_daemon::Clock;
use finial_identity::{CertificateRequest, Entry, KeyKind, PrivateKey, X509Credential, X509Svid};
use tonic::Status;

use super::admission::Anchors;
use super::upstream::Upstream;

/// How long the server may take for a batch.
const CALL_LIMIT: Duration = Duration::from_secs(30);

/// What came of a batch, entry by entry, or why the whole call failed.
pub(super) type Issued = Result<Vec<Answer>, Status>;

/// What the server gave for one entry, not yet checked.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) entry: Arc<Entry>,
    key: PrivateKey,
    svid: Result<X509Svid, Status>,
}

/// An answer after the check.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) entry: Arc<Entry>,
    /// The credential, or why there is none, for the log.
    pub(super) credential: Result<X509Credential, String>,
    /// Whether it leads to an authority that stands; one that is tainted serves only until there is a better one.
    pub(super) stands: bool,
}

/// Makes a key for each entry and has the server sign it. The keys never leave this process but to their workload.
pub(super) async fn issue(upstream: Arc<dyn Upstream>, clock: Clock, entries: Vec<Arc<Entry>>) -> Issued {
    let prepared = tokio::task::spawn_blocking(move || prepare(entries)).await;
    let prepared = prepared.map_err(|error| internal(&error))??;
    let requests = prepared.iter().map(|(entry, _, csr)| (entry.id.clone(), csr.clone())).collect();
    let answer = clock.timeout(CALL_LIMIT, upstream.new_x509_svids(requests)).await;
    let svids = answer.map_err(|elapsed| Status::deadline_exceeded(elapsed.to_string()))??;
    if svids.len() != prepared.len() {
        let text = format!("{} SVIDs came for {} requests", svids.len(), prepared.len());
        return Err(Status::internal(text));
    }
    let answers = prepared.into_iter().zip(svids);
    Ok(answers.map(|((entry, key, _), svid)| Answer { entry, key, svid }).collect())
}

/// Checks a batch against the authorities that are trusted now, away from the runtime's threads.
pub(super) async fn check(answers: Vec<Answer>, anchors: Anchors, now: SystemTime) -> Vec<Checked> {
    let check_all = move || answers.into_iter().map(|answer| check_one(answer, &anchors, now)).collect();
    tokio::task::spawn_blocking(check_all).await.unwrap_or_else(|error| {
        tracing::error!(%error, "the check of a batch of SVIDs was aborted");
        Vec::new()
    })
}

fn check_one(answer: Answer, anchors: &Anchors, now: SystemTime) -> Checked {
    let Answer { entry, key, svid } = answer;
    let credential = match svid {
        Ok(svid) => anchors.admit(&entry, key, svid, now).map_err(|refusal| describe(&refusal)),
        Err(status) => Err(status.message().to_owned()),
    };
    let stands = |credential: &X509Credential| anchors.all_stand() || anchors.hold(credential.svid(), now);
    let stands = credential.as_ref().is_ok_and(stands);
    Checked { entry, credential, stands }
}

type Prepared = (Arc<Entry>, PrivateKey, Vec<u8>);

fn prepare(entries: Vec<Arc<Entry>>) -> Result<Vec<Prepared>, Status> {
    let prepare = |entry: Arc<Entry>| {
        let key = PrivateKey::generate(KeyKind::EcP256).map_err(|error| internal(&error))?;
        let csr =
            CertificateRequest::create(&key, Some(&entry.spiffe_id)).map_err(|error| internal(&error))?;
        Ok((entry, key, csr))
    };
    entries.into_iter().map(prepare).collect()
}

fn internal(error: &dyn std::error::Error) -> Status {
    Status::internal(describe(error))
}

/// An error and its causes in one line.
pub(super) fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
