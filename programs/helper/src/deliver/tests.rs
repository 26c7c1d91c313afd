//! Deliveries from an agent that answers by hand, on a clock that is moved by hand.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod once;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_identity::{
    Audience, Bundle, BundleSet, JwtAuthority, JwtClaims, JwtSigningInput, JwtSvid, KeyKind, PrivateKey,
    SpiffeId, X509Credential,
};
use finial_receive::testing::{Authority, FakeAgent, SVID_TTL, Session, pem, start};
use finial_wire::X509Context;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tonic::Status;

use super::{DeliverError, Deliverer, LOOK};
use crate::fixtures::bounded;
use crate::folder::{Folder, Owner};
use crate::vitals::Vitals;
use crate::{Config, Delivered, Deliveries, Overrides};

const WEB: &str = "spiffe://example.org/web";
const THREE: &str =
    "svid_file_name = \"chain\"\nsvid_key_file_name = \"key\"\nsvid_bundle_file_name = \"bundle\"\n";
const TOKEN: &str = "jwt_svids = [{ jwt_audience = \"db\", jwt_svid_file_name = \"token\" }]\n";
const TOKEN_LIFE: Duration = Duration::from_secs(300);

/// A deliverer, its agent and its folder.
struct Desk {
    agent: FakeAgent,
    authority: Authority,
    key: PrivateKey,
    folder: TempDir,
    deliveries: Deliveries,
    ended: oneshot::Receiver<Result<(), DeliverError>>,
}

fn deliverer(agent: &FakeAgent, folder: &TempDir, keys: &str) -> Deliverer {
    let agent_address = format!("agent_address = \"{}\"\n", agent.endpoint);
    let cert_dir = format!("cert_dir = \"{}\"\n", folder.path().display());
    let text = format!("{agent_address}{cert_dir}{keys}");
    let config = Config::from_hcl(&text, "h.conf", &Overrides::default()).unwrap();
    let opened = Folder::open(folder.path(), config.layout, Owner::default()).unwrap();
    Deliverer::new(Arc::new(config), opened, &Vitals::new(&agent.clock), &agent.clock)
}

impl Desk {
    fn open(keys: &str) -> Self {
        let (agent, folder) = (FakeAgent::serve(), TempDir::new().unwrap());
        let deliverer = deliverer(&agent, &folder, keys);
        let (report, ended) = oneshot::channel();
        let (deliveries, tasks) = (deliverer.deliveries(), agent.tasks.clone());
        agent.tasks.spawn("deliver", async move {
            let _ = report.send(deliverer.run(&tasks).await);
        });
        let (authority, key) =
            (Authority::new("example.org"), PrivateKey::generate(KeyKind::EcP256).unwrap());
        Self { agent, authority, key, folder, deliveries, ended }
    }

    async fn x509(&mut self) -> Session<X509Context> {
        bounded(self.agent.x509.recv()).await.unwrap()
    }

    async fn jwt_bundles(&mut self) -> Session<BundleSet> {
        bounded(self.agent.jwt_bundles.recv()).await.unwrap()
    }

    fn set(&self, credentials: Vec<X509Credential>) -> X509Context {
        set(credentials, self.authority.bundles())
    }

    /// The next one of this workload, and what is to be in the files.
    fn next(&self) -> (X509Context, String) {
        let credential = self.authority.credential_at(WEB, self.agent.clock.now());
        let chain = pem(credential.svid().chain());
        (self.set(vec![credential]), chain)
    }

    /// Has the agent answer calls for tokens by one that this key signed.
    fn answer(&self, key: &PrivateKey) -> String {
        let svid = token(key, self.agent.clock.now(), &["db"]);
        *self.agent.jwt_svids.lock().unwrap() = Some(Ok(vec![svid.clone()]));
        svid.token().to_owned()
    }

