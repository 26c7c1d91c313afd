//! What agents do, through TLS, and what nobody else may.

use std::collections::HashMap;
use std::time::Duration;

use finial_identity::{Audience, CertificateRequest, EntryId, KeyKind, PrivateKey, X509Credential};
use finial_wire::client::{AgentClient, BundleClient, ChangesClient, EntryClient, SvidClient};
use finial_wire::{AgentDenial, AgentFilter, EntryFilter, JoinTokenRequest, agent_denial};
use futures_util::StreamExt;
use tonic::Code;

use super::fixture::{Server, attest, draft, id};

#[tokio::test]
async fn agent_joins_and_gets_the_svids_of_its_entries() {
    let server = Server::start().await;
    let agent = server.agent().await;
    let entry =
        server.entries().create_entry(None, &draft("/web", agent.id())).await.unwrap().entry.id.clone();
    server.entries().create_entry(None, &draft("/elsewhere", &id("/other"))).await.unwrap();

    let entries = EntryClient::new(agent.channel.clone());
    let synced = entries.sync_authorized_entries(&HashMap::new()).await.unwrap();
    assert_eq!(synced.changed.iter().map(|entry| &entry.id).collect::<Vec<_>>(), [&entry]);

    let svids = SvidClient::new(agent.channel.clone());
    let csr = CertificateRequest::create(&PrivateKey::generate(KeyKind::EcP256).unwrap(), None).unwrap();
    let requests = vec![(entry.clone(), csr.clone()), (EntryId::generate(), csr)];
    let outcomes = svids.new_x509_svids(requests).await.unwrap();
    assert_eq!(outcomes[0].as_ref().unwrap().id(), &id("/web"));
    assert_eq!(outcomes[1].as_ref().unwrap_err().code(), Code::NotFound);

    let token = svids.new_jwt_svid(&entry, &Audience::new(["db"]).unwrap()).await.unwrap();
    assert_eq!((token.id(), token.audience()), (&id("/web"), &["db".to_owned()][..]));
    server.stop().await;
}

#[tokio::test]
async fn identity_in_a_csr_is_passed_over() {
    let server = Server::start().await;
    let agent = server.agent().await;
    let created = server.entries().create_entry(None, &draft("/web", agent.id())).await.unwrap();
    let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
    let csr = CertificateRequest::create(&key, Some(&id("/admin"))).unwrap();
    let svids = SvidClient::new(agent.channel.clone());
    let svid = svids.new_x509_svids(vec![(created.entry.id.clone(), csr)]).await.unwrap().remove(0).unwrap();
    assert_eq!((svid.id(), svid.public_key()), (&id("/web"), key.public_key()));
    server.stop().await;
}

#[tokio::test]
async fn token_admits_one_agent() {
    let server = Server::start().await;
    let (token, stranger) = (server.token().await, server.stranger(None).await);
    let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
    let attested = attest(&stranger, &token, &key).await.unwrap();
    assert_eq!(attested.svid.id(), &id(&format!("/spire/agent/join_token/{token}")));
    assert!(!attested.can_reattest);
    let again = attest(&server.stranger(None).await, &token, &key).await.unwrap_err();
    assert_eq!(again.code(), Code::InvalidArgument);
    assert_eq!(again.message(), "failed to attest: join token does not exist or has already been used");
    server.stop().await;
}

#[tokio::test]
async fn token_with_an_alias_gives_the_agent_a_second_identity() {
    let server = Server::start().await;
    let request = JoinTokenRequest {
        ttl: Duration::from_secs(60),
        token: Some("abc".to_owned()),
        agent_id: Some(id("/cluster")),
    };
    AgentClient::new(server.operator()).create_join_token(request).await.unwrap();
    let created = server.entries().create_entry(None, &draft("/web", &id("/cluster"))).await.unwrap();
    let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
    let attested = attest(&server.stranger(None).await, "abc", &key).await.unwrap();
    let credential = X509Credential::new(attested.svid, key, String::new()).unwrap();
    let agent = server.stranger(Some(credential.clone())).await;
    let entries = EntryClient::new(agent).authorized_entries().await.unwrap();
    assert!(entries.iter().any(|entry| entry.id == created.entry.id));

    AgentClient::new(server.operator()).delete_agent(credential.svid().id()).await.unwrap();
    let left = server.entries().list_entries(EntryFilter::default()).await.unwrap();
    assert_eq!(left.iter().map(|entry| &entry.id).collect::<Vec<_>>(), [&created.entry.id]);
    server.stop().await;
}

