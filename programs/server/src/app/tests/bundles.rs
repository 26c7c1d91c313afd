//! Bundles: those of other trust domains, and what is added to one's own.

use std::collections::BTreeMap;

use finial_identity::{Bundle, JwtAuthority, KeyKind, PrivateKey, TrustDomain, X509Authority};
use finial_wire::client::{BundleClient, EntryClient};
use finial_wire::{BundleDeletion, BundleUpdate, EntryFilter};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, KeyUsagePurpose};
use tonic::Code;

use super::fixture::{Server, draft, id, trust_domain};

fn domain(name: &str) -> TrustDomain {
    TrustDomain::parse(name).unwrap()
}

fn x509_authority() -> X509Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    X509Authority::parse_der(certificate.der().to_vec()).unwrap()
}

fn jwt_authority(key_id: &str) -> JwtAuthority {
    let public_key = PrivateKey::generate(KeyKind::EcP256).unwrap().public_key().clone();
    JwtAuthority { key_id: key_id.to_owned(), public_key, expires_at: None, tainted: false }
}

fn foreign(name: &str) -> Bundle {
    let x509_authorities = vec![x509_authority()];
    Bundle { x509_authorities, jwt_authorities: vec![jwt_authority("one")], ..Bundle::empty(domain(name)) }
}

#[tokio::test]
async fn federated_bundle_is_created_once_changed_and_seen_by_agents() {
    let server = Server::start().await;
    let bundles = BundleClient::new(server.operator());
    let given = foreign("other.test");
    let created = bundles.create_federated_bundle(&given).await.unwrap();
    assert_eq!(created, Bundle { sequence_number: 1, ..given.clone() });
    let again = bundles.create_federated_bundle(&given).await.unwrap_err();
    assert_eq!((again.code(), again.message()), (Code::AlreadyExists, "bundle already exists"));

    let update = BundleUpdate {
        x509_authorities: Some(vec![x509_authority()]),
        jwt_authorities: None,
        refresh_hint: None,
        trust_domain: given.trust_domain.clone(),
    };
    let updated = bundles.update_federated_bundle(update).await.unwrap();
    assert_eq!((updated.sequence_number, &updated.jwt_authorities), (2, &given.jwt_authorities));
    assert_ne!(updated.x509_authorities, given.x509_authorities);
    let nowhere = BundleUpdate::replacing(foreign("nowhere.test"));
    assert_eq!(bundles.update_federated_bundle(nowhere).await.unwrap_err().code(), Code::NotFound);

    let agent = BundleClient::new(server.agent().await.channel);
    assert_eq!(agent.federated_bundle(&given.trust_domain).await.unwrap(), updated);
    assert_eq!(agent.federated_bundle(&domain("nowhere.test")).await.unwrap_err().code(), Code::NotFound);
    let denied = agent.set_federated_bundle(&given).await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
    server.stop().await;
}

#[tokio::test]
async fn federated_bundles_are_listed_without_the_own_and_counted_with_it() {
    let server = Server::start().await;
    let bundles = BundleClient::new(server.operator());
    assert_eq!(bundles.count_bundles().await.unwrap(), 1);
    assert!(bundles.federated_bundles().await.unwrap().is_empty());
    for name in ["z.test", "a.test"] {
        bundles.set_federated_bundle(&foreign(name)).await.unwrap();
    }
    let listed = bundles.federated_bundles().await.unwrap();
    let names: Vec<_> = listed.iter().map(|bundle| bundle.trust_domain.name()).collect();
    assert_eq!(names, ["a.test", "z.test"]);
    assert_eq!(bundles.count_bundles().await.unwrap(), 3);
    server.stop().await;
}

#[tokio::test]
async fn rule_2_no_federated_bundle_stands_for_the_own_trust_domain() {
    let server = Server::start().await;
    let bundles = BundleClient::new(server.operator());
    let before = bundles.bundle().await.unwrap();
    let own = foreign(trust_domain().name());
    let refusals = [
        bundles.create_federated_bundle(&own).await.unwrap_err(),
        bundles.set_federated_bundle(&own).await.unwrap_err(),
        bundles.update_federated_bundle(BundleUpdate::replacing(own)).await.unwrap_err(),
        bundles.federated_bundle(&trust_domain()).await.unwrap_err(),
        bundles.delete_federated_bundle(&trust_domain(), BundleDeletion::Delete).await.unwrap_err(),
    ];
    for refusal in refusals {
        assert_eq!(refusal.code(), Code::InvalidArgument);
        assert!(refusal.message().ends_with("trust domain is not allowed"), "{refusal}");
    }
    assert_eq!(bundles.bundle().await.unwrap(), before);
    server.stop().await;
}

/// The paths of the entries, and with how many trust domains each federates.
async fn federating(entries: &EntryClient) -> BTreeMap<String, usize> {
    let all = entries.list_entries(EntryFilter::default()).await.unwrap();
    all.iter().map(|entry| (entry.spiffe_id.path().to_owned(), entry.federates_with.len())).collect()
}

#[tokio::test]
async fn deleting_a_bundle_refuses_deletes_or_dissociates_entries() {
    let server = Server::start().await;
    let (bundles, entries) = (BundleClient::new(server.operator()), server.entries());
    let names = ["a.test", "b.test"].map(domain);
    let mut both = draft("/both", &id("/host"));
    both.federates_with = names.to_vec();
    let missing = entries.create_entry(None, &both).await.unwrap_err();
    assert_eq!(missing.code(), Code::InvalidArgument);
    assert!(missing.message().contains("a.test"), "{missing}");
    for name in &names {
        bundles.set_federated_bundle(&foreign(name.name())).await.unwrap();
    }
    entries.create_entry(None, &both).await.unwrap();
    entries.create_entry(None, &draft("/none", &id("/host"))).await.unwrap();

    let delete = async |name: &TrustDomain, deletion| bundles.delete_federated_bundle(name, deletion).await;
    let refused = delete(&names[0], BundleDeletion::Restrict).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        refused.message().ends_with("cannot delete bundle; federated with 1 registration entries"),
        "{refused}"
    );
    delete(&names[0], BundleDeletion::Dissociate).await.unwrap();
    assert_eq!(federating(&entries).await, BTreeMap::from([("/both".into(), 1), ("/none".into(), 0)]));
    delete(&names[1], BundleDeletion::Delete).await.unwrap();
    assert_eq!(federating(&entries).await, BTreeMap::from([("/none".into(), 0)]));
    assert_eq!(delete(&names[1], BundleDeletion::Delete).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(bundles.count_bundles().await.unwrap(), 1);
    server.stop().await;
}

#[tokio::test]
async fn authorities_added_by_hand_stay_through_a_restart() {
    let server = Server::start_with(|_| {}).await;
    let bundles = BundleClient::new(server.operator());
    let before = bundles.bundle().await.unwrap();
    let (x509, jwt) = ([x509_authority()], [jwt_authority("by hand")]);
    let appended = bundles.append_bundle(&x509, &jwt).await.unwrap();
    assert_eq!(appended.sequence_number, before.sequence_number + 1);
    assert_eq!(appended.x509_authorities[1..], x509);
    assert_eq!(appended.jwt_authorities[1..], jwt);
    assert_eq!(bundles.append_bundle(&x509, &jwt).await.unwrap(), appended, "twice is once");
    let taken = bundles.append_bundle(&[], &[jwt_authority("by hand")]).await.unwrap_err();
    assert_eq!(taken.code(), Code::InvalidArgument);

    let server = server.restart().await;
    assert_eq!(BundleClient::new(server.operator()).bundle().await.unwrap(), appended);
    server.stop().await;
}
