//! The mode `spiffe`: an SVID is exchanged for an agent's.

use finial_identity::{Bundle, X509Authority};
use rcgen::CertificateParams;

use super::*;

fn config(prefix: &str) -> X509PopConfig {
    X509PopConfig::new(X509PopMode::Spiffe { svid_prefix: prefix.to_owned() })
}

/// The authorities of `pki` as the bundle of a trust domain.
fn bundle(pki: &Pki, trust_domain: &str) -> Bundle {
    let mut bundle = Bundle::empty(trust_domain.parse().unwrap());
    bundle.x509_authorities.push(X509Authority::parse_der(pki.root().to_vec()).unwrap());
    bundle
}

fn svid(ids: &[&str]) -> CertificateParams {
    let mut params = node_certificate();
    params.subject_alt_names = ids.iter().map(|id| SanType::URI((*id).try_into().unwrap())).collect();
    params
}

async fn exchange(
    pki: &Pki,
    bundles: &[Bundle],
    prefix: &str,
    params: &CertificateParams,
) -> Result<AttestedNode, AttestError> {
    let key = Key::p256();
    let chain = vec![pki.sign(params, &key), pki.intermediate()];
    let possession = Possession::new(chain, &PrivateKeyDer::try_from(key.pkcs8()).unwrap()).unwrap();
    let attestors = NodeAttestors::new(trust_domain(), [pki::attestor(config(prefix), bundles).await]);
    let mut agent = Agent { possession: &possession, spoil: &|_| {} };
    attestors.attest(KIND, &possession.payload(), None, &mut agent).await
}

#[tokio::test]
async fn svid_below_the_prefix_becomes_an_agent() {
    let pki = Pki::new();
    let bundles = [bundle(&pki, "example.org")];
    for (prefix, id, path) in [
        ("/spire-exchange", "spiffe://example.org/spire-exchange/host/7", "/x509pop/host/7"),
        ("/spire-exchange/", "spiffe://example.org/spire-exchange/host", "/x509pop/host"),
        ("", "spiffe://example.org/any/host", "/x509pop/any/host"),
    ] {
        let node = exchange(&pki, &bundles, prefix, &svid(&[id])).await.unwrap();
        assert_eq!(node.id().path(), format!("/spire/agent{path}"));
        assert!(node.can_reattest());
        let root = format!("ca:fingerprint:{}", pki::sha1(&pki.root()));
        assert!(values(&node).contains(&root.as_str()));
    }
}

#[tokio::test]
async fn other_svids_are_refused() {
    let pki = Pki::new();
    let own = [bundle(&pki, "example.org")];
    let other = [bundle(&pki, "other.org")];
    let both = [bundle(&pki, "example.org"), bundle(&pki, "other.org")];
    let good = "spiffe://example.org/spire-exchange/host";
    let table: [(&str, &[Bundle], &[&str]); 8] = [
        ("no bundle", &[], &[good]),
        ("the bundle of another domain", &other, &[good]),
        ("an id of another domain", &both, &["spiffe://other.org/spire-exchange/host"]),
        ("another path", &own, &["spiffe://example.org/other/host"]),
        ("a path that only begins like it", &own, &["spiffe://example.org/spire-exchange-2/host"]),
        ("the prefix itself", &own, &["spiffe://example.org/spire-exchange"]),
        ("two ids", &own, &[good, "spiffe://example.org/spire-exchange/other"]),
        ("no id", &own, &[]),
    ];
    for (what, bundles, ids) in table {
        let refused = exchange(&pki, bundles, "/spire-exchange", &svid(ids)).await;
        assert!(matches!(refused, Err(AttestError::Unproven { .. })), "{what}: {refused:?}");
    }
}

#[tokio::test]
async fn battery() {
    let pki = Pki::new();
    let key = Key::p256();
    let leaf = svid(&["spiffe://example.org/spire-exchange/host"]).signed_by(&key.0, pki.issuer()).unwrap();
    let files = pki.node_files();
    std::fs::write(&files.certificate_path, leaf.pem()).unwrap();
    std::fs::write(&files.private_key_path, key.0.serialize_pem()).unwrap();
    let attestor = pki::attestor(config("/spire-exchange"), &[bundle(&pki, "example.org")]).await;
    node_battery::run(&trust_domain(), attestor, &mut X509PopEvidence::new(files)).await;
}
