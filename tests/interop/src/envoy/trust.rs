//! An Envoy whose trust in a foreign trust domain is taken away: what our agent sends then, it takes, and trusts nobody.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use async_trait::async_trait;
use finial_daemon::{Clock, Tasks};
use finial_identity::{Bundle, PrivateKey, TrustDomain, X509Credential, X509Svid};
use finial_testkit::{Dev, run, until};
use finial_wire::server::{Messages, SecretApi, secret_service};
use finial_wire::{Secret, SecretContent, SecretDelta, SecretDeltaRequest, SecretRequest, SecretUpdate};
use futures_util::future::ready;
use futures_util::stream::{self, StreamExt};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio_stream::wrappers::{UnixListenerStream, WatchStream};
use tonic::transport::Server;
use tonic::{Extensions, Status};

use super::{Envoy, example, program};
use crate::peers;

const ID: &str = "spiffe://other.test/caller";

/// An agent that gives one identity, and a trust that the test decides.
struct Told {
    credential: Arc<X509Credential>,
    trust: watch::Receiver<SecretContent>,
}

#[async_trait]
impl SecretApi for Told {
    async fn stream(
        &self,
        _: &Extensions,
        mut requests: Messages<SecretRequest>,
    ) -> Result<Messages<SecretUpdate>, Status> {
        let first = requests.next().await.ok_or_else(|| Status::cancelled("no request"))??;
        let name = first.names.into_iter().next().ok_or_else(|| Status::invalid_argument("no name"))?;
        let contents = match name.as_str() {
            "default" => stream::iter([SecretContent::Credential(Arc::clone(&self.credential))]).boxed(),
            _ => WatchStream::new(self.trust.clone()).boxed(),
        };
        let update = move |(number, content): (usize, SecretContent)| {
            let secret = Secret { name: name.clone(), version: String::new(), content };
            Ok(SecretUpdate { version: (number + 1).to_string(), secrets: vec![secret] })
        };
        // Acknowledgements are read, so that the stream stays open.
        let rest = requests.filter_map(|_| ready(None));
        Ok(stream::select(contents.enumerate().map(update), rest).boxed())
    }

    async fn delta(
        &self,
        _: &Extensions,
        _: Messages<SecretDeltaRequest>,
    ) -> Result<Messages<SecretDelta>, Status> {
        Err(Status::unimplemented("not asked in this test"))
    }

    async fn fetch(&self, _: &Extensions, _: SecretRequest) -> Result<SecretUpdate, Status> {
        Err(Status::unimplemented("not asked in this test"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn validator_is_replaced_by_nobody() {
    trusts_nobody(|bundle| SecretContent::Spiffe(vec![bundle])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trusted_ca_is_replaced_by_nobody() {
    trusts_nobody(SecretContent::Authorities).await;
}

async fn trusts_nobody(trust_in: impl Fn(Arc<Bundle>) -> SecretContent) {
    let (Some(_), Some(curl)) = (program(), peers::program("curl")) else { return };
    let dev = Dev::serving("other.test");
    dev.identity(ID);
    let svid = dev.write_svid();
    let (credential, bundle) = read(&svid);
    let (trust, told) = watch::channel(trust_in(Arc::clone(&bundle)));
    let socket = dev.folder().join("told.sock");
    let tasks = Tasks::new(Clock::system());
    let connections = UnixListenerStream::new(UnixListener::bind(&socket).expect("a socket"));
    let service = secret_service(Arc::new(Told { credential, trust: told }));
    tasks.spawn("sds", async {
        let _ = Server::builder().add_service(service).serve_with_incoming(connections).await;
    });
    let configuration = example("inbound.yaml")
        .replace("spiffe://spiffe-demo.internal/ns/spiffe-customer/sa/spiffe-demo-httpbackend", "default")
        .replace("spiffe://spiffe-demo.internal/ns/spiffe-demo/sa/spiffe-demo-customer", ID)
        .replace("spiffe://spiffe-demo.internal", "spiffe://other.test");
    // Nothing listens behind it: its own answer will do.
    let envoy = Envoy::start(dev.folder(), &socket, &configuration, 1).live();
    let is_let_in = || handshake_succeeds(&curl, &svid, envoy.port);
    assert!(is_let_in(), "{}", envoy.process.log());
    for (content, is_trusted) in
        [(SecretContent::Nobody(Arc::clone(&bundle)), false), (trust_in(Arc::clone(&bundle)), true)]
    {
        let before = envoy.count("update_success");
        trust.send_replace(content);
        until("update", || (envoy.count("update_success") > before).then_some(()));
        until("change of trust", || (is_let_in() == is_trusted).then_some(()));
    }
    envoy.assert_content();
}

/// The SVID that the agent wrote, and its bundle.
fn read(folder: &Path) -> (Arc<X509Credential>, Arc<Bundle>) {
    let file = |name: &str| std::fs::read(folder.join(name)).expect("a file of the agent");
    let key = PrivatePkcs8KeyDer::from_pem_slice(&file("svid.0.key")).expect("a key");
    let key = PrivateKey::from_pkcs8_der(key.secret_pkcs8_der()).expect("a key");
    let svid = X509Svid::parse_pem(&file("svid.0.pem")).expect("an SVID");
    let trust_domain = TrustDomain::parse("other.test").expect("a trust domain");
    let bundle = Bundle::parse_pem(trust_domain, &file("bundle.0.pem")).expect("a bundle");
    (Arc::new(X509Credential::new(svid, key, String::new()).expect("a credential")), Arc::new(bundle))
}

/// Whether a caller with this SVID gets an answer, be it that nothing listens behind the Envoy.
fn handshake_succeeds(curl: &Path, svid: &Path, port: u16) -> bool {
    let mut command = Command::new(curl);
    command.args(["--silent", "--insecure", "--max-time", "5"]).current_dir(svid);
    command.args(["--cert", "svid.0.pem", "--key", "svid.0.key"]);
    run(command.arg(format!("https://127.0.0.1:{port}/"))).status.success()
}
