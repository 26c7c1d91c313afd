//! One batch of X.509-SVIDs: a fresh key for each entry, one call, and the check of what comes back.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_daemon::Clock;
use finial_identity::{CertificateRequest, Entry, EntryId, KeyKind, PrivateKey, X509Credential, X509Svid};
use tokio::sync::watch;
use tonic::Status;

use super::admission::Anchors;
use super::snapshot::AgentSnapshot;
use super::upstream::Upstream;

/// How long the server may take for a batch.
const CALL_LIMIT: Duration = Duration::from_secs(30);

/// A batch that has come back.
#[derive(Debug)]
pub(super) struct Batch {
    /// What was asked for.
    pub(super) entries: Vec<EntryId>,
    /// What came of it, or why the whole call failed.
    pub(super) issued: Result<Vec<Checked>, Status>,
}

/// What the server gave for one entry, not yet checked.
#[derive(Debug)]
struct Answer {
    entry: Arc<Entry>,
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

/// Makes a key for each entry, has the server sign it, and checks the answers against the bundle that is trusted when
/// they are handed over. The keys never leave this process but to their workload.
pub(super) async fn issue(
    upstream: Arc<dyn Upstream>,
    clock: Clock,
    kind: KeyKind,
    batch: Vec<Arc<Entry>>,
    snapshots: watch::Receiver<Arc<AgentSnapshot>>,
) -> Batch {
    let entries = batch.iter().map(|entry| entry.id.clone()).collect();
    let issued = match ask(upstream, &clock, kind, batch).await {
        Ok(answers) => Ok(check(answers, &clock, snapshots).await),
        Err(status) => Err(status),
    };
    Batch { entries, issued }
}

async fn ask(
    upstream: Arc<dyn Upstream>,
    clock: &Clock,
    kind: KeyKind,
    batch: Vec<Arc<Entry>>,
) -> Result<Vec<Answer>, Status> {
    let prepared = tokio::task::spawn_blocking(move || prepare(batch, kind)).await;
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

/// Checks a batch away from the runtime's threads, and again when the bundle has changed meanwhile: the owner, which
/// changes it, does nothing between the last look at it and the end of this.
async fn check(
    answers: Vec<Answer>,
    clock: &Clock,
    snapshots: watch::Receiver<Arc<AgentSnapshot>>,
) -> Vec<Checked> {
    let answers = Arc::new(answers);
    loop {
        let bundle = Arc::clone(snapshots.borrow().bundle());
        let (asked, anchors, now) = (Arc::clone(&answers), Anchors::of(&bundle), clock.now());
        let check_all = move || asked.iter().map(|answer| check_one(answer, &anchors, now)).collect();
        let checked = tokio::task::spawn_blocking(check_all).await.unwrap_or_else(|error| {
            tracing::error!(%error, "the check of a batch of SVIDs was aborted");
            Vec::new()
        });
        if Arc::ptr_eq(&bundle, snapshots.borrow().bundle()) {
            return checked;
        }
    }
}

fn check_one(answer: &Answer, anchors: &Anchors, now: SystemTime) -> Checked {
    let entry = Arc::clone(&answer.entry);
    let admitted = match &answer.svid {
        Ok(svid) => {
            let admitted = anchors.admit(&entry, answer.key.clone(), svid.clone(), now);
            admitted.map_err(|refusal| describe(&refusal))
        }
        Err(status) => Err(status.message().to_owned()),
    };
    match admitted {
        Ok((credential, stands)) => Checked { entry, credential: Ok(credential), stands },
        Err(problem) => Checked { entry, credential: Err(problem), stands: false },
    }
}

type Prepared = (Arc<Entry>, PrivateKey, Vec<u8>);

fn prepare(entries: Vec<Arc<Entry>>, kind: KeyKind) -> Result<Vec<Prepared>, Status> {
    let prepare = |entry: Arc<Entry>| {
        let key = PrivateKey::generate(kind).map_err(|error| internal(&error))?;
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
