//! Nodes with certificates that OpenSSL made, in each form it writes: they attest, are evicted, come back, and are banned.

use std::path::{Path, PathBuf};
use std::process::Command;

use finial_testkit::{Pair, Process, run, until};
use serde_json::Value;

use crate::peers::program;

/// A public key infrastructure as many run one: OpenSSL and a few files.
struct Pki {
    program: PathBuf,
    folder: PathBuf,
}

impl Pki {
    fn new(program: PathBuf, folder: &str) -> Self {
        let pki = Self { program, folder: folder.into() };
        std::fs::create_dir_all(&pki.folder).unwrap();
        pki.openssl(
            "req -x509 -newkey rsa:3072 -nodes -days 30 -subj /CN=root -keyout root.key -out root.pem",
        );
        std::fs::write(
            pki.path("ca.ext"),
            "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign\n",
        )
        .unwrap();
        pki.openssl("req -newkey rsa:2048 -nodes -subj /CN=middle -keyout middle.key -out middle.csr");
        pki.openssl(
            "x509 -req -in middle.csr -CA root.pem -CAkey root.key -CAcreateserial -days 30 -extfile ca.ext -out middle.pem",
        );
        let names = "subjectAltName=URI:x509pop://example.org/rack/7\nkeyUsage=critical,digitalSignature\n";
        std::fs::write(pki.path("node.ext"), names).unwrap();
        pki
    }

    fn openssl(&self, args: &str) {
        let mut command = Command::new(&self.program);
        run(command.current_dir(&self.folder).args(args.split(' '))).expect_success();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Certifies `node.key`, which this command makes.
    fn node(&self, command: &str) {
        self.openssl(command);
        self.openssl("req -new -key node.key -subj /O=Example/CN=node-7 -out node.csr");
        self.openssl(
            "x509 -req -in node.csr -CA middle.pem -CAkey middle.key -CAcreateserial -days 30 -extfile node.ext -out node.pem",
        );
    }
}

fn server(pair: &Pair, pki: &Pki) -> Process {
    let roots = pki.path("root.pem");
    let plugin =
        format!("NodeAttestor \"x509pop\" {{ plugin_data {{ ca_bundle_path = \"{}\" }} }}", roots.display());
    pair.server_with("", &plugin)
}

fn agent(pair: &Pair, pki: &Pki) -> Process {
    let conf = pair.path("agent.conf");
    let text = format!(
        "agent {{ trust_domain = \"example.org\" server_address = \"127.0.0.1\" server_port = {} }}
        plugins {{
            KeyManager \"memory\" {{ plugin_data {{}} }}
            NodeAttestor \"x509pop\" {{ plugin_data {{
                private_key_path = \"{folder}/node.key\"
                certificate_path = \"{folder}/node.pem\"
                intermediates_path = \"{folder}/middle.pem\"
            }} }}
            WorkloadAttestor \"unix\" {{ plugin_data {{}} }}
        }}",
        pair.port(),
        folder = pki.folder.display(),
    );
    std::fs::write(&conf, text).unwrap();
    let bundle = pair.bundle();
    pair.agent(&["-config", &conf, "-trustBundle", &bundle.to_string_lossy()])
}

/// The only agent that the server knows.
fn known(pair: &Pair) -> Option<Value> {
    let answer = pair.cli(&["agent", "list", "-output", "json"]).expect_success();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    answer["agents"].get(0).cloned()
}

fn id(agent: &Value) -> String {
    format!(
        "spiffe://{}{}",
        agent["id"]["trust_domain"].as_str().unwrap(),
        agent["id"]["path"].as_str().unwrap()
    )
}

fn start() -> Option<(Pair, Pki)> {
    let program = program("openssl")?;
    let pair = Pair::new();
    let pki = Pki::new(program, &pair.path("pki"));
    Some((pair, pki))
}

fn reads(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap().lines().next().unwrap().to_owned()
}

#[test]
fn node_attests_with_every_key_that_openssl_writes() {
    let Some((pair, pki)) = start() else { return };
    let _server = server(&pair, &pki);
    for (command, form) in [
        ("genrsa -traditional -out node.key 2048", "-----BEGIN RSA PRIVATE KEY-----"),
        ("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out node.key", "-----BEGIN PRIVATE KEY-----"),
        ("ecparam -name prime256v1 -genkey -noout -out node.key", "-----BEGIN EC PRIVATE KEY-----"),
        ("ecparam -name secp384r1 -genkey -noout -out node.key", "-----BEGIN EC PRIVATE KEY-----"),
        (
            "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out node.key",
            "-----BEGIN PRIVATE KEY-----",
        ),
    ] {
        pki.node(command);
        assert_eq!(reads(&pki.path("node.key")), form);
        let mut agent = agent(&pair, &pki);
        let known = agent.until("attestation", || known(&pair));
        let selectors = known["selectors"].as_array().unwrap();
        for value in ["subject:cn:node-7", "san:rack:7"] {
            assert!(selectors.iter().any(|selector| selector["value"] == value), "{selectors:?}");
        }
        pair.cli(&["agent", "evict", "-spiffeID", &id(&known)]).expect_success();
    }
}

#[test]
fn node_is_evicted_comes_back_and_is_banned() {
    let Some((pair, pki)) = start() else { return };
    pki.node("genrsa -out node.key 2048");
    let _server = server(&pair, &pki);
    let mut agent = agent(&pair, &pki);
    let alias = ["entry", "create", "-node", "-spiffeID", "spiffe://example.org/node"];
    pair.cli(&[&alias[..], &["-selector", "x509pop:san:rack:7"]].concat()).expect_success();
    pair.identity("web");

    let before = known(&pair).unwrap();
    pair.cli(&["agent", "evict", "-spiffeID", &id(&before)]).expect_success();
    let after = until("agent that came back", || known(&pair));
    assert_eq!(id(&after), id(&before));
    pair.identity("still-served");

    pair.cli(&["agent", "ban", "-spiffeID", &id(&after)]).expect_success();
    assert!(!agent.wait().success());
    let log = agent.log();
    assert!(log.contains(&format!("finial agent evict -spiffeID {}", id(&after))), "{log}");
}
