//! Tests of how the kubelet is asked: who it must be, who the agent says it is, and what is made of odd answers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;
use std::time::SystemTime;

use finial_daemon::ClockHand;
use tempfile::TempDir;

use super::fake::{Answer, Cluster, FakeKubelet};
use super::*;
use crate::config::{Credentials, Verification};

fn nothing() -> Answer {
    Answer::Says(200, r#"{"items":null}"#.to_owned())
}

/// A folder with the files of a pod, and settings that point there.
struct Case {
    folder: TempDir,
    clock: Clock,
    hand: ClockHand,
    config: K8sConfig,
}

impl Case {
    fn new(port: KubeletPort) -> Self {
        // Certificates are valid by the machine's clock.
        let (clock, hand) = Clock::manual(Clock::system().now());
        let config =
            K8sConfig { port, node_name_env: "FINIAL_NO_SUCH_VARIABLE".to_owned(), ..K8sConfig::default() };
        Self { folder: tempfile::tempdir().unwrap(), clock, hand, config }
    }

    fn plain(kubelet: &FakeKubelet) -> Self {
        Self::new(KubeletPort::ReadOnly(kubelet.port()))
    }

    /// Believes `cluster`, and has a token.
    fn secure(kubelet: &FakeKubelet, cluster: &Cluster) -> Self {
        let mut case = Self::new(KubeletPort::ReadOnly(0));
        cluster.write(&case.file("ca.crt"));
        std::fs::write(case.file("token"), "first\n").unwrap();
        case.config.port = KubeletPort::Secure {
            port: kubelet.port(),
            verification: Verification::Ca(case.file("ca.crt")),
            credentials: Credentials::Token(case.file("token")),
        };
        case
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn set(&mut self, changed: impl FnOnce(&mut Verification, &mut Credentials)) {
        let KubeletPort::Secure { verification, credentials, .. } = &mut self.config.port else {
            unreachable!()
        };
        changed(verification, credentials);
    }

    fn kubelet(&self) -> Kubelet {
        Kubelet::new(&self.config, self.clock.clone())
    }

    async fn outcome(&self) -> Result<Pods, K8sError> {
        self.kubelet().pods().await
    }
}

fn authorization(request: &str) -> Option<&str> {
    request.lines().find_map(|line| line.strip_prefix("authorization: "))
}

#[tokio::test]
async fn read_only_port_is_asked_for_the_pods_without_a_token() {
    let kubelet = FakeKubelet::plain([nothing()]).await;
    Case::plain(&kubelet).outcome().await.unwrap();
    let request = &kubelet.requests()[0];
    assert!(request.starts_with("GET /pods HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("host: 127.0.0.1:{}\r\n", kubelet.port())), "{request}");
    assert_eq!(authorization(request), None);
}

#[tokio::test]
async fn secure_port_gets_the_token_once_the_kubelet_is_verified() {
    let cluster = Cluster::new();
    let kubelet = FakeKubelet::secure(cluster.tls("node-1", false), [nothing()]).await;
    Case::secure(&kubelet, &cluster).outcome().await.unwrap();
    assert_eq!(authorization(&kubelet.requests()[0]), Some("Bearer first"));
}

#[tokio::test]
async fn kubelet_of_another_authority_is_refused_and_gets_no_token() {
    let cluster = Cluster::new();
    let kubelet = FakeKubelet::secure(Cluster::new().tls("localhost", false), [nothing()]).await;
    let mut case = Case::secure(&kubelet, &cluster);
    assert!(matches!(case.outcome().await, Err(K8sError::Unverified { .. })), "by its chain");
    case.config.node_name = Some("localhost".to_owned());
    assert!(matches!(case.outcome().await, Err(K8sError::Unverified { .. })), "by its name");
    assert_eq!(kubelet.requests(), [""; 0]);
}

#[tokio::test]
async fn kubelet_reached_by_name_must_have_that_name() {
    let cluster = Cluster::new();
    let kubelet = FakeKubelet::secure(cluster.tls("localhost", false), [nothing()]).await;
    let mut case = Case::secure(&kubelet, &cluster);
    case.config.node_name = Some("localhost".to_owned());
    case.outcome().await.unwrap();
    let other = FakeKubelet::secure(cluster.tls("node-2", false), [nothing()]).await;
    let mut case = Case::secure(&other, &cluster);
    case.config.node_name = Some("localhost".to_owned());
    assert!(matches!(case.outcome().await, Err(K8sError::Unverified { .. })));
}

#[tokio::test]
async fn expired_certificate_is_refused() {
    let cluster = Cluster::new();
    let kubelet = FakeKubelet::secure(cluster.tls("node-1", false), [nothing()]).await;
    let mut case = Case::secure(&kubelet, &cluster);
    // rcgen's certificates begin in 1975.
    case.clock = Clock::manual(SystemTime::UNIX_EPOCH).0;
    assert!(matches!(case.outcome().await, Err(K8sError::Unverified { .. })));
}

#[tokio::test]
async fn verification_is_skipped_on_request() {
    let kubelet = FakeKubelet::secure(Cluster::new().tls("node-1", false), [nothing()]).await;
    let mut case = Case::secure(&kubelet, &Cluster::new());
    case.set(|verification, _| *verification = Verification::Skipped);
    case.outcome().await.unwrap();
}

#[tokio::test]
async fn client_certificate_is_presented() {
    let cluster = Cluster::new();
    let kubelet = FakeKubelet::secure(cluster.tls("node-1", true), [nothing()]).await;
    let mut case = Case::secure(&kubelet, &cluster);
    let (certificate, key) = (case.file("tls.crt"), case.file("tls.key"));
    let (chain, secret) = cluster.issue("agent");
    std::fs::write(&certificate, chain).unwrap();
    std::fs::write(&key, secret).unwrap();
    case.set(|_, credentials| *credentials = Credentials::Certificate { certificate, key });
    case.outcome().await.unwrap();
    assert_eq!(authorization(&kubelet.requests()[0]), None);
    case.set(|_, credentials| *credentials = Credentials::Anonymous);
    case.outcome().await.unwrap_err();
}

#[tokio::test]
async fn token_is_read_again_after_the_reload_interval() {
    let cluster = Cluster::new();
    let kubelet = FakeKubelet::secure(cluster.tls("node-1", false), [nothing(), nothing(), nothing()]).await;
    let case = Case::secure(&kubelet, &cluster);
    let asked = case.kubelet();
    asked.pods().await.unwrap();
    std::fs::write(case.file("token"), "second").unwrap();
    asked.pods().await.unwrap();
    case.hand.step(Duration::from_mins(1));
    asked.pods().await.unwrap();
    let sent: Vec<_> = kubelet.requests().iter().map(|it| authorization(it).unwrap().to_owned()).collect();
    assert_eq!(sent, ["Bearer first", "Bearer first", "Bearer second"]);
}

#[tokio::test]
async fn token_that_was_refused_is_read_again_at_once() {
    let cluster = Cluster::new();
    let refusal = Answer::Says(401, "Unauthorized".to_owned());
    let kubelet = FakeKubelet::secure(cluster.tls("node-1", false), [refusal, nothing()]).await;
    let case = Case::secure(&kubelet, &cluster);
    let asked = case.kubelet();
    let refused = asked.pods().await.unwrap_err();
    assert!(matches!(refused, K8sError::Denied { status: 401, .. }), "{refused}");
    std::fs::write(case.file("token"), "second").unwrap();
    asked.pods().await.unwrap();
    assert_eq!(authorization(&kubelet.requests()[1]), Some("Bearer second"));
}

#[tokio::test]
async fn file_that_is_gone_is_done_without_once_it_was_read() {
    let cluster = Cluster::new();
    let kubelet = FakeKubelet::secure(cluster.tls("node-1", false), [nothing(), nothing()]).await;
    let case = Case::secure(&kubelet, &cluster);
    let asked = case.kubelet();
    asked.pods().await.unwrap();
    std::fs::remove_file(case.file("token")).unwrap();
    case.hand.step(Duration::from_mins(1));
    asked.pods().await.unwrap();
    let missing = case.outcome().await.unwrap_err().to_string();
    assert!(missing.starts_with("token_path is `") && !missing.contains("first"), "{missing}");
}

#[tokio::test]
async fn file_that_holds_something_else_is_named() {
    let cluster = Cluster::new();
    let kubelet = FakeKubelet::secure(cluster.tls("node-1", false), []).await;
    let case = Case::secure(&kubelet, &cluster);
    for (name, content, key) in [
        ("token", "", "token_path"),
        ("token", "a\nb", "token_path"),
        ("ca.crt", "", "kubelet_ca_path"),
        ("ca.crt", "-----BEGIN CERTIFICATE-----\nx", "kubelet_ca_path"),
    ] {
        let before = std::fs::read(case.file(name)).unwrap();
        std::fs::write(case.file(name), content).unwrap();
        let refused = case.outcome().await.unwrap_err().to_string();
        assert!(refused.starts_with(key), "{content}: {refused}");
        std::fs::write(case.file(name), before).unwrap();
    }
}

#[tokio::test]
async fn missing_permission_is_named() {
    let kubelet = FakeKubelet::plain([Answer::Says(403, "Forbidden".to_owned())]).await;
    let refused = Case::plain(&kubelet).outcome().await.unwrap_err().to_string();
    assert!(refused.ends_with("answered 403: let the agent's service account get nodes/proxy"), "{refused}");
}

#[tokio::test]
async fn odd_answers_are_refused_by_kind_and_never_quoted() {
    type Check = fn(&K8sError) -> bool;
    let cases: [(Answer, Check); 9] = [
        (Answer::Says(500, "secret".into()), |error| matches!(error, K8sError::Refused { status: 500, .. })),
        (Answer::Says(200, "secret".into()), |error| matches!(error, K8sError::Malformed { line: 1, .. })),
        (Answer::Says(200, String::new()), |error| matches!(error, K8sError::Malformed { .. })),
        (Answer::Says(200, r#"{"kind":"Status","message":"secret"}"#.into()), |error| {
            matches!(error, K8sError::Malformed { .. })
        }),
        (Answer::Says(200, r#"{"items":"secret"}"#.into()), |error| {
            matches!(error, K8sError::Malformed { .. })
        }),
        (Answer::Writes(b"SSH-2.0-secret\r\n".to_vec()), |error| matches!(error, K8sError::Broken { .. })),
        (Answer::Writes(Vec::new()), |error| matches!(error, K8sError::Broken { .. })),
        (Answer::Writes(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{".to_vec()), |error| {
            matches!(error, K8sError::Broken { .. })
        }),
        (
            Answer::Writes(
                format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "secret".repeat(1 << 20)).into_bytes(),
            ),
            |error| matches!(error, K8sError::Broken { .. }),
        ),
    ];
    for (answer, is_expected) in cases {
        let kubelet = FakeKubelet::plain([answer]).await;
        let error = Case::plain(&kubelet).outcome().await.unwrap_err();
        let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        assert!(is_expected(&error), "{error}: {source}");
        assert!(!format!("{error} {source}").contains("secret"), "{error}: {source}");
    }
}

#[tokio::test]
async fn endless_answer_is_refused() {
    let body = format!(r#"{{"items":[],"x":"{}"}}"#, "x".repeat(MAX_ANSWER_BYTES));
    let kubelet = FakeKubelet::plain([Answer::Says(200, body)]).await;
    let refused = Case::plain(&kubelet).outcome().await.unwrap_err();
    assert!(matches!(refused, K8sError::Broken { .. }), "{refused}");
}

#[tokio::test]
async fn hanging_kubelet_is_left_after_five_seconds() {
    let kubelet = FakeKubelet::plain([Answer::Hangs]).await;
    let case = Case::plain(&kubelet);
    let asked = case.kubelet();
    let (answer, ()) = tokio::join!(asked.pods(), async {
        case.hand.sleepers(1).await;
        case.hand.step(LIMIT);
    });
    let late = answer.unwrap_err().to_string();
    assert!(late.ends_with("gave no answer within 5s"), "{late}");
}

#[tokio::test]
async fn kubelet_that_is_not_there_is_named() {
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let refused = Case::new(KubeletPort::ReadOnly(port)).outcome().await.unwrap_err();
    assert!(
        matches!(&refused, K8sError::Unreachable { kubelet, .. } if *kubelet == format!("127.0.0.1:{port}")),
        "{refused}"
    );
}

#[test]
fn host_of_the_sixth_version_is_written_in_brackets() {
    let mut case = Case::new(KubeletPort::ReadOnly(10255));
    case.config.node_name = Some("fd00::1".to_owned());
    assert_eq!(case.kubelet().name(), "[fd00::1]:10255");
}