#[tokio::test]
async fn nobody_gets_the_bundle_and_nothing_else() {
    let server = Server::start().await;
    let nobody = server.stranger(None).await;
    BundleClient::new(nobody.clone()).bundle().await.unwrap();
    let refusals = [
        EntryClient::new(nobody.clone()).list_entries(EntryFilter::default()).await.unwrap_err(),
        EntryClient::new(nobody.clone()).authorized_entries().await.unwrap_err(),
        AgentClient::new(nobody.clone()).renew_agent(vec![1]).await.unwrap_err(),
        AgentClient::new(nobody.clone()).list_agents(AgentFilter::default()).await.unwrap_err(),
    ];
    for refusal in refusals {
        assert_eq!(refusal.code(), Code::PermissionDenied, "{refusal}");
        assert_eq!(agent_denial(&refusal), None);
    }
    server.stop().await;
}

#[tokio::test]
async fn agent_may_not_administer() {
    let server = Server::start().await;
    let agent = server.agent().await;
    let entries = EntryClient::new(agent.channel.clone());
    let refusal = entries.count_entries(EntryFilter::default()).await.unwrap_err();
    assert_eq!(refusal.code(), Code::PermissionDenied);
    let method = "/spire.api.server.entry.v1.Entry/CountEntries";
    assert_eq!(refusal.message(), format!("authorization denied for method {method}"));
    server.stop().await;
}

#[tokio::test]
async fn workload_whose_entry_says_admin_may_administer() {
    let server = Server::start().await;
    let agent = server.agent().await;
    let mut admin = draft("/ops", agent.id());
    admin.admin = true;
    let created = server.entries().create_entry(None, &admin).await.unwrap();
    let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
    let csr = CertificateRequest::create(&key, None).unwrap();
    let svids = SvidClient::new(agent.channel.clone());
    let svid = svids.new_x509_svids(vec![(created.entry.id.clone(), csr)]).await.unwrap().remove(0).unwrap();
    let ops = server.stranger(Some(X509Credential::new(svid, key, String::new()).unwrap())).await;
    assert_eq!(EntryClient::new(ops).count_entries(EntryFilter::default()).await.unwrap(), 1);
    server.stop().await;
}

#[tokio::test]
async fn renewed_svid_replaces_the_old_one_with_its_first_use() {
    let server = Server::start().await;
    let agent = server.agent().await;
    let old = AgentClient::new(agent.channel.clone());
    let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
    let renewed = old.renew_agent(CertificateRequest::create(&key, None).unwrap()).await.unwrap();
    assert_eq!(renewed.id(), agent.id());
    assert_ne!(renewed.serial_number(), agent.svid().serial_number());
    old.post_status("1.0.0").await.expect("the old SVID counts until the new one is used");

    let serial = renewed.serial_number().to_owned();
    let credential = X509Credential::new(renewed, key, String::new()).unwrap();
    let new = AgentClient::new(server.stranger(Some(credential)).await);
    new.post_status("1.0.1").await.unwrap();
    let refusal = old.post_status("1.0.2").await.unwrap_err();
    assert_eq!(agent_denial(&refusal), Some(AgentDenial::NotActive));

    let node = AgentClient::new(server.operator()).agent(agent.id()).await.unwrap();
    assert_eq!(node.serial_number, serial);
    server.stop().await;
}

#[tokio::test]
async fn banned_and_deleted_agents_hear_why_they_are_refused() {
    let server = Server::start().await;
    let agent = server.agent().await;
    let operator = AgentClient::new(server.operator());
    let entries = EntryClient::new(agent.channel.clone());
    operator.ban_agent(agent.id()).await.unwrap();
    let refusal = entries.authorized_entries().await.unwrap_err();
    assert_eq!(agent_denial(&refusal), Some(AgentDenial::Banned));
    operator.delete_agent(agent.id()).await.unwrap();
    let refusal = entries.authorized_entries().await.unwrap_err();
    assert_eq!(agent_denial(&refusal), Some(AgentDenial::NotAttested));
    server.stop().await;
}

#[tokio::test]
async fn agent_is_told_of_changes() {
    let server = Server::start().await;
    let agent = server.agent().await;
    let mut revisions = ChangesClient::new(agent.channel.clone()).watch(0).await.unwrap();
    let now = revisions.next().await.unwrap().unwrap();
    server.entries().create_entry(None, &draft("/web", agent.id())).await.unwrap();
    assert!(revisions.next().await.unwrap().unwrap() > now);
    server.stop().await;
}
