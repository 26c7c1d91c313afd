//! Who would be let in, and why not.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::time::Duration;

use finial_daemon::Clock;
use finial_receive::Endpoint;
use finial_receive::testing::{Authority, FakeAgent, pem, start};
use finial_wire::X509Context;
use tempfile::TempDir;

use super::{Examined, Visitor, examine, examine_file};
use crate::{AccessFlags, ClientConfig, CredentialFlags, PeerFlags, ServerConfig};

fn agent() -> CredentialFlags {
    CredentialFlags::workload_api(Endpoint::parse("unix:///run/agent.sock").unwrap())
}

fn uris(uris: &[&str]) -> AccessFlags {
    AccessFlags { uris: uris.iter().map(|uri| (*uri).to_owned()).collect(), ..AccessFlags::default() }
}

async fn server(allow: AccessFlags) -> Examined {
    let config = ServerConfig::new("0.0.0.0:1", "localhost:2", agent());
    examine(ServerConfig { allow, ..config }, &clock()).await.unwrap()
}

fn clock() -> Clock {
    Clock::manual(start()).0
}

fn id(text: &str) -> Visitor {
    Visitor::Id(text.parse().unwrap())
}

#[tokio::test]
async fn an_id_is_permitted_by_a_rule_or_told_which_came_closest() {
    let server = server(uris(&["spiffe://example.org/a", "spiffe://example.org/ns/*/sa/web"])).await;
    for (who, permitted, says) in [
        ("spiffe://example.org/a", true, "spiffe://example.org/a"),
        ("spiffe://example.org/ns/x/sa/web", true, "spiffe://example.org/ns/*/sa/web"),
        (
            "spiffe://example.org/ns/x/sa/db",
            false,
            "no rule matches spiffe://example.org/ns/x/sa/db; the closest is spiffe://example.org/ns/*/sa/web, which has `web` where this has `db`",
        ),
        (
            "spiffe://example.org/ns/x",
            false,
            "no rule matches spiffe://example.org/ns/x; the closest is spiffe://example.org/ns/*/sa/web, which goes on with `sa`",
        ),
        (
            "spiffe://example.org/a/b",
            false,
            "no rule matches spiffe://example.org/a/b; the closest is spiffe://example.org/a, which ends before `b`",
        ),
        (
            "spiffe://other.org/a",
            false,
            "its trust domain is `other.org`, and no rule has that; the first rule is spiffe://example.org/a",
        ),
    ] {
        let judgement = server.judge(&id(who));
        assert_eq!((judgement.permitted, judgement.reasons), (permitted, vec![says.to_owned()]), "{who}");
    }
}

#[tokio::test]
async fn a_listener_that_asks_for_nothing_lets_anybody_in() {
    let config = ServerConfig::new("0.0.0.0:1", "localhost:2", agent());
    let server = examine(ServerConfig { disable_authentication: true, ..config }, &clock()).await.unwrap();
    assert!(server.judge(&id("spiffe://other.org/x")).permitted);
    assert!(server.judge(&Visitor::Certificate(Vec::new())).permitted);
}

/// A folder with two authorities, and a certificate of each.
struct Pki {
    folder: TempDir,
    ours: Authority,
    theirs: Authority,
}

