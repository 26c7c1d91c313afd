//! Tokens that were asked for, tokens that were not, and the bundles that verify them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_identity::{
    Audience, Bundle, BundleSet, JwtAuthority, JwtClaims, JwtSigningInput, JwtSvid, KeyKind, PrivateKey,
    SpiffeId,
};
use tonic::{Code, Status};

use super::{CALL_LIMIT, JwtSource};
use crate::testing::FakeAgent;
use crate::testing::start;
use crate::{NotLive, ReceiveError};

const WEB: &str = "spiffe://example.org/web";

fn key() -> PrivateKey {
    PrivateKey::generate(KeyKind::EcP256).unwrap()
}

fn token(key: &PrivateKey, id: &str, audience: &str, expires_at: SystemTime) -> JwtSvid {
    let claims = JwtClaims {
        subject: SpiffeId::parse(id).unwrap(),
        audience: Audience::new([audience]).unwrap(),
        issued_at: start() - Duration::from_secs(60),
        expires_at,
        issuer: None,
        id: None,
    };
    let input = JwtSigningInput::new(&claims, "key-1", KeyKind::EcP256).unwrap();
    let signature = key.sign(input.bytes()).unwrap();
    let token = input.finish(&signature).unwrap();
    JwtSvid::parse_unverified(&token).unwrap()
}

fn bundles(key: &PrivateKey) -> BundleSet {
    let domain = SpiffeId::parse(WEB).unwrap().trust_domain();
    let mut bundle = Bundle::empty(domain);
    bundle.jwt_authorities = vec![JwtAuthority {
        key_id: "key-1".to_owned(),
        public_key: key.public_key().clone(),
        expires_at: None,
        tainted: false,
    }];
    [Arc::new(bundle)].into_iter().collect()
}

fn source(agent: &FakeAgent) -> JwtSource {
    JwtSource::from_workload_api(&agent.endpoint, &agent.clock, &agent.tasks)
}

fn later() -> SystemTime {
    start() + Duration::from_secs(300)
}

#[tokio::test]
async fn a_token_that_was_asked_for_is_handed_on() {
    let agent = FakeAgent::serve();
    let source = source(&agent);
    let svid = token(&key(), WEB, "db", later());
    *agent.jwt_svids.lock().unwrap() = Some(Ok(vec![svid.clone()]));
    let audience = Audience::new(["db"]).unwrap();
    let fetched = source.fetch_jwt_svid(&audience, Some(svid.id())).await.unwrap();
    assert_eq!(fetched.token(), svid.token());
    assert!(agent.headers().iter().all(|values| values == &["true"]));
}

#[tokio::test]
async fn a_token_that_was_not_asked_for_is_refused() {
    let agent = FakeAgent::serve();
    let source = source(&agent);
    let audience = Audience::new(["db"]).unwrap();
    let web = SpiffeId::parse(WEB).unwrap();
    for (answer, says) in [
        (token(&key(), "spiffe://example.org/other", "db", later()), "another identity"),
        (token(&key(), WEB, "mail", later()), "not for the audience"),
        (token(&key(), WEB, "db", start()), "expired"),
    ] {
        *agent.jwt_svids.lock().unwrap() = Some(Ok(vec![answer]));
        let refused = source.fetch_jwt_svid(&audience, Some(&web)).await.unwrap_err();
        assert!(matches!(refused, ReceiveError::OtherJwt { .. }));
        assert!(refused.to_string().contains(says), "{refused}");
    }
}

#[tokio::test]
async fn what_the_agent_refuses_and_what_it_never_answers_are_told_apart() {
    let agent = FakeAgent::serve();
    let source = source(&agent);
    let audience = Audience::new(["db"]).unwrap();
    *agent.jwt_svids.lock().unwrap() = Some(Err(Status::permission_denied("no identity issued")));
    let refused = source.fetch_jwt_svid(&audience, None).await.unwrap_err();
    assert!(
        matches!(refused, ReceiveError::Refused { status, .. } if status.code() == Code::PermissionDenied)
    );

    *agent.jwt_svids.lock().unwrap() = None;
    let (unanswered, ()) = tokio::join!(source.fetch_jwt_svid(&audience, None), async {
        agent.hand.sleepers(1).await;
        agent.hand.step(CALL_LIMIT);
    });
    assert!(matches!(unanswered.unwrap_err(), ReceiveError::Unanswered { .. }));
}

#[tokio::test]
async fn tokens_are_verified_against_the_live_bundles() {
    let mut agent = FakeAgent::serve();
    let source = source(&agent);
    let (old, new) = (key(), key());
    let svid = token(&old, WEB, "db", later());
    assert!(matches!(source.verify("db", svid.token()), Err(ReceiveError::NotLive(NotLive::Waiting))));

    let session = agent.jwt_bundles.recv().await.unwrap();
    session.send(Ok(bundles(&old))).await.unwrap();
    source.ready().await.unwrap();
    assert_eq!(source.verify("db", svid.token()).unwrap().id().as_str(), WEB);
    assert!(matches!(source.verify("mail", svid.token()), Err(ReceiveError::Jwt(_))));

    let mut live = source.bundles().clone();
    live.changed().await.unwrap();
    session.send(Ok(bundles(&new))).await.unwrap();
    live.changed().await.unwrap();
    assert!(matches!(source.verify("db", svid.token()), Err(ReceiveError::Jwt(_))));
    session.send(Err(Status::permission_denied("no identity issued"))).await.unwrap();
    live.changed().await.unwrap();
    assert!(matches!(source.verify("db", svid.token()), Err(ReceiveError::NotLive(_))));
}

#[tokio::test]
async fn wap_22_the_agent_validates_on_request() {
    let agent = FakeAgent::serve();
    let source = source(&agent);
    let svid = token(&key(), WEB, "db", later());
    assert_eq!(source.validate("db", svid.token()).await.unwrap().id().as_str(), WEB);
    let refused = source.validate("db", "nonsense").await.unwrap_err();
    assert!(
        matches!(refused, ReceiveError::Refused { status, .. } if status.code() == Code::InvalidArgument)
    );
}

#[tokio::test]
async fn tokens_of_all_identities_come_with_their_hints() {
    let agent = FakeAgent::serve();
    let source = source(&agent);
    let svids = ["internal", "external"].map(|hint| token(&key(), WEB, "db", later()).with_hint(hint));
    *agent.jwt_svids.lock().unwrap() = Some(Ok(svids.to_vec()));
    let audience = Audience::new(["db"]).unwrap();
    let fetched = source.fetch_jwt_svids(&audience).await.unwrap();
    assert_eq!(fetched.iter().map(JwtSvid::hint).collect::<Vec<_>>(), ["internal", "external"]);
    assert_eq!(agent.asked(), [(audience, None)]);

    *agent.jwt_svids.lock().unwrap() = Some(Ok(vec![token(&key(), WEB, "other", later())]));
    let refused = source.fetch_jwt_svids(&Audience::new(["db"]).unwrap()).await;
    assert!(matches!(refused, Err(ReceiveError::OtherJwt { .. })));
}