    async fn until(&mut self, wanted: impl FnMut(&Delivered) -> bool) -> Delivered {
        *bounded(self.deliveries.wait_for(wanted)).await.unwrap()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn sleepers(&self, count: usize) {
        bounded(self.agent.hand.sleepers(count)).await;
    }
}

fn set(credentials: Vec<X509Credential>, bundles: BundleSet) -> X509Context {
    X509Context { credentials, bundles, trust_domain: SpiffeId::parse(WEB).unwrap().trust_domain() }
}

fn token(key: &PrivateKey, now: SystemTime, audience: &[&str]) -> JwtSvid {
    let claims = JwtClaims {
        subject: SpiffeId::parse(WEB).unwrap(),
        audience: Audience::new(audience.iter().copied()).unwrap(),
        issued_at: now,
        expires_at: now + TOKEN_LIFE,
        issuer: None,
        id: None,
    };
    let input = JwtSigningInput::new(&claims, "key-1", KeyKind::EcP256).unwrap();
    let signature = key.sign(input.bytes()).unwrap();
    JwtSvid::parse_unverified(&input.finish(&signature).unwrap()).unwrap()
}

fn jwt_bundles(key: &PrivateKey) -> BundleSet {
    let mut bundle = Bundle::empty(SpiffeId::parse(WEB).unwrap().trust_domain());
    bundle.jwt_authorities = vec![JwtAuthority {
        key_id: "key-1".to_owned(),
        public_key: key.public_key().clone(),
        expires_at: None,
        tainted: false,
    }];
    [Arc::new(bundle)].into_iter().collect()
}

#[tokio::test]
async fn each_push_is_written_and_the_same_again_is_nothing_new() {
    let mut desk = Desk::open(THREE);
    let session = desk.x509().await;
    let (first, chain) = desk.next();
    let repeated = desk.set(first.credentials.clone());
    session.send(Ok(first)).await.unwrap();
    let delivered = desk.until(|delivered| delivered.x509 == 1).await;
    assert!(delivered.complete);
    assert_eq!(desk.read("chain"), chain);
    assert_eq!(desk.read("bundle"), desk.authority.bundle().to_pem());

    session.send(Ok(repeated)).await.unwrap();
    let (second, chain) = desk.next();
    session.send(Ok(second)).await.unwrap();
    desk.until(|delivered| delivered.x509 >= 2).await;
    assert_eq!(desk.read("chain"), chain);
    assert_eq!(desk.deliveries.borrow().x509, 2);
}

#[tokio::test]
async fn nothing_is_complete_before_all_outputs_are_written() {
    let mut desk = Desk::open(&format!("{THREE}{TOKEN}jwt_bundle_file_name = \"jwt.json\""));
    let (x509, jwt) = (desk.x509().await, desk.jwt_bundles().await);
    x509.send(Ok(desk.next().0)).await.unwrap();
    let delivered = desk.until(|delivered| delivered.x509 == 1).await;
    assert!(!delivered.complete);
    let token = desk.answer(&desk.key.clone());
    jwt.send(Ok(jwt_bundles(&desk.key))).await.unwrap();
    let delivered = desk.until(|delivered| delivered.complete).await;
    assert_eq!(delivered, Delivered { x509: 1, jwt: 1, jwt_bundle: 1, complete: true });
    assert_eq!(desk.read("token"), token);
    assert!(desk.read("jwt.json").starts_with("{\"example.org\":\""));
}

#[tokio::test]
async fn token_is_fetched_again_in_the_middle_of_its_life() {
    let mut desk = Desk::open(TOKEN);
    let session = desk.jwt_bundles().await;
    desk.answer(&desk.key.clone());
    session.send(Ok(jwt_bundles(&desk.key))).await.unwrap();
    desk.until(|delivered| delivered.jwt == 1).await;
    // The two waits for the middle, and the look at the folder.
    desk.sleepers(3).await;
    desk.agent.hand.step(Duration::from_secs(150));
    let token = desk.answer(&desk.key.clone());
    assert_eq!(desk.agent.asked().len(), 1);
    desk.sleepers(3).await;
    desk.agent.hand.step(Duration::from_secs(1));
    desk.until(|delivered| delivered.jwt == 2).await;
    assert_eq!(desk.read("token"), token);
}

#[tokio::test]
async fn step_of_the_clock_in_either_direction_keeps_no_token_for_too_long() {
    for (wall, passes) in [(Duration::from_secs(400), false), (Duration::ZERO, true)] {
        let mut desk = Desk::open(TOKEN);
        let session = desk.jwt_bundles().await;
        desk.answer(&desk.key.clone());
        session.send(Ok(jwt_bundles(&desk.key))).await.unwrap();
        desk.until(|delivered| delivered.jwt == 1).await;
        desk.sleepers(3).await;
        let begun = if passes { start() - Duration::from_secs(3600) } else { start() + wall };
        desk.agent.hand.set(begun);
        desk.answer(&desk.key.clone());
        if passes {
            desk.sleepers(3).await;
            desk.agent.hand.step(Duration::from_secs(151));
        }
        desk.until(|delivered| delivered.jwt == 2).await;
    }
}

#[tokio::test]
async fn token_that_no_bundle_vouches_for_is_not_written_and_asked_for_again() {
    let mut desk = Desk::open(TOKEN);
    let session = desk.jwt_bundles().await;
    desk.answer(&PrivateKey::generate(KeyKind::EcP256).unwrap());
    session.send(Ok(jwt_bundles(&desk.key))).await.unwrap();
    // The wait before the next attempt, and the look at the folder.
    desk.sleepers(2).await;
    assert!(!desk.path("token").exists());
    let token = desk.answer(&desk.key.clone());
    desk.agent.hand.step(Duration::from_millis(1200));
    desk.until(|delivered| delivered.jwt == 1).await;
    assert_eq!(desk.read("token"), token);
}

#[tokio::test]
async fn hint_that_matches_nothing_leaves_the_old_files() {
    let mut desk = Desk::open(&format!("{THREE}hint = \"internal\""));
    let session = desk.x509().await;
    let hinted = |hint: &str| {
        desk.set(vec![
            desk.authority.credential_with_hint(WEB, start(), "external"),
            desk.authority.credential_with_hint(WEB, start(), hint),
        ])
    };
    let (good, bad) = (hinted("internal"), hinted("other"));
    let chain = pem(good.credentials[1].svid().chain());
    session.send(Ok(bad)).await.unwrap();
    session.send(Ok(good)).await.unwrap();
    desk.until(|delivered| delivered.x509 == 1).await;
    let bad = desk.set(vec![desk.authority.credential_with_hint(WEB, start(), "other")]);
    session.send(Ok(bad)).await.unwrap();
    desk.sleepers(2).await;
    assert_eq!(desk.read("chain"), chain);
    assert_eq!(desk.deliveries.borrow().x509, 1);
}

#[tokio::test]
async fn set_that_does_not_belong_together_is_not_written() {
    let mut desk = Desk::open(THREE);
    let session = desk.x509().await;
    let stranger = Authority::new("example.org");
    let mixed = set(vec![stranger.credential(WEB)], desk.authority.bundles());
    session.send(Ok(mixed)).await.unwrap();
    let (good, chain) = desk.next();
    session.send(Ok(good)).await.unwrap();
    desk.until(|delivered| delivered.x509 == 1).await;
    assert_eq!(desk.read("chain"), chain);
}

#[tokio::test]
async fn agent_that_is_gone_for_longer_than_an_svid_is_waited_for() {
    let mut desk = Desk::open(THREE);
    let session = desk.x509().await;
    let (first, chain) = desk.next();
    session.send(Ok(first)).await.unwrap();
    desk.until(|delivered| delivered.x509 == 1).await;
    desk.sleepers(2).await;
    session.send(Err(Status::unavailable("restarting"))).await.unwrap();
    drop(session);
    desk.sleepers(3).await;
    desk.agent.hand.step(SVID_TTL * 2);
    assert_eq!(desk.read("chain"), chain, "what stood there stays, though it has expired");
    let session = desk.x509().await;
    let (second, chain) = desk.next();
    session.send(Ok(second)).await.unwrap();
    desk.until(|delivered| delivered.x509 == 2).await;
    assert_eq!(desk.read("chain"), chain);
}

#[tokio::test]
async fn folder_that_cannot_be_written_in_is_tried_again() {
    let mut desk = Desk::open(THREE);
    fs::create_dir(desk.path("key")).unwrap();
    let session = desk.x509().await;
    let (first, chain) = desk.next();
    session.send(Ok(first)).await.unwrap();
    // The wait before the next attempt, and the end of the SVID.
    desk.sleepers(2).await;
    while desk.agent.hand.next_wake().unwrap() > desk.agent.clock.now() + Duration::from_secs(2) {
        tokio::task::yield_now().await;
    }
    assert!(!desk.path("chain").exists());
    fs::remove_dir(desk.path("key")).unwrap();
    desk.agent.hand.step(Duration::from_secs(2));
    desk.until(|delivered| delivered.x509 == 1).await;
    assert_eq!(desk.read("chain"), chain);
}

#[tokio::test]
async fn files_that_somebody_takes_away_are_put_back() {
    let mut desk = Desk::open(THREE);
    let session = desk.x509().await;
    let (first, chain) = desk.next();
    session.send(Ok(first)).await.unwrap();
    desk.until(|delivered| delivered.x509 == 1).await;
    desk.sleepers(2).await;
    fs::remove_dir_all(desk.folder.path()).unwrap();
    fs::create_dir(desk.folder.path()).unwrap();
    desk.agent.hand.step(LOOK);
    desk.until(|delivered| delivered.x509 == 2).await;
    assert_eq!(desk.read("chain"), chain);
}

#[tokio::test]
async fn agent_that_will_never_serve_ends_the_helper() {
    let mut desk = Desk::open(THREE);
    let session = desk.x509().await;
    session.send(Err(Status::unimplemented("no such method"))).await.unwrap();
    let ended = bounded(&mut desk.ended).await.unwrap();
    let error = ended.unwrap_err();
    assert!(matches!(error, DeliverError::NeverServed { .. }), "{error}");
}

#[tokio::test]
async fn keystore_without_its_password_is_written_once_there_is_one() {
    let password = TempDir::new().unwrap();
    let file = password.path().join("password");
    let keys = format!("keystore_password_file = \"{}\"\nkeystore_file_name = \"k.p12\"", file.display());
    let mut desk = Desk::open(&format!("{THREE}{keys}"));
    let session = desk.x509().await;
    session.send(Ok(desk.next().0)).await.unwrap();
    desk.sleepers(2).await;
    while desk.agent.hand.next_wake().unwrap() > desk.agent.clock.now() + Duration::from_secs(2) {
        tokio::task::yield_now().await;
    }
    assert!(!desk.path("chain").exists());
    fs::write(file, "sesam12\n").unwrap();
    desk.agent.hand.step(Duration::from_secs(2));
    desk.until(|delivered| delivered.x509 == 1).await;
    let keystore =
        finial_identity::Keystore::open(&fs::read(desk.path("k.p12")).unwrap(), "sesam12").unwrap();
    assert_eq!(pem(&keystore.chain), desk.read("chain"));
}
