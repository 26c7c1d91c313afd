//! One delivery.

use std::fs;
use std::time::Duration;

use finial_identity::{Audience, KeyKind, PrivateKey};
use finial_receive::testing::{Authority, FakeAgent, start};
use tempfile::TempDir;
use tonic::Status;

use super::{THREE, TOKEN, WEB, deliverer, jwt_bundles, set, token};
use crate::deliver::DeliverError;
use crate::fixtures::bounded;

#[tokio::test]
async fn everything_is_fetched_once_extra_audiences_included() {
    let (mut agent, folder) = (FakeAgent::serve(), TempDir::new().unwrap());
    let token_keys = TOKEN.replace("\"db\"", "\"db\", jwt_extra_audiences = [\"cache\"]");
    let keys = format!("{THREE}{token_keys}jwt_bundle_file_name = \"jwt.json\"");
    let once = deliverer(&agent, &folder, &keys);
    let (authority, key) = (Authority::new("example.org"), PrivateKey::generate(KeyKind::EcP256).unwrap());
    let svid = token(&key, start(), &["db", "cache"]);
    *agent.jwt_svids.lock().unwrap() = Some(Ok(vec![svid.clone()]));
    let tasks = agent.tasks.clone();
    let (done, ()) = bounded(async {
        tokio::join!(Box::pin(once.once(&tasks)), async {
            let session = agent.x509.recv().await.unwrap();
            let set = set(vec![authority.credential(WEB)], authority.bundles());
            session.send(Ok(set)).await.unwrap();
            let session = agent.jwt_bundles.recv().await.unwrap();
            session.send(Ok(jwt_bundles(&key))).await.unwrap();
        })
    })
    .await;
    done.unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("token")).unwrap(), svid.token());
    for name in ["chain", "key", "bundle", "jwt.json"] {
        assert!(folder.path().join(name).exists(), "{name}");
    }
    assert_eq!(agent.asked(), [(Audience::new(["db", "cache"]).unwrap(), None)]);
}

#[tokio::test]
async fn denial_is_tried_ten_times_and_then_told() {
    let (mut agent, folder) = (FakeAgent::serve(), TempDir::new().unwrap());
    let once = deliverer(&agent, &folder, THREE);
    let (tasks, hand) = (agent.tasks.clone(), agent.hand.clone());
    let denying = async {
        for asked in 0..10 {
            let session = agent.x509.recv().await.unwrap();
            session.send(Err(Status::permission_denied("no identity issued"))).await.unwrap();
            if asked == 9 {
                return;
            }
            let wait = Duration::from_millis(10 * 5_u64.pow(asked)).min(Duration::from_secs(60));
            // Before, the answer is waited for.
            while hand.next_wake() != Some(agent.clock.now() + wait) {
                tokio::task::yield_now().await;
            }
            hand.step(wait);
        }
    };
    let (done, ()) = bounded(async { tokio::join!(Box::pin(once.once(&tasks)), denying) }).await;
    let error = done.unwrap_err();
    assert!(matches!(error, DeliverError::Receive(_)), "{error}");
    assert_eq!(error.to_string(), "the Workload API refused FetchX509SVID");
}

#[tokio::test]
async fn anything_but_a_denial_ends_at_once() {
    let (mut agent, folder) = (FakeAgent::serve(), TempDir::new().unwrap());
    let once = deliverer(&agent, &folder, THREE);
    let tasks = agent.tasks.clone();
    let (done, ()) = bounded(async {
        tokio::join!(Box::pin(once.once(&tasks)), async {
            let session = agent.x509.recv().await.unwrap();
            session.send(Err(Status::unavailable("starting"))).await.unwrap();
        })
    })
    .await;
    assert!(done.is_err());
    assert!(!folder.path().join("chain").exists());
}
