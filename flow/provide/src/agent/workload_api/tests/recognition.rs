//! Callers that cannot be fully recognized, because an attestor does not answer.

use std::time::Duration;

use finial_identity::Entry;
use finial_wire::X509Context;
use finial_wire::server::WorkloadApi;
use futures_util::{FutureExt, StreamExt};
use tonic::{Code, Status};

use super::{Case, Identities, audience, code, names};
use crate::agent::testing::{draft, entry};

fn entries() -> [Entry; 2] {
    [entry("web", draft("web", &["docker:web"])), entry("host", draft("host", &["test:host"]))]
}

/// A caller in a container.
fn in_container() -> Case {
    let case = Case::new(entries(), &[]);
    case.docker.find(&["web"]);
    case
}

/// The next message, while time passes to what is due soon: the questions to an attestor, not the limits on calls.
async fn next(case: &Case, stream: &mut Identities) -> Result<X509Context, Status> {
    loop {
        if let Some(message) = stream.next().now_or_never() {
            return message.unwrap();
        }
        case.agent.pass(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
}

/// Gives the stream something to say.
fn touch(case: &Case) {
    case.agent.server.put(entry("more", draft("more", &["docker:web"])));
}

#[tokio::test]
async fn caller_that_matches_nothing_without_the_silent_attestor_may_ask_again() {
    let case = in_container();
    case.docker.fail();
    case.agent.soon(|snapshot| snapshot.is_synced()).await;
    let (api, ctx) = (&case.api, &case.ctx);
    let refused = api.x509_svids(ctx).await.err().unwrap();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.message().contains("no answer from docker"), "{refused}");
    assert_eq!(code(api.jwt_svids(ctx, audience("db"), None).await), Code::Unavailable);
    assert_eq!(code(api.jwt_bundles(ctx).await), Code::Unavailable);
    case.docker.find(&[]);
    assert_eq!(code(api.x509_svids(ctx).await), Code::PermissionDenied);
}

#[tokio::test]
async fn silent_attestor_takes_nothing_from_a_caller_that_matches_without_it() {
    let case = Case::new(entries(), &["host"]);
    case.docker.fail();
    assert_eq!(names(&case.fetch().await.1), ["/host"]);
}

#[tokio::test]
async fn open_stream_outlives_an_attestor_that_is_silent_for_a_moment() {
    let case = in_container();
    let (mut stream, _) = case.fetch().await;
    case.docker.fail();
    touch(&case);
    case.agent.catch_up().await;
    assert!(stream.next().now_or_never().is_none(), "neither told nor refused");
    case.docker.find(&["web"]);
    assert_eq!(names(&next(&case, &mut stream).await.unwrap()), ["/more", "/web"]);
}

#[tokio::test]
async fn open_stream_ends_unavailable_when_the_attestor_stays_silent() {
    let case = in_container();
    let (mut stream, _) = case.fetch().await;
    case.docker.fail();
    touch(&case);
    let refused = next(&case, &mut stream).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.message().contains("no answer from docker"), "{refused}");
}

#[tokio::test]
async fn open_stream_ends_unavailable_when_no_attestor_answers() {
    let case = in_container();
    let (mut stream, _) = case.fetch().await;
    case.docker.fail();
    case.told.fail();
    touch(&case);
    assert_eq!(code(next(&case, &mut stream).await), Code::Unavailable);
}

#[tokio::test]
async fn container_that_lost_its_selectors_is_denied() {
    let case = in_container();
    let (mut stream, _) = case.fetch().await;
    case.docker.find(&["other"]);
    touch(&case);
    assert_eq!(code(next(&case, &mut stream).await), Code::PermissionDenied);
}

#[tokio::test]
async fn reader_that_comes_back_late_is_attested_before_it_is_answered() {
    let case = in_container();
    let (mut stream, _) = case.fetch().await;
    case.docker.find(&["other"]);
    touch(&case);
    case.agent.catch_up().await;
    assert_eq!(code(stream.next().await.unwrap()), Code::PermissionDenied, "it was not polled meanwhile");
}

#[tokio::test]
async fn what_is_deleted_while_the_caller_is_looked_at_is_not_told() {
    let case = in_container();
    let (mut stream, _) = case.fetch().await;
    case.docker.fail();
    touch(&case);
    case.agent.catch_up().await;
    assert!(stream.next().now_or_never().is_none());
    case.agent.server.delete("more");
    case.agent.server.put(entry("third", draft("third", &["docker:web"])));
    case.agent.catch_up().await;
    case.docker.find(&["web"]);
    assert_eq!(names(&next(&case, &mut stream).await.unwrap()), ["/third", "/web"], "the very next message");
}

#[tokio::test]
async fn caller_that_was_not_fully_recognized_is_told_more_once_it_is() {
    let case = Case::new(entries(), &["host"]);
    case.docker.fail();
    let (mut stream, first) = case.fetch().await;
    assert_eq!(names(&first), ["/host"]);
    assert!(stream.next().now_or_never().is_none());
    case.docker.find(&["web"]);
    case.agent.hand.step(Duration::from_secs(30));
    assert_eq!(names(&next(&case, &mut stream).await.unwrap()), ["/host", "/web"]);
}