impl Pki {
    fn new() -> Self {
        let (folder, ours, theirs) =
            (TempDir::new().unwrap(), Authority::new("example.org"), Authority::new("other.org"));
        fs::write(folder.path().join("ca.pem"), ours.bundle().to_pem()).unwrap();
        let pki = Self { folder, ours, theirs };
        let (chain, key) = pki.ours.leaf("spiffe://example.org/server", start(), |_| {});
        fs::write(pki.path("own.pem"), pem(&chain) + key.to_pem().as_str()).unwrap();
        pki
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn credentials(&self) -> CredentialFlags {
        CredentialFlags {
            keystore: Some(self.path("own.pem")),
            authorities: Some(self.path("ca.pem")),
            ..CredentialFlags::default()
        }
    }

    fn visitor(&self, authority: &Authority, id: &str) -> Visitor {
        let (chain, _) = authority.leaf(id, start(), |_| {});
        fs::write(self.path("visitor.pem"), pem(&chain)).unwrap();
        Visitor::read(&self.path("visitor.pem")).unwrap()
    }

    async fn server(&self, clock: &Clock) -> Examined {
        let config = ServerConfig::new("0.0.0.0:1", "localhost:2", self.credentials());
        let allow = uris(&["spiffe://example.org/a"]);
        examine(ServerConfig { allow, ..config }, clock).await.unwrap()
    }
}

#[tokio::test]
async fn a_certificate_is_told_everything_that_speaks_against_it() {
    let pki = Pki::new();
    let (clock, hand) = Clock::manual(start());
    let server = pki.server(&clock).await;
    let good = pki.visitor(&pki.ours, "spiffe://example.org/a");
    assert!(server.judge(&good).permitted);

    let stranger = server.judge(&pki.visitor(&pki.ours, "spiffe://example.org/b"));
    assert!(!stranger.permitted);
    assert!(stranger.reasons[0].starts_with("no rule matches spiffe://example.org/b"), "{stranger:?}");

    let foreign = server.judge(&pki.visitor(&pki.theirs, "spiffe://example.org/a"));
    assert!(!foreign.permitted);
    assert!(
        foreign.reasons[0].starts_with("the certificate does not lead to a trusted authority"),
        "{foreign:?}"
    );

    let nothing = server.judge(&Visitor::Certificate(Vec::new()));
    assert_eq!(nothing.reasons, ["there is no certificate; give at least the leaf"]);

    hand.step(Duration::from_secs(400 * 24 * 3600));
    let late = server.judge(&good);
    assert!(!late.permitted);
    assert!(late.reasons[0].starts_with("it has expired, at "), "{late:?}");
}

#[tokio::test]
async fn without_an_agent_what_an_svid_must_be_is_judged_and_that_its_chain_is_not_is_told() {
    let pki = Pki::new();
    let server = server(uris(&["spiffe://example.org/a"])).await;
    let judgement = server.judge(&pki.visitor(&pki.theirs, "spiffe://example.org/a"));
    assert!(judgement.permitted);
    assert_eq!(judgement.reasons[0], "its names are permitted");
    let untold = "no authority and no revocation is judged, since the agent tells this process nothing: ";
    assert!(judgement.reasons[1].starts_with(untold), "{judgement:?}");
    assert!(server.rules().last().unwrap().starts_with(untold));
    let (chain, _) = pki.ours.leaf("spiffe://example.org/a", start(), |params| {
        params.subject_alt_names = vec![rcgen::SanType::DnsName("localhost".try_into().unwrap())];
    });
    let judgement = server.judge(&Visitor::Certificate(chain));
    assert!(!judgement.permitted);
    assert_eq!(judgement.reasons[0], "it has no URI, so it is no SVID");
}

/// A listener of an agent that trusts `authority` and answers.
async fn of_agent(authority: &Authority, config: impl FnOnce(ServerConfig) -> ServerConfig) -> Examined {
    let mut agent = FakeAgent::serve();
    let (credentials, clock) = (CredentialFlags::workload_api(agent.endpoint.clone()), agent.clock.clone());
    let listener = ServerConfig::new("0.0.0.0:1", "localhost:2", credentials);
    let allow = uris(&["spiffe://example.org/a", "spiffe://other.org/a"]);
    let answer = async {
        let session = agent.x509.recv().await.unwrap();
        let context = X509Context {
            credentials: vec![authority.credential("spiffe://example.org/proxy")],
            bundles: authority.bundles(),
            trust_domain: authority.bundle().trust_domain.clone(),
        };
        session.send(Ok(context)).await.unwrap();
    };
    tokio::join!(examine(config(ServerConfig { allow, ..listener }), &clock), answer).0.unwrap()
}

#[tokio::test]
async fn by_an_agent_that_answers_chains_and_trust_domains_are_judged_too() {
    let pki = Pki::new();
    let server = of_agent(&pki.ours, |server| server).await;
    assert!(server.presents().starts_with("spiffe://example.org/proxy, by the agent at unix:"));
    let good = server.judge(&pki.visitor(&pki.ours, "spiffe://example.org/a"));
    assert_eq!((good.permitted, good.reasons), (true, vec!["its names are permitted".to_owned()]));

    let forged = server.judge(&pki.visitor(&Authority::new("example.org"), "spiffe://example.org/a"));
    assert!(!forged.permitted);
    assert!(forged.reasons[0].contains("does not chain to an authority of its trust domain"), "{forged:?}");
    let foreign = server.judge(&pki.visitor(&pki.theirs, "spiffe://other.org/a"));
    assert!(foreign.reasons[0].contains("no bundle for trust domain `other.org`"), "{foreign:?}");

    assert!(server.judge(&id("spiffe://example.org/a")).permitted);
    let foreign = server.judge(&id("spiffe://other.org/a"));
    assert_eq!(
        (foreign.permitted, foreign.reasons),
        (false, vec!["the agent has no bundle of `other.org`, so that nobody of it is believed".to_owned()])
    );
}

impl Pki {
    /// A list of the certificates in `visitor.pem`, which holds until then.
    fn revoke(&self, visitor: &Visitor, until: std::time::SystemTime) -> PeerFlags {
        let Visitor::Certificate(chain) = visitor else { panic!("{visitor:?}") };
        fs::write(self.path("revoked.crl"), self.ours.revocation_list(&[&chain[0]], until)).unwrap();
        PeerFlags { revocation_lists: vec![self.path("revoked.crl")], ..PeerFlags::default() }
    }
}

#[tokio::test]
async fn who_is_in_a_revocation_list_is_refused_by_files_and_by_an_agent() {
    let pki = Pki::new();
    let revoked = pki.visitor(&pki.ours, "spiffe://example.org/a");
    let peers = pki.revoke(&revoked, start() + Duration::from_secs(60));
    let config = ServerConfig::new("0.0.0.0:1", "localhost:2", pki.credentials());
    let of_files = ServerConfig { allow: uris(&["spiffe://example.org/a"]), peers: peers.clone(), ..config };
    for server in [
        examine(of_files, &clock()).await.unwrap(),
        of_agent(&pki.ours, |server| ServerConfig { peers, ..server }).await,
    ] {
        let judgement = server.judge(&revoked);
        assert!(!judgement.permitted);
        assert!(judgement.reasons[0].contains("was revoked by its issuer"), "{judgement:?}");
        assert!(server.judge(&pki.visitor(&pki.ours, "spiffe://example.org/a")).permitted);
    }
}

#[tokio::test]
async fn list_that_has_expired_speaks_against_everybody_of_its_issuer_and_one_that_is_missing_is_an_error() {
    let pki = Pki::new();
    let other = pki.visitor(&pki.ours, "spiffe://example.org/b");
    let peers = pki.revoke(&other, start() - Duration::from_secs(60));
    let listener = |peers: PeerFlags| {
        let config = ServerConfig::new("0.0.0.0:1", "localhost:2", pki.credentials());
        ServerConfig { allow: uris(&["spiffe://example.org/a"]), peers, ..config }
    };
    let server = examine(listener(peers.clone()), &clock()).await.unwrap();
    let judgement = server.judge(&pki.visitor(&pki.ours, "spiffe://example.org/a"));
    assert!(judgement.reasons[0].contains("has expired: fetch the next one"), "{judgement:?}");
    fs::remove_file(pki.path("revoked.crl")).unwrap();
    let refused = examine(listener(peers), &clock()).await.unwrap_err();
    assert_eq!(refused.to_string(), "cannot use the revocation lists");
}

#[tokio::test]
async fn a_client_of_files_knows_servers_by_their_host_names() {
    let pki = Pki::new();
    let config = ClientConfig::new("localhost:1", "localhost:2", pki.credentials());
    let client = examine(config, &clock()).await.unwrap();
    assert!(!client.judge(&id("spiffe://example.org/a")).permitted);
    let judgement = client.judge(&pki.visitor(&pki.ours, "spiffe://example.org/a"));
    assert_eq!(judgement.reasons, ["it is not for the host name of a target"]);
}

#[tokio::test]
async fn files_that_cannot_be_used_are_refused_as_at_the_start() {
    let pki = Pki::new();
    fs::write(pki.path("own.pem"), "nothing").unwrap();
    let config = ServerConfig::new("0.0.0.0:1", "localhost:2", pki.credentials());
    let allow = uris(&["spiffe://example.org/a"]);
    let refused = examine(ServerConfig { allow, ..config }, &clock()).await.unwrap_err();
    assert_eq!(refused.to_string(), "cannot use the certificate files");
}

#[tokio::test]
async fn a_file_is_told_listener_by_listener() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("proxy.conf");
    let text = "use_workload_api_addr = \"unix:///run/agent.sock\"\nserver \"a\" { listen = \"0.0.0.0:1\"\n target = [\"localhost:2\", \"localhost:3\"]\n allow_uri = \"spiffe://x/a\"\n allow_cn = \"c\" }\nclient \"b\" { listen = \"localhost:4\"\n target = \"h:5\"\n verify_uri = \"spiffe://x/b\" }";
    fs::write(&path, text).unwrap();
    let listeners = examine_file(&path, &clock()).await.unwrap();
    let [a, b] = listeners.as_slice() else { panic!("{listeners:?}") };
    assert_eq!((a.name(), a.mode(), a.listen().as_str()), ("a", "server", "0.0.0.0:1"));
    assert_eq!(a.targets(), ["localhost:2", "localhost:3"]);
    assert_eq!(a.presents(), "the identity of the agent at unix:///run/agent.sock");
    assert_eq!(a.rules()[..3], ["URI spiffe://x/a", "common name c", "verified by the bundles of the agent"]);
    assert_eq!((b.name(), b.mode()), ("b", "client"));
}
