//! Tests of which engine is asked about which container, and how often.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::SystemTime;

use finial_attest::{ContainerId, PeerPidfd, PodUid};
use finial_daemon::ClockHand;
use tokio::net::UnixStream;

use super::*;
use crate::engine::fake::{Answer, FakeEngine};

const ID: &str = "a123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn container() -> Container {
    Container { id: ContainerId::parse(ID).unwrap(), pod_uid: None, owner: None, is_podman: false }
}

fn known(label: &str) -> Answer {
    Answer::Says(200, format!(r#"{{"Id":"{ID}","Config":{{"Labels":{{"by":"{label}"}}}}}}"#))
}

fn unknown() -> Answer {
    Answer::Says(404, String::new())
}

/// An attestor whose engines are this one, which says who it is.
struct Case {
    docker: FakeEngine,
    podman: FakeEngine,
    attestor: DockerAttestor,
    hand: ClockHand,
    /// The machine's clock, so that a test whose wait is in vain ends.
    real: Clock,
}

impl Case {
    fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let (docker, podman) = (FakeEngine::start(answers), FakeEngine::start([known("podman")]));
        let (clock, hand) = Clock::manual(SystemTime::UNIX_EPOCH);
        let config = DockerConfig {
            docker_socket: docker.socket(),
            podman_socket: podman.socket(),
            ..DockerConfig::default()
        };
        Self { docker, podman, attestor: DockerAttestor::new(config, clock), hand, real: Clock::system() }
    }

    async fn selectors(&self, container: &Container) -> Result<Vec<String>, DockerError> {
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
        while self.hand.next_wake().is_none_or(|wake| wake > self.attestor.clock.now() + PAUSE) {
            assert!(self.real.monotonic() < Duration::from_secs(30), "nobody answers");
            tokio::task::yield_now().await;
        }
        self.hand.advance_to_next_wake();
    }
}

#[tokio::test]
async fn process_in_no_container_has_no_selectors_and_nobody_is_asked() {
    let case = Case::new([]);
    let (_ours, theirs) = UnixStream::pair().unwrap();
    let process = PinnedProcess::of_peer(&theirs, PeerPidfd::default()).unwrap();
    if Container::of(&process).unwrap().is_none() {
        assert_eq!(case.attestor.attest(&process).await.unwrap(), []);
        assert_eq!(case.docker.requests(), [""; 0]);
    }
}

#[tokio::test]
async fn engine_is_chosen_by_the_container() {
    let case = Case::new([known("docker")]);
    assert_eq!(case.selectors(&container()).await.unwrap(), ["docker:label:by:docker"]);
    let of_podman = Container { is_podman: true, ..container() };
    assert_eq!(case.selectors(&of_podman).await.unwrap(), ["docker:label:by:podman"]);
}

#[tokio::test]
async fn container_of_a_users_own_engine_has_no_selectors_unless_users_are_believed() {
    let case = Case::new([known("docker")]);
    for is_podman in [true, false] {
        let of_user = Container { owner: Some(1000), is_podman, ..container() };
        assert_eq!(case.selectors(&of_user).await.unwrap(), [""; 0]);
    }
    assert_eq!((case.docker.requests(), case.podman.requests()), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn podman_of_a_user_is_asked_at_the_users_socket() {
    let mut case = Case::new([]);
    let template = "unix:///run/user/%d/podman.sock".parse().unwrap();
    case.attestor.config.podman_socket_template = Some(template);
    let of_user = Container { owner: Some(4_000_000), is_podman: true, ..container() };
    let refused = case.selectors(&of_user).await.unwrap_err().to_string();
    assert!(refused.contains("unix:///run/user/4000000/podman.sock"), "{refused}");
    let docker_of_user = Container { is_podman: false, ..of_user };
    assert_eq!(case.selectors(&docker_of_user).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn container_that_has_just_begun_is_asked_about_again() {
    let case = Case::new([unknown(), unknown(), known("docker")]);
    assert_eq!(case.selectors(&container()).await.unwrap(), ["docker:label:by:docker"]);
    assert_eq!(case.docker.requests().len(), 3);
}

#[tokio::test]
async fn container_that_stays_unknown_has_no_selectors() {
    let case = Case::new((0..10).map(|_| unknown()));
    assert_eq!(case.selectors(&container()).await.unwrap(), [""; 0]);
    assert_eq!(case.docker.requests().len(), TRIES);
}

#[tokio::test]
async fn container_of_a_pod_is_asked_about_once() {
    let case = Case::new([unknown(), known("docker")]);
    let in_pod = Container { pod_uid: PodUid::parse("2c48913c-b29f-11e7-9350-020968147796"), ..container() };
    assert_eq!(case.selectors(&in_pod).await.unwrap(), [""; 0]);
    assert_eq!(case.docker.requests().len(), 1);
}

#[tokio::test]
async fn answer_is_remembered_for_a_while() {
    let case = Case::new([known("first")]);
    for _ in 0..2 {
        assert_eq!(case.selectors(&container()).await.unwrap(), ["docker:label:by:first"]);
    }
    case.hand.step(Duration::from_secs(31));
    case.docker.answer(known("second"));
    assert_eq!(case.selectors(&container()).await.unwrap(), ["docker:label:by:second"]);
}

#[tokio::test]
async fn failure_is_not_remembered() {
    let case = Case::new([Answer::Says(500, String::new()), known("docker")]);
    assert!(case.selectors(&container()).await.is_err());
    assert_eq!(case.selectors(&container()).await.unwrap(), ["docker:label:by:docker"]);
}

#[tokio::test]
async fn many_callers_of_one_container_ask_no_more_than_may_be_under_way() {
    let case = Case::new((0..MAX_QUESTIONS).map(|_| known("docker")));
    let container = container();
    let all = futures_util::future::join_all((0..1000).map(|_| case.attestor.selectors(&container))).await;
    assert!(all.iter().all(|found| found.as_ref().is_ok_and(|found| found.len() == 1)));
    assert!(case.docker.requests().len() <= MAX_QUESTIONS);
}

#[test]
fn debug_shows_no_selector() {
    let attestor = DockerAttestor::new(DockerConfig::default(), Clock::system());
    assert!(format!("{attestor:?}").starts_with("DockerAttestor { config:"));
}
