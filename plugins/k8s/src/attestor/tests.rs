//! Tests of how often the kubelet is asked about a container, and what comes of it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, SystemTime};

use finial_attest::{ContainerId, PeerPidfd, PodUid};
use finial_daemon::ClockHand;
use futures_util::future::join_all;
use tokio::net::UnixStream;

use super::*;
use crate::config::KubeletPort;
use crate::kubelet::fake::{Answer, FakeKubelet};

const ID: &str = "a123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const POD: &str = "2c48913c-b29f-11e7-9350-020968147796";

fn container() -> Container {
    let id = ContainerId::parse(ID).unwrap();
    Container { id, pod_uid: PodUid::parse(POD), owner: None, is_podman: false }
}

/// The list with one pod, whose container has started or not.
fn pods(is_started: bool) -> Answer {
    let id = if is_started { format!("containerd://{ID}") } else { String::new() };
    let pod = format!(
        r#"{{"metadata":{{"name":"cart","namespace":"shop","uid":"{POD}"}},
            "status":{{"containerStatuses":[{{"name":"main","containerID":"{id}"}}]}}}}"#
    );
    Answer::Says(200, format!(r#"{{"items":[{pod}]}}"#))
}

fn no_pods() -> Answer {
    Answer::Says(200, r#"{"items":null}"#.to_owned())
}

/// An attestor that asks this kubelet.
struct Case {
    kubelet: FakeKubelet,
    attestor: K8sAttestor,
    hand: ClockHand,
    /// The machine's clock, so that a test whose wait is in vain ends.
    real: Clock,
}

impl Case {
    async fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::with(answers, |_| {}).await
    }

    async fn with(answers: impl IntoIterator<Item = Answer>, change: impl FnOnce(&mut K8sConfig)) -> Self {
        let kubelet = FakeKubelet::plain(answers).await;
        let (clock, hand) = Clock::manual(SystemTime::UNIX_EPOCH);
        let mut config = K8sConfig {
            port: KubeletPort::ReadOnly(kubelet.port()),
            node_name_env: "FINIAL_NO_SUCH_VARIABLE".to_owned(),
            ..K8sConfig::default()
        };
        change(&mut config);
        hand.step(Duration::from_hours(1));
        Self { kubelet, attestor: K8sAttestor::new(config, clock), hand, real: Clock::system() }
    }

    async fn selectors(&self, container: &Container) -> Result<Vec<String>, Shared> {
        let asked = self.attestor.selectors(container);
        tokio::pin!(asked);
        loop {
            tokio::select! {
                biased;
                found = &mut asked => return Ok(found?.iter().map(ToString::to_string).collect()),
                // Only the pauses between questions pass by themselves.
                () = self.pause() => {}
            }
        }
    }

    async fn pause(&self) {
        let pause = self.attestor.config.poll_retry_interval;
        while self.hand.next_wake().is_none_or(|wake| wake > self.attestor.clock.now() + pause) {
            assert!(self.real.monotonic() < Duration::from_secs(30), "nobody answers");
            tokio::task::yield_now().await;
        }
        self.hand.advance_to_next_wake();
    }

    fn questions(&self) -> usize {
        self.kubelet.requests().len()
    }
}

fn has_container(selectors: &[String]) -> bool {
    selectors.contains(&"k8s:container-name:main".to_owned())
}

#[tokio::test]
async fn process_in_no_container_has_no_selectors_and_nobody_is_asked() {
    let case = Case::new([]).await;
    let (_ours, theirs) = UnixStream::pair().unwrap();
    let process = PinnedProcess::of_peer(&theirs, PeerPidfd::default()).unwrap();
    if Container::of(&process).unwrap().is_none() {
        assert_eq!(case.attestor.attest(&process).await.unwrap(), []);
        assert_eq!(case.questions(), 0);
    }
}

#[tokio::test]
async fn container_has_its_own_selectors_and_those_of_its_pod() {
    let case = Case::new([pods(true)]).await;
    let found = case.selectors(&container()).await.unwrap();
    assert!(has_container(&found) && found.contains(&"k8s:ns:shop".to_owned()), "{found:?}");
}

#[tokio::test]
async fn burst_of_callers_shares_one_list() {
    let case = Case::new([pods(true)]).await;
    let (one, other) = (container(), container());
    let callers = (0..250).map(|number| case.attestor.selectors(if number % 2 == 0 { &one } else { &other }));
    let answers = join_all(callers).await;
    assert!(answers.iter().all(|found| !found.as_ref().unwrap().is_empty()));
    assert_eq!(case.questions(), 1);
}

#[tokio::test]
async fn container_that_is_not_in_an_earlier_list_is_looked_for_in_a_new_one() {
    let case = Case::new([no_pods(), pods(true)]).await;
    let of_nobody = Container { pod_uid: None, ..container() };
    assert_eq!(case.selectors(&of_nobody).await.unwrap(), [""; 0]);
    case.hand.step(Duration::from_millis(1));
    assert!(has_container(&case.selectors(&container()).await.unwrap()));
    assert_eq!(case.questions(), 2);
}

#[tokio::test]
async fn list_serves_for_half_of_the_interval() {
    let case = Case::new([pods(true), no_pods(), pods(true)]).await;
    let mut asked = Vec::new();
    for step in [0, 249, 1, 1] {
        case.hand.step(Duration::from_millis(step));
        asked.push((case.selectors(&container()).await.is_ok(), case.questions()));
    }
    // At 251 ms the list is too old; the next one is without the pod, so that another is asked for after a pause.
    assert_eq!(asked, [(true, 1), (true, 1), (true, 1), (true, 3)]);
}

#[tokio::test]
async fn container_that_is_starting_is_waited_for() {
    let case = Case::new([no_pods(), pods(false), pods(false), pods(true)]).await;
    assert!(has_container(&case.selectors(&container()).await.unwrap()));
    assert_eq!(case.questions(), 4);
}

#[tokio::test]
async fn container_that_is_never_reported_is_an_error_after_the_last_attempt() {
    let case = Case::with([no_pods(), pods(false), no_pods()], |config| config.max_poll_attempts = 3).await;
    let refused = case.selectors(&container()).await.unwrap_err();
    assert!(matches!(&*refused, K8sError::Unreported { attempts: 3, .. }), "{refused}");
    assert_eq!(case.questions(), 3);
}

#[tokio::test]
async fn no_attempts_are_one() {
    let case = Case::with([no_pods()], |config| config.max_poll_attempts = 0).await;
    assert!(matches!(&*case.selectors(&container()).await.unwrap_err(), K8sError::Unreported { .. }));
    assert_eq!(case.questions(), 1);
}

#[tokio::test]
async fn container_of_no_pod_is_asked_about_once() {
    let case = Case::new([pods(false)]).await;
    let of_docker = Container { pod_uid: None, ..container() };
    assert_eq!(case.selectors(&of_docker).await.unwrap(), [""; 0]);
    assert_eq!(case.questions(), 1);
}

#[tokio::test]
async fn container_selectors_are_left_out_on_request_and_not_waited_for() {
    for is_started in [true, false] {
        let case = Case::with([pods(is_started)], |config| config.disable_container_selectors = true).await;
        let found = case.selectors(&container()).await.unwrap();
        assert!(!has_container(&found) && found.contains(&"k8s:ns:shop".to_owned()), "{found:?}");
        assert_eq!(case.questions(), 1);
    }
}

#[tokio::test]
async fn failure_is_shared_by_all_who_waited_and_then_forgotten() {
    let case = Case::new([Answer::Says(500, String::new())]).await;
    let container = container();
    let answers = join_all((0..10).map(|_| case.attestor.selectors(&container))).await;
    for answer in answers {
        assert!(matches!(&*answer.unwrap_err(), K8sError::Refused { status: 500, .. }));
    }
    assert_eq!(case.questions(), 1);
    case.kubelet.answer(pods(true));
    case.hand.step(Duration::from_secs(1));
    assert!(case.selectors(&container).await.is_ok());
}

#[tokio::test]
async fn caller_that_gives_up_does_not_keep_the_others_waiting() {
    let case = Case::new([Answer::Hangs, pods(true)]).await;
    let container = container();
    let (given_up, found) = tokio::join!(
        async {
            let asked = case.attestor.selectors(&container);
            let hung = async {
                while case.questions() == 0 {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! { biased; _ = asked => false, () = hung => true }
        },
        case.attestor.selectors(&container),
    );
    assert!(given_up && found.is_ok());
}

#[test]
fn debug_shows_the_settings_only() {
    let attestor = K8sAttestor::new(K8sConfig::default(), Clock::system());
    assert!(format!("{attestor:?}").starts_with("K8sAttestor { config: K8sConfig"));
}
