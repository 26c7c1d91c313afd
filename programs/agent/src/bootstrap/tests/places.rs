//! Files, and what every bundle must be.

use finial_identity::Bundle;
use finial_receive::testing::Authority;

use super::{Contact, own, text};
use crate::config::{BundleFormat, TrustBundle};

#[tokio::test]
async fn a_bundle_is_read_from_a_file_in_either_format() {
    let bundle = own();
    for (format, content) in
        [(BundleFormat::Pem, bundle.to_pem()), (BundleFormat::Spiffe, bundle.to_spiffe_json())]
    {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bundle");
        std::fs::write(&path, content).unwrap();
        let mut contact = Contact::with_format(TrustBundle::File(path), format);
        assert_eq!(contact.ask().await.unwrap().x509_authorities, bundle.x509_authorities);
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_or_of_another_format_is_named_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle");
    let mut contact = Contact::with_format(TrustBundle::File(path.clone()), BundleFormat::Spiffe);
    let missing = text(&contact.ask().await.unwrap_err());
    std::fs::write(&path, own().to_pem()).unwrap();
    let other = text(&contact.ask().await.unwrap_err());
    for error in [&missing, &other] {
        assert!(error.contains(&path.display().to_string()), "{error}");
        assert!(error.contains("`finial bundle show` on the server"), "{error}");
    }
    assert!(other.contains("trust_bundle_format"), "{other}");
}

#[tokio::test]
async fn a_bundle_is_of_the_own_trust_domain_and_not_empty() {
    let foreign = TrustBundle::Given(Authority::new("other.test").bundle().as_ref().clone());
    let error = Contact::with(foreign).ask().await.unwrap_err().to_string();
    assert_eq!(error, "the trust bundle is of `other.test`, not of the agent's trust domain `example.org`");
    let empty = TrustBundle::Given(Bundle::empty(own().trust_domain));
    assert!(Contact::with(empty).ask().await.unwrap_err().to_string().contains("holds no certificate"));
}

#[tokio::test]
async fn without_a_place_there_is_no_bundle() {
    let error = Contact::with(TrustBundle::NotGiven).ask().await.unwrap_err();
    assert!(error.to_string().starts_with("no trust bundle to verify the server with"), "{error}");
    assert!(!error.is_passing());
}
