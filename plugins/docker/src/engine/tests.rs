//! Tests of what engines may answer, and what is made of it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::error::Error;

use super::fake::{Answer, FakeEngine};
use super::*;

const ID: &str = "a123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn id() -> ContainerId {
    ContainerId::parse(ID).unwrap()
}

async fn ask(fake: &FakeEngine, owner: Option<u32>) -> Result<Option<Vec<String>>, DockerError> {
    let engine = Engine { socket: fake.socket(), owner };
    let inspection = engine.inspect(&id(), None, &Clock::system()).await?;
    Ok(inspection.map(|found| found.selectors().iter().map(ToString::to_string).collect()))
}

async fn answered(answer: Answer) -> Result<Option<Vec<String>>, DockerError> {
    ask(&FakeEngine::start([answer]), None).await
}

async fn said(body: &str) -> Result<Option<Vec<String>>, DockerError> {
    answered(Answer::Says(200, body.replace("<ID>", ID))).await
}

#[tokio::test]
async fn labels_variables_and_image_become_selectors() {
    let body = format!(
        r#"{{"Id":"<ID>","Image":"sha256:{ID}","Name":"/web","State":{{"Pid":1}},
           "Config":{{"Image":"nginx:1.27","Env":["STAGE=prod","EMPTY=","A=b=c"],
                      "Labels":{{"com.example.name":"web","ü":"ß:x"}}}}}}"#
    );
    let expected = [
        "docker:label:com.example.name:web",
        "docker:label:ü:ß:x",
        "docker:env:STAGE=prod",
        "docker:env:EMPTY=",
        "docker:env:A=b=c",
        "docker:image_id:nginx:1.27",
        &format!("docker:image_config_digest:sha256:{ID}"),
    ];
    assert_eq!(said(&body).await.unwrap().unwrap(), expected);
}

#[tokio::test]
async fn podmans_digest_without_algorithm_is_the_same_selector() {
    let found = said(&format!(r#"{{"Id":"<ID>","Image":"{ID}"}}"#)).await.unwrap().unwrap();
    assert_eq!(found, [format!("docker:image_config_digest:sha256:{ID}")]);
}

#[tokio::test]
async fn what_is_not_there_is_no_selector() {
    for body in [
        r#"{"Id":"<ID>"}"#,
        r#"{"Id":"<ID>","Image":"","Config":{"Image":"","Env":null,"Labels":null}}"#,
        r#"{"Id":"<ID>","Image":"nginx","Config":null}"#,
    ] {
        assert_eq!(said(body).await.unwrap().unwrap(), [""; 0], "{body}");
    }
}

#[tokio::test]
async fn container_that_the_engine_does_not_know_is_none() {
    let missing = r#"{"message":"No such container"}"#;
    assert_eq!(answered(Answer::Says(404, missing.to_owned())).await.unwrap(), None);
}

#[tokio::test]
async fn version_is_asked_for_when_it_is_configured() {
    let fake = FakeEngine::start([Answer::Says(404, String::new()), Answer::Says(404, String::new())]);
    let engine = Engine { socket: fake.socket(), owner: None };
    engine.inspect(&id(), None, &Clock::system()).await.unwrap();
    engine.inspect(&id(), Some(&"1.41".parse().unwrap()), &Clock::system()).await.unwrap();
    assert_eq!(fake.requests(), [format!("/containers/{ID}/json"), format!("/v1.41/containers/{ID}/json")]);
}

#[tokio::test]
async fn answer_about_another_container_is_refused() {
    let other = ID.replace('a', "b");
    let refused = said(&format!(r#"{{"Id":"{other}"}}"#)).await.unwrap_err();
    assert!(matches!(refused, DockerError::OtherContainer { .. }), "{refused}");
}

#[tokio::test]
async fn answer_that_is_no_inspection_is_refused_without_its_content() {
    for body in [
        "",
        "null",
        "[]",
        "{}",
        r#"{"Id":7}"#,
        r#"{"Id":"<ID>","Config":{"Env":"SECRET=1"}}"#,
        r#"{"Id":"<ID>""#,
    ] {
        let refused = said(body).await.unwrap_err();
        assert!(matches!(refused, DockerError::Malformed { .. }), "{body}: {refused}");
        assert!(!refused.to_string().contains("SECRET"));
    }
}

#[tokio::test]
async fn refusal_names_socket_and_status() {
    let fake = FakeEngine::start([Answer::Says(400, "client version 1.9 is too old".to_owned())]);
    let refused = ask(&fake, None).await.unwrap_err().to_string();
    assert!(refused.contains(&format!("{} answered 400 about container {ID}", fake.socket())), "{refused}");
}

#[tokio::test]
async fn engine_that_breaks_off_is_named() {
    let cut = format!("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{{\"Id\":\"{ID}\"");
    for bytes in [Vec::new(), b"SSH-2.0-OpenSSH\r\n".to_vec(), cut.into_bytes()] {
        let refused = answered(Answer::Writes(bytes)).await.unwrap_err();
        assert!(matches!(refused, DockerError::Broken { .. }), "{refused}");
        assert!(refused.source().is_some());
    }
}

#[tokio::test]
async fn answer_without_end_is_cut_off() {
    let mut bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n".to_vec();
    bytes.resize(MAX_ANSWER_BYTES + (1 << 20), b' ');
    let refused = answered(Answer::Writes(bytes)).await.unwrap_err();
    assert!(
        matches!(&refused, DockerError::Broken { source, .. } if source.to_string().contains("limit")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn engine_that_hangs_is_left_after_its_time() {
    let fake = FakeEngine::start([Answer::Hangs]);
    let engine = Engine { socket: fake.socket(), owner: None };
    let (clock, hand) = Clock::manual(std::time::SystemTime::UNIX_EPOCH);
    let id = id();
    let asked = engine.inspect(&id, None, &clock);
    let passes = async {
        hand.sleepers(1).await;
        hand.step(LIMIT);
    };
    let (answer, ()) = tokio::join!(asked, passes);
    let refused = answer.err().unwrap();
    assert_eq!(refused.to_string(), format!("the container engine at {} took too long", fake.socket()));
    assert_eq!(refused.source().unwrap().to_string(), "no answer within 3s");
}

#[tokio::test]
async fn engine_that_is_not_there_is_named() {
    let engine = Engine { socket: "unix:///nowhere/docker.sock".parse().unwrap(), owner: None };
    let refused = engine.inspect(&id(), None, &Clock::system()).await.err().unwrap().to_string();
    assert!(
        refused.starts_with("the container engine at unix:///nowhere/docker.sock cannot be reached"),
        "{refused}"
    );
}

#[tokio::test]
async fn engine_of_a_user_must_be_run_by_that_user() {
    let own = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap());
    let body = format!(r#"{{"Id":"{ID}"}}"#);
    let fake = FakeEngine::start([Answer::Says(200, body)]);
    let refused = ask(&fake, Some(own + 1)).await.unwrap_err().to_string();
    assert!(refused.contains(&format!("is run by user {own}, not by user {}", own + 1)), "{refused}");
}
