//! What those are told who watch over the server: metrics, health, the audit log.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use finial_daemon::health::HealthConfig;
use finial_daemon::telemetry::PrometheusConfig;
use finial_wire::client::{AgentClient, EntryClient, SvidClient};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tracing_subscriber::layer::SubscriberExt as _;

use super::fixture::{Server, draft};
use crate::{KeysConfig, StoreConfig};

async fn watched_server() -> Server {
    Server::start_with(|config| {
        config.store = StoreConfig::Memory;
        config.keys = KeysConfig::Memory;
        config.audit_log = true;
        let prometheus = PrometheusConfig { host: "127.0.0.1".into(), port: 0, tls: None };
        config.telemetry.prometheus = Some(prometheus);
        config.health =
            Some(HealthConfig { bind_address: "127.0.0.1".into(), bind_port: 0, ..HealthConfig::default() });
    })
    .await
}

async fn get(address: Option<SocketAddr>, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address.unwrap()).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// The value of a metric with this status, whatever host it is on.
fn value(page: &str, name: &str, status: &str) -> Option<f64> {
    let label = format!("status=\"{status}\"");
    let line = page.lines().find(|line| line.starts_with(&format!("{name}{{")) && line.contains(&label))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[tokio::test]
async fn scrape_after_real_calls_shows_them() {
    let server = watched_server().await;
    let agent = server.agent().await;
    let entry = server.entries().create_entries(&[(None, draft("/web", agent.id()))]).await.unwrap();
    let id = entry.into_iter().next().unwrap().unwrap().entry.id.clone();
    let audience = finial_identity::Audience::new(["db"]).unwrap();
    SvidClient::new(agent.channel.clone()).new_jwt_svid(&id, &audience).await.unwrap();
    let refusal = EntryClient::new(agent.channel.clone()).delete_entry(&id).await;
    assert!(refusal.is_err());
    let (code, page) = get(server.metrics, "/any/path").await;
    assert_eq!(code, 200);
    for (name, status, count) in [
        ("spire_server_rpc_agent_v1_agent_create_join_token", "OK", 1.0),
        ("spire_server_rpc_agent_v1_agent_attest_agent", "OK", 1.0),
        ("spire_server_rpc_entry_v1_entry_batch_create_entry", "OK", 1.0),
        ("spire_server_rpc_svid_v1_svid_new_jwtsvid", "OK", 1.0),
        ("spire_server_rpc_entry_v1_entry_batch_delete_entry", "PermissionDenied", 1.0),
        ("spire_server_rpc_entry_v1_entry_batch_delete_entry_elapsed_time_count", "PermissionDenied", 1.0),
        ("spire_server_datastore_join_token_create", "OK", 1.0),
        ("spire_server_datastore_node_create", "OK", 1.0),
        ("spire_server_ca_manager_x509_ca_prepare", "OK", 1.0),
    ] {
        assert_eq!(value(&page, name, status), Some(count), "{name}\n{page}");
    }
    assert!(page.contains("\nspire_server_server_ca_sign_jwt_svid{host="), "{page}");
    assert!(page.contains("trust_domain_id=\"example.org\""), "{page}");
    server.stop().await;
}

#[tokio::test]
async fn scrape_after_some_time_shows_what_the_server_did_by_itself() {
    let server = watched_server().await;
    let shown = async |name| value(&get(server.metrics, "/metrics").await.1, name, "OK");
    assert_eq!(shown("spire_server_registration_entry_manager_prune").await, None);
    for name in ["spire_server_registration_entry_manager_prune", "spire_server_svid_rotate"] {
        while shown(name).await.is_none() {
            server.hand.step(Duration::from_mins(5));
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn health_tells_of_each_part_and_of_an_authority_that_has_ended() {
    let server = watched_server().await;
    let (code, body) = get(server.health, "/live").await;
    let told: BTreeMap<String, serde_json::Value> = serde_json::from_str(&body).unwrap();
    let parts: Vec<_> = told.keys().map(String::as_str).collect();
    assert_eq!((code, parts), (200, vec!["catalog.datastore", "server", "server.ca", "server.ca.rotator"]));
    assert!(told.values().all(|part| part == &serde_json::json!({})), "{body}");
    assert_eq!(get(server.health, "/ready").await, (200, body));
    assert_eq!(get(server.health, "/").await.0, 404);
    server.stop().await;
}

/// The fields of each line of the audit log.
type Lines = Arc<Mutex<Vec<BTreeMap<&'static str, String>>>>;

#[derive(Clone, Default)]
pub(super) struct AuditLines(Lines);

struct Fields(BTreeMap<&'static str, String>);

impl tracing::field::Visit for Fields {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}").trim_matches('"').to_owned());
    }
}

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for AuditLines {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        let mut fields = Fields(BTreeMap::new());
        event.record(&mut fields);
        // The name of the field in the source may be a raw one.
        let is_audit = |name: &str| fields.0.get(name).is_some_and(|kind| kind == "audit");
        if is_audit("type") || is_audit("r#type") {
            self.0.lock().unwrap().push(fields.0);
        }
    }
}

impl AuditLines {
    pub(super) fn of(&self, method: &str) -> Vec<BTreeMap<&'static str, String>> {
        self.0.lock().unwrap().iter().filter(|line| line["method"] == method).cloned().collect()
    }
}

fn assert_says(line: &BTreeMap<&'static str, String>, fields: &[(&str, &str)]) {
    for (name, value) in fields {
        assert_eq!(line.get(name).map(String::as_str), Some(*value), "{name} in {line:?}");
    }
}

#[tokio::test]
async fn audit_log_says_who_called_what_on_which_ground_and_how_it_ended() {
    let lines = AuditLines::default();
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(lines.clone()));
    let server = watched_server().await;
    let token = server.token().await;
    let agent = server.agent().await;
    let agents = AgentClient::new(agent.channel.clone());
    agents.post_status("1.0.0").await.unwrap();
    agents.ban_agent(agent.id()).await.unwrap_err();
    let drafts = [(None, draft("/web", agent.id())), (None, draft("/db", agent.id()))];
    server.entries().create_entries(&drafts).await.unwrap();
    server.stop().await;

    let uid = rustix::process::geteuid().as_raw().to_string();
    let created = lines.of("CreateJoinToken");
    assert_says(
        &created[0],
        &[
            ("message", "API accessed"),
            ("service", "agent.v1.Agent"),
            ("status", "success"),
            ("authorized_as", "local"),
            ("authorized_via", "transport"),
            ("caller_uid", &uid),
            ("caller_pid", &std::process::id().to_string()),
            ("caller_path", &std::env::current_exe().unwrap().display().to_string()),
            ("ttl", "600"),
        ],
    );
    assert!(!created[0].contains_key("status_code") && !created[0].contains_key("caller_addr"));
    assert_says(
        &lines.of("AttestAgent")[0],
        &[
            ("authorized_as", "nobody"),
            ("caller_addr", "127.0.0.1"),
            ("node_attestor_type", "join_token"),
            ("agent_id", agent.id().as_str()),
        ],
    );
    assert_says(
        &lines.of("PostStatus")[0],
        &[("authorized_as", "agent"), ("authorized_via", "datastore"), ("caller_id", agent.id().as_str())],
    );
    let refused = lines.of("BanAgent").remove(0);
    assert_says(&refused, &[("status", "error"), ("status_code", "PermissionDenied")]);
    assert!(refused["status_message"].starts_with("authorization denied for method"), "{refused:?}");
    assert!(!refused.contains_key("authorized_as"), "{refused:?}");

    let parts = lines.of("BatchCreateEntry");
    assert_eq!(parts.len(), 2, "a line for each part: {parts:?}");
    assert_says(&parts[0], &[("spiffe_id", "spiffe://example.org/web"), ("parent_id", agent.id().as_str())]);
    assert_eq!(parts[0]["request_id"], parts[1]["request_id"]);
    let all = format!("{:?}", lines.0.lock().unwrap());
    assert!(!all.contains(&token) && !all.contains("uid:1000"), "neither tokens nor selectors: {all}");
}

#[tokio::test]
async fn without_an_audit_log_nothing_is_written() {
    let lines = AuditLines::default();
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(lines.clone()));
    let server = Server::start().await;
    server.token().await;
    server.stop().await;
    assert!(lines.0.lock().unwrap().is_empty());
}
