//! What the status server tells, and who may ask.

use std::time::Duration;

use finial_tls::{Policy, TlsError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::fixtures::{
    CLIENT, SERVER, STRANGER, World, app, beside, dial, listener, local, name, read_to_end,
};
use crate::{ServerConfig, StatusFlags};

fn plain() -> StatusFlags {
    StatusFlags { address: Some(format!("http://{}", local(0))), ..StatusFlags::default() }
}

/// The code and the body of an answer.
async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &str) -> (String, String) {
    stream.write_all(format!("{request} HTTP/1.1\r\nhost: status\r\n\r\n").as_bytes()).await.unwrap();
    let answer = read_to_end(stream).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().to_owned(), body.to_owned())
}

#[tokio::test]
async fn status_tells_whether_the_backend_answers() {
    let world = World::new();
    let (backend, target) = listener().await;
    let (writer, source) = world.party(SERVER);
    let app = app(ServerConfig { status: plain(), ..world.server(target) }, source).await.unwrap();
    let (address, listens) = (app.status_address().unwrap(), app.address().unwrap());
    let ask = async |request: &str| {
        let (code, body) = ask(&mut dial(address).await, request).await;
        (code, serde_json::from_str::<serde_json::Value>(&body).unwrap_or_default())
    };
    beside(app, &world.clock, async {
        let (code, report) = ask("GET /_status").await;
        assert_eq!(code, "200");
        assert_eq!(report["ok"], true);
        assert_eq!(report["status"], "ok");
        assert_eq!(report["backend_status"], "ok");
        assert_eq!(report["message"], "listening");
        assert_eq!(report["listen_address"], listens.to_string());
        assert_eq!(report["forward_address"], target.to_string());
        assert_eq!(report["time"], "2027-01-15T08:00:00Z");
        assert_eq!(report["last_reload"], "2027-01-15T08:00:00Z");

        assert_eq!(ask("POST /_status").await.0, "405");
        assert_eq!(ask("GET /elsewhere").await.0, "404");
        assert_eq!(ask("POST /_shutdown").await.0, "404");

        drop(backend);
        let (code, report) = ask("GET /_status").await;
        assert_eq!(code, "503");
        assert_eq!(report["status"], "critical");
        assert_eq!(report["backend_ok"], false);
        assert!(report["backend_error"].is_string());

        writer.withdraw("the entry was deleted");
        let (_, report) = ask("GET /_status").await;
        assert_eq!(report["identity_error"], "the identity was withdrawn: the entry was deleted");
    })
    .await;
}

#[tokio::test]
async fn metrics_count_who_came_and_who_was_refused() {
    let world = World::new();
    let (backend, target) = listener().await;
    let (_writer, source) = world.party(SERVER);
    let app = app(ServerConfig { status: plain(), ..world.server(target) }, source).await.unwrap();
    let (address, status) = (app.address().unwrap(), app.status_address().unwrap());
    beside(app, &world.clock, async {
        let stranger = world.connector(STRANGER, SERVER);
        if let Ok(mut refused) = stranger.connect(dial(address).await, name()).await {
            assert!(refused.stream.read_u8().await.is_err());
        }
        let client = world.connector(CLIENT, SERVER);
        let mut open = client.connect(dial(address).await, name()).await.unwrap().stream;
        let _served = backend.accept().await.unwrap();
        open.write_all(b"!").await.unwrap();
        loop {
            let (code, text) = ask(&mut dial(status).await, "GET /_metrics/prometheus").await;
            assert_eq!(code, "200");
            let told = |line: &str| text.lines().any(|told| told == line);
            if told("ghostunnel_accept_success 1") && told("ghostunnel_conn_open 1") {
                assert!(told("ghostunnel_accept_total 2") && told("ghostunnel_accept_error 1"), "{text}");
                break;
            }
        }
        let (_, again) = ask(&mut dial(status).await, "GET /_metrics?format=prometheus").await;
        assert!(again.contains("ghostunnel_conn_handshake_count 1\n"), "{again}");
        for path in ["/_metrics", "/_metrics/json"] {
            let (_, list) = ask(&mut dial(status).await, &format!("GET {path}")).await;
            let list: serde_json::Value = serde_json::from_str(&list).unwrap();
            let names: Vec<_> = list.as_array().unwrap().iter().map(|entry| &entry["metric"]).collect();
            assert!(names.iter().any(|name| *name == "ghostunnel.accept.total"), "{names:?}");
        }
        drop(open);
    })
    .await;
}

#[tokio::test]
async fn status_by_tls_presents_our_certificate_and_asks_for_none() {
    let world = World::new();
    let (_backend, target) = listener().await;
    let (_writer, source) = world.party(SERVER);
    let address = Some(local(0));
    let status = StatusFlags { address, ..StatusFlags::default() };
    let app = app(ServerConfig { status, ..world.server(target) }, source).await.unwrap();
    let address = app.status_address().unwrap();
    beside(app, &world.clock, async {
        let anybody = world.connector(STRANGER, SERVER).without_credential();
        let mut stream = anybody.connect(dial(address).await, name()).await.unwrap().stream;
        assert_eq!(ask(&mut stream, "GET /_status").await.0, "200");
        let elsewhere = finial_tls::Connector::new(&world.party(CLIENT).1, Policy::ids([]));
        let refused = elsewhere.connect(dial(address).await, name()).await.map(drop);
        assert!(matches!(refused.unwrap_err(), TlsError::Unauthorized { .. }));
    })
    .await;
}

#[tokio::test]
async fn post_to_shutdown_ends_the_proxy_where_it_may() {
    let world = World::new();
    let (_backend, target) = listener().await;
    let (_writer, source) = world.party(SERVER);
    let status = StatusFlags { shutdown: true, ..plain() };
    let app = app(ServerConfig { status, ..world.server(target) }, source).await.unwrap();
    let address = app.status_address().unwrap();
    let (ended, ()) = tokio::join!(app.run(std::future::pending()), async {
        assert_eq!(ask(&mut dial(address).await, "GET /_shutdown").await.0, "405");
        assert_eq!(ask(&mut dial(address).await, "POST /_shutdown").await.0, "200");
    });
    ended.unwrap();
}

#[tokio::test]
async fn connection_that_outlives_its_limit_is_cut_and_counted() {
    let world = World::new();
    let (backend, target) = listener().await;
    let (_writer, source) = world.party(SERVER);
    let mut config = ServerConfig { status: plain(), ..world.server(target) };
    config.limits.lifetime = Duration::from_secs(30);
    let app = app(config, source).await.unwrap();
    let (address, status) = (app.address().unwrap(), app.status_address().unwrap());
    beside(app, &world.clock, async {
        let client = world.connector(CLIENT, SERVER);
        let mut open = client.connect(dial(address).await, name()).await.unwrap().stream;
        let (mut served, _) = backend.accept().await.unwrap();
        open.write_all(b"!").await.unwrap();
        assert_eq!(served.read_u8().await.unwrap(), b'!');
        world.hand.step(Duration::from_secs(30));
        assert!(served.read_u8().await.is_err());
        assert!(open.read_u8().await.is_err());
        let (_, text) = ask(&mut dial(status).await, "GET /_metrics/prometheus").await;
        assert!(text.contains("\nghostunnel_conn_timeout 1\n"), "{text}");
    })
    .await;
}
