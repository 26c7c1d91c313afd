//! Explanations of the test's own process.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use finial_attest::{AttestError, PinnedProcess, WorkloadAttestor, WorkloadAttestors};
use finial_identity::{Entry, Selector};
use finial_wire::Explanation;
use finial_wire::server::ExplainApi;
use tonic::{Code, Extensions};

use super::Explainer;
use crate::agent::testing::{Agent, LIFE, draft, entry, spiffe_id, start_of_time};

/// Finds `found`, or fails when that is nothing.
#[derive(Debug)]
struct Fixed {
    kind: &'static str,
    found: &'static [&'static str],
}

#[async_trait]
impl WorkloadAttestor for Fixed {
    fn kind(&self) -> &str {
        self.kind
    }

    async fn attest(&self, process: &PinnedProcess) -> Result<Vec<Selector>, AttestError> {
        if self.found.is_empty() {
            return Err(AttestError::Restless { pid: process.pid() });
        }
        Ok(self.found.iter().map(|value| Selector::new(self.kind, value).unwrap()).collect())
    }
}

struct Case {
    agent: Agent,
    explainer: Explainer,
}

impl Case {
    /// An agent with these entries; this process has uid 1 and gid 2, and `docker` cannot say anything.
    fn new(entries: impl IntoIterator<Item = Entry>) -> Self {
        let docker = Fixed { kind: "docker", found: &[] };
        Self::with(entries, [Fixed { kind: "unix", found: &["uid:1", "gid:2"] }, docker])
    }

    fn with(entries: impl IntoIterator<Item = Entry>, attestors: impl IntoIterator<Item = Fixed>) -> Self {
        let agent = Agent::start(entries);
        let attestors = attestors.into_iter().map(|attestor| Arc::new(attestor) as Arc<dyn WorkloadAttestor>);
        let attestors = WorkloadAttestors::new(attestors, Duration::from_secs(10), agent.clock.clone());
        let id = spiffe_id("/spire/agent/test/one");
        let explainer = Explainer::new(agent.cache.clone(), Arc::new(attestors), id);
        Self { agent, explainer }
    }

    async fn explain(&self) -> Explanation {
        let pid = i32::try_from(std::process::id()).unwrap();
        self.explainer.explain(&Extensions::new(), pid).await.unwrap()
    }
}

fn summary(explanation: &Explanation) -> &str {
    let (_, rest) = explanation.summary.split_once(" is served ").unwrap();
    rest
}

fn lacking(explanation: &Explanation) -> Vec<(String, String)> {
    let text = |miss: &finial_wire::ExplainedMiss| {
        let lacking: Vec<_> = miss.lacking.iter().map(ToString::to_string).collect();
        (miss.entry.to_string(), lacking.join(","))
    };
    explanation.misses.iter().map(text).collect()
}

#[tokio::test]
async fn identity_is_told_with_its_end_and_its_renewal() {
    let case = Case::new([entry("web", draft("web", &["unix:uid:1"]))]);
    case.agent.catch_up().await;
    let explanation = case.explain().await;
    assert_eq!(summary(&explanation), "spiffe://example.org/web");
    let svid = explanation.matches[0].served.as_ref().unwrap();
    assert!(svid.expires_at <= start_of_time() + LIFE && svid.expires_at > start_of_time());
    let renews_at = svid.renews_at.unwrap();
    assert!(renews_at > start_of_time() && renews_at < svid.expires_at, "{svid:?}");
    assert_eq!(explanation.entries, 2);
    assert!(explanation.last_sync.is_some() && explanation.sync_failure.is_none());
}

#[tokio::test]
async fn process_is_described() {
    let case = Case::new([]);
    let process = case.explain().await.process;
    assert_eq!(process.pid, i32::try_from(std::process::id()).unwrap());
    let path = std::env::current_exe().unwrap();
    assert_eq!(process.path.as_deref(), path.to_str());
}

#[tokio::test]
async fn each_attestor_is_told_with_what_it_found_or_why_it_failed() {
    let explanation = Case::new([]).explain().await;
    let [unix, docker] = explanation.attestors.as_slice() else { panic!("{explanation:?}") };
    assert_eq!((unix.name.as_str(), unix.found.as_ref().unwrap().len()), ("unix", 2));
    let failure = docker.found.as_ref().unwrap_err();
    assert!(docker.name == "docker" && failure.contains("kept changing its program"), "{failure}");
}

