//! What operators do, through the Unix socket.

use std::time::Duration;

use finial_identity::EntryId;
use finial_wire::client::{AgentClient, BundleClient, EntryClient, LocalAuthorityClient, SvidClient};
use finial_wire::{AgentFilter, EntryFilter, EntryUpdate, JoinTokenRequest};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::fixture::{Server, draft, id, trust_domain};

#[tokio::test]
async fn entry_is_created_shown_counted_changed_and_deleted() {
    let server = Server::start().await;
    let client = server.entries();
    let created = client.create_entry(None, &draft("/web", &id("/host"))).await.unwrap();
    assert!(!created.existed);
    let entry = client.entry(&created.entry.id).await.unwrap();
    assert_eq!(entry.spiffe_id, id("/web"));
    assert_eq!(client.count_entries(EntryFilter::default()).await.unwrap(), 1);

    let update = EntryUpdate { hint: Some("web".to_owned()), ..EntryUpdate::default() };
    let updated = client.update_entry(&entry.id, update).await.unwrap();
    assert_eq!((updated.hint.as_str(), updated.revision_number), ("web", 1));
    assert_eq!(client.list_entries(EntryFilter::default()).await.unwrap(), [updated]);

    client.delete_entry(&entry.id).await.unwrap();
    assert_eq!(client.entry(&entry.id).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(client.delete_entry(&entry.id).await.unwrap_err().code(), Code::NotFound);
    server.stop().await;
}

#[tokio::test]
async fn similar_entry_is_not_created_twice() {
    let server = Server::start().await;
    let client = server.entries();
    let wanted = draft("/web", &id("/host"));
    let first = client.create_entry(None, &wanted).await.unwrap();
    let second = client.create_entry(Some(&EntryId::new("other").unwrap()), &wanted).await.unwrap();
    assert!(second.existed);
    assert_eq!(second.entry.id, first.entry.id);
    server.stop().await;
}

#[tokio::test]
async fn entry_of_another_trust_domain_is_refused() {
    let server = Server::start().await;
    let mut foreign = draft("/web", &id("/host"));
    foreign.spiffe_id = "spiffe://other.test/web".parse().unwrap();
    let refusal = server.entries().create_entry(None, &foreign).await.unwrap_err();
    assert_eq!(refusal.code(), Code::InvalidArgument);
    server.stop().await;
}

#[tokio::test]
async fn own_bundle_holds_the_authorities() {
    let server = Server::start().await;
    let client = BundleClient::new(server.operator());
    let bundle = client.bundle().await.unwrap();
    assert_eq!(bundle.trust_domain, trust_domain());
    assert_eq!((bundle.x509_authorities.len(), bundle.jwt_authorities.len()), (1, 1));
    let refusal = client.federated_bundle(&trust_domain()).await.unwrap_err();
    assert_eq!(refusal.code(), Code::InvalidArgument);
    server.stop().await;
}

#[tokio::test]
async fn join_token_that_is_taken_or_no_path_segment_is_refused() {
    let server = Server::start().await;
    let client = AgentClient::new(server.operator());
    let request = |token: &str| JoinTokenRequest {
        ttl: Duration::from_secs(60),
        token: Some(token.to_owned()),
        agent_id: None,
    };
    assert_eq!(client.create_join_token(request("abc")).await.unwrap().value, "abc");
    let taken = client.create_join_token(request("abc")).await.unwrap_err();
    assert_eq!(taken.code(), Code::AlreadyExists);
    let unfit = client.create_join_token(request("a/b")).await.unwrap_err();
    assert_eq!(unfit.code(), Code::InvalidArgument);
    server.stop().await;
}

#[tokio::test]
async fn agents_are_listed_banned_and_deleted() {
    let server = Server::start().await;
    let agent = server.agent().await;
    let client = AgentClient::new(server.operator());
    assert_eq!(client.count_agents(AgentFilter::default()).await.unwrap(), 1);
    assert_eq!(client.list_agents(AgentFilter::default()).await.unwrap()[0].id, *agent.id());
    client.ban_agent(agent.id()).await.unwrap();
    client.ban_agent(agent.id()).await.expect("banning twice is banning once");
    assert!(client.agent(agent.id()).await.unwrap().is_banned());
    client.delete_agent(agent.id()).await.unwrap();
    assert_eq!(client.agent(agent.id()).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(client.ban_agent(agent.id()).await.unwrap_err().code(), Code::NotFound);
    server.stop().await;
}

#[tokio::test]
async fn operator_is_no_agent() {
    let server = Server::start().await;
    let entries = EntryClient::new(server.operator());
    assert_eq!(entries.authorized_entries().await.unwrap_err().code(), Code::PermissionDenied);
    let svids = SvidClient::new(server.operator());
    let refusal = svids.new_x509_svids(vec![(EntryId::generate(), vec![1])]).await.unwrap_err();
    assert_eq!(refusal.code(), Code::PermissionDenied);
    server.stop().await;
}

#[tokio::test]
async fn next_authority_is_activated_and_the_last_one_revoked() {
    let server = Server::start().await;
    let client = LocalAuthorityClient::new(server.operator());
    let first = client.x509_authorities().await.unwrap().active.unwrap();
    let prepared = client.prepare_x509().await.unwrap();
    let bundle = BundleClient::new(server.operator()).bundle().await.unwrap();
    assert_eq!(bundle.x509_authorities.len(), 2);
    assert_eq!(client.activate_x509(prepared.id.as_str()).await.unwrap().id, prepared.id);
    let wrong = client.taint_x509("abc").await.unwrap_err();
    assert_eq!(wrong.code(), Code::InvalidArgument);
    let untainted = client.revoke_x509(first.id.as_str()).await.unwrap_err();
    assert_eq!(untainted.code(), Code::FailedPrecondition);
    client.taint_x509(first.id.as_str()).await.unwrap();
    client.revoke_x509(first.id.as_str()).await.unwrap();
    let bundle = BundleClient::new(server.operator()).bundle().await.unwrap();
    assert_eq!(bundle.x509_authorities.len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn health_is_for_operators_only() {
    let server = Server::start().await;
    let mut operator = HealthClient::new(server.operator());
    let answer = operator.check(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);
    let mut stranger = HealthClient::new(server.stranger(None).await);
    let refusal = stranger.check(HealthCheckRequest::default()).await.unwrap_err();
    assert_eq!(refusal.code(), Code::PermissionDenied);
    server.stop().await;
}
