//! From an empty folder to an identity that proves itself, follows its entry, and goes with it.

use finial_daemon::Clock;
use finial_identity::{Audience, JwtSvid, Role};
use futures_util::StreamExt;
use tonic::Code;

use crate::domain::Domain;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workload_is_given_what_its_entry_says() {
    let domain = Domain::start(&Clock::system()).await;
    let agent = domain.start_agent().await;
    domain.entry_for_this_process("/web").await;

    let (_, context) = domain.x509_svids().await;
    let credential = &context.credentials[0];
    assert_eq!(credential.svid().id(), &domain.id("/web"));
    for role in [Role::Client, Role::Server] {
        credential.svid().verify(&context.bundles, domain.clock.now(), role).unwrap();
    }

    let audience = Audience::new(["db"]).unwrap();
    let tokens = domain.workload().jwt_svids(&audience, None).await.unwrap();
    assert_eq!(tokens[0].id(), &domain.id("/web"));
    let valid = domain.workload().validate_jwt_svid("db", tokens[0].token()).await.unwrap();
    assert_eq!(valid.id(), &domain.id("/web"));
    let refused = domain.workload().validate_jwt_svid("other", tokens[0].token()).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);

    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_stream_follows_the_entries_and_ends_with_the_last() {
    let domain = Domain::start(&Clock::system()).await;
    let agent = domain.start_agent().await;
    let refused = domain.workload().x509_svids().await.err().unwrap();
    assert_eq!((refused.code(), refused.message()), (Code::PermissionDenied, "no identity issued"));

    let first = domain.entry_for_this_process("/first").await;
    let (mut stream, context) = domain.x509_svids().await;
    assert_eq!(context.credentials.len(), 1);

    let second = domain.entry_for_this_process("/second").await;
    assert_eq!(stream.next().await.unwrap().unwrap().credentials.len(), 2);

    domain.entries().delete_entry(&first.id).await.unwrap();
    let left = stream.next().await.unwrap().unwrap().credentials;
    assert_eq!(left.iter().map(|it| it.svid().id().clone()).collect::<Vec<_>>(), [domain.id("/second")]);

    domain.entries().delete_entry(&second.id).await.unwrap();
    let end = stream.next().await.unwrap().unwrap_err();
    assert_eq!((end.code(), end.message()), (Code::PermissionDenied, "no identity issued"));

    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forced_rotation_reaches_an_open_stream() {
    let domain = Domain::start(&Clock::system()).await;
    let agent = domain.start_agent().await;
    domain.entry_for_this_process("/web").await;
    let (mut stream, before) = domain.x509_svids().await;
    let agent_before = domain.agents_serial_number().await;
    let old = domain.authorities().x509_authorities().await.unwrap().active.unwrap();

    let new = domain.authorities().prepare_x509().await.unwrap();
    domain.authorities().activate_x509(&new.id).await.unwrap();
    domain.authorities().taint_x509(&old.id).await.unwrap();

    // Several messages may tell the story; the last word is an SVID of the new authority.
    let reissued = loop {
        let context = stream.next().await.unwrap().unwrap();
        if context.credentials[0].svid().leaf() != before.credentials[0].svid().leaf() {
            break context;
        }
    };
    domain.agents_certificate_after(&agent_before).await;
    domain.authorities().revoke_x509(&old.id).await.unwrap();
    let trusted = loop {
        let context = stream.next().await.unwrap().unwrap();
        if context.bundles.bundle(&domain.trust_domain).unwrap().x509_authorities.len() == 1 {
            break context.bundles;
        }
    };
    let now = domain.clock.now();
    reissued.credentials[0].svid().verify(&trusted, now, Role::Server).unwrap();
    before.credentials[0].svid().verify(&trusted, now, Role::Server).unwrap_err();

    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tainted_jwt_authority_signs_nothing_that_a_workload_still_gets() {
    let domain = Domain::start(&Clock::system()).await;
    let agent = domain.start_agent().await;
    domain.entry_for_this_process("/web").await;
    drop(domain.x509_svids().await);
    let audience = Audience::new(["db"]).unwrap();
    let fetch = async || domain.workload().jwt_svids(&audience, None).await.unwrap().remove(0);
    let before = fetch().await;
    let mut bundles = domain.workload().jwt_bundles().await.unwrap();
    let old = domain.authorities().jwt_authorities().await.unwrap().active.unwrap();
    let new = domain.authorities().prepare_jwt().await.unwrap();
    domain.authorities().activate_jwt(&new.id).await.unwrap();
    assert_eq!(fetch().await.token(), before.token(), "what the agent holds is good until it is tainted");

    domain.authorities().taint_jwt(&old.id).await.unwrap();
    let mut after = fetch().await;
    for _ in 0..10_000 {
        if after.token() != before.token() {
            break;
        }
        after = fetch().await;
    }
    assert_ne!(after.token(), before.token(), "the agent still hands out what the tainted authority signed");

    domain.authorities().revoke_jwt(&old.id).await.unwrap();
    let trusted = loop {
        let bundles = bundles.next().await.unwrap().unwrap();
        let keys: Vec<_> = bundles.bundle(&domain.trust_domain).unwrap().jwt_authorities.iter().collect();
        if keys.iter().all(|key| key.key_id != old.id) {
            break bundles;
        }
    };
    let now = domain.clock.now();
    assert_eq!(JwtSvid::verify(after.token(), "db", &trusted, now).unwrap().id(), &domain.id("/web"));
    JwtSvid::verify(before.token(), "db", &trusted, now).unwrap_err();
    let refused = domain.workload().validate_jwt_svid("db", before.token()).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);

    agent.stop().await.unwrap();
}