#[tokio::test]
async fn entries_that_miss_are_told_by_what_lacks_the_nearest_first() {
    let case = Case::new([
        entry("far", draft("far", &["unix:uid:1", "unix:gid:3", "docker:label:a"])),
        entry("stranger", draft("stranger", &["unix:uid:3"])),
        entry("near", draft("near", &["unix:uid:1", "unix:gid:2", "docker:label:a"])),
    ]);
    case.agent.soon(|snapshot| snapshot.is_synced()).await;
    let explanation = case.explain().await;
    let expected =
        [("near", "docker:label:a"), ("stranger", "unix:uid:3"), ("far", "docker:label:a,unix:gid:3")];
    let expected = expected.map(|(entry, lacking)| (entry.to_owned(), lacking.to_owned()));
    assert_eq!(lacking(&explanation), expected);
    assert_eq!(
        summary(&explanation),
        "nothing: no entry matches; the nearest, near, asks for docker:label:a"
    );
}

#[tokio::test]
async fn no_more_is_told_than_fits_on_a_screen() {
    let strangers = (0..30).map(|n| entry(&format!("e{n}"), draft(&format!("e{n}"), &["unix:uid:9"])));
    let case = Case::new(strangers);
    case.agent.soon(|snapshot| snapshot.is_synced()).await;
    let explanation = case.explain().await;
    assert_eq!((explanation.misses.len(), explanation.further_misses), (8, 22));
}

#[tokio::test]
async fn agent_without_entries_is_told_what_to_do() {
    let case = Case::new([]);
    case.agent.soon(|snapshot| snapshot.is_synced()).await;
    let advice = "nothing: there is no entry for this agent; \
                  create one with -parentID spiffe://example.org/spire/agent/test/one";
    assert_eq!(summary(&case.explain().await), advice);
}

#[tokio::test]
async fn agent_that_has_not_heard_its_server_says_so() {
    let agent = Case::new([entry("web", draft("web", &["unix:uid:1"]))]);
    agent.agent.server.go_away(true);
    let explanation = agent.explain().await;
    assert!(
        summary(&explanation).starts_with("nothing: the agent has not heard its server"),
        "{explanation:?}"
    );
}

#[tokio::test]
async fn servers_refusal_is_told() {
    let case = Case::new([]);
    case.agent.catch_up().await;
    case.agent.server.issue_for(Some(spiffe_id("/another")));
    case.agent.server.put(entry("web", draft("web", &["unix:uid:1"])));
    let explanation = loop {
        case.agent.pass(Duration::from_millis(200));
        tokio::task::yield_now().await;
        let explanation = case.explain().await;
        if explanation.summary.contains("gave no X.509-SVID") {
            break explanation;
        }
    };
    let obstacle = explanation.matches[0].served.as_ref().unwrap_err();
    assert!(obstacle.contains("the SVID is for `spiffe://example.org/another`"), "{obstacle}");
}

#[tokio::test]
async fn entry_whose_hint_is_taken_and_one_for_a_store_say_so() {
    let mut first = draft("first", &["unix:uid:1"]);
    first.hint = "web".to_owned();
    let mut second = draft("second", &["unix:uid:1"]);
    second.hint = "web".to_owned();
    let mut stored = draft("stored", &["unix:uid:1"]);
    stored.store_svid = true;
    let case = Case::new([entry("a", first), entry("b", second), entry("c", stored)]);
    case.agent.catch_up().await;
    let explanation = case.explain().await;
    let [a, b, c] = explanation.matches.as_slice() else { panic!("{explanation:?}") };
    assert!(a.served.is_ok());
    assert_eq!(b.served.as_ref().unwrap_err(), "an older entry has the same hint `web`, and only one may");
    assert_eq!(c.served.as_ref().unwrap_err(), "its SVID goes into a store, not to a process");
}

#[tokio::test]
async fn process_that_nobody_recognizes_is_served_nothing() {
    let case = Case::with([], [Fixed { kind: "docker", found: &[] }]);
    case.agent.soon(|snapshot| snapshot.is_synced()).await;
    assert_eq!(summary(&case.explain().await), "nothing: workload attestation failed");
}

#[tokio::test]
async fn process_that_is_not_there_is_not_found() {
    let case = Case::new([]);
    let status = case.explainer.explain(&Extensions::new(), i32::MAX).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}
