//! What the status server tells, and who may ask.

use std::time::Duration;

use finial_receive::Source;
use finial_tls::{Policy, TlsError};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::fixtures::{
    CLIENT, SERVER, STRANGER, World, app, beside, dial, listener, local, name, proxy, read_to_end,
};
use crate::{ClientConfig, ServerConfig, StatusFlags, TlsFlags};

fn plain() -> StatusFlags {
    StatusFlags { address: Some(format!("http://{}", local(0))), ..StatusFlags::default() }
}

/// The code and the body of an answer.
pub(super) async fn ask(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &str,
) -> (String, String) {
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
        assert_eq!(report["revision"], env!("CARGO_PKG_VERSION"));
        assert!(report["compiler"].as_str().unwrap().starts_with("rustc "));
        assert!(report["hostname"].is_string());

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
async fn status_by_tls_agrees_on_what_the_flags_say() {
    let world = World::new();
    let (_backend, target) = listener().await;
    let (_writer, source) = world.party(SERVER);
    let status = StatusFlags { address: Some(local(0)), ..StatusFlags::default() };
    let tls = TlsFlags {
        cipher_suites: Some("CHACHA".to_owned()),
        newest: Some("TLS1.2".to_owned()),
        ..TlsFlags::default()
    };
    let app = app(ServerConfig { status, tls, ..world.server(target) }, source).await.unwrap();
    let address = app.status_address().unwrap();
    beside(app, &world.clock, async {
        let anybody = world.connector(STRANGER, SERVER).without_credential();
        let secured = anybody.connect(dial(address).await, name()).await.unwrap();
        let session = secured.stream.get_ref().1;
        assert_eq!(session.protocol_version().unwrap().as_str(), Some("TLSv1_2"));
        let suite = session.negotiated_cipher_suite().unwrap().suite();
        assert!(suite.as_str().unwrap().contains("CHACHA20"), "{suite:?}");
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

/// Reads one request from its first line to its empty one, and answers it.
async fn answer_as(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), answer: &str) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await.unwrap();
    String::from_utf8(head).unwrap()
}

fn healthz() -> Option<String> {
    Some("http://backend.test/healthz".to_owned())
}

#[tokio::test]
async fn target_that_answers_anything_but_200_is_ill() {
    let world = World::new();
    let (backend, target) = listener().await;
    let (_writer, source) = world.party(SERVER);
    let config = ServerConfig { status: plain(), target_status: healthz(), ..world.server(target) };
    let app = app(config, source).await.unwrap();
    let address = app.status_address().unwrap();
    beside(app, &world.clock, async {
        for (answer, code, fault) in [
            ("200 OK", "200", None),
            ("500 Internal Server Error", "503", Some("target returned status: 500")),
            ("301 Moved Permanently", "503", Some("target returned status: 301")),
        ] {
            let mut asking = dial(address).await;
            let served = async {
                let (mut stream, _) = backend.accept().await.unwrap();
                answer_as(&mut stream, answer).await
            };
            let ((told, body), asked) = tokio::join!(ask(&mut asking, "GET /_status"), served);
            assert!(asked.starts_with("GET /healthz HTTP/1.1\r\nhost: backend.test\r\n"), "{asked}");
            assert_eq!(told, code);
            let report: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(report["backend_ok"], fault.is_none());
            assert_eq!(report.get("backend_error").and_then(|error| error.as_str()), fault);
        }
    })
    .await;
}

#[tokio::test]
async fn target_that_never_answers_is_ill_after_the_connect_timeout() {
    let world = World::new();
    let (backend, target) = listener().await;
    let (_writer, source) = world.party(SERVER);
    let proxy = proxy(ServerConfig { target_status: healthz(), ..world.server(target) }, source);
    let silent = async {
        let (mut stream, _) = backend.accept().await.unwrap();
        stream.read_u8().await.unwrap();
        world.hand.step(Duration::from_secs(10));
        stream
    };
    let (checked, _stream) = tokio::join!(proxy.check_target(), silent);
    assert_eq!(checked.unwrap_err().to_string(), "no answer within 10s");
}

#[tokio::test]
async fn target_of_a_client_is_asked_over_mutual_tls() {
    let world = World::new();
    let (upstream, target) = listener().await;
    let (_writer, source) = world.party(CLIENT);
    let proxy = proxy(ClientConfig { target_status: healthz(), ..world.client(target) }, source);
    let server = async {
        let (stream, _) = upstream.accept().await.unwrap();
        let mut secured = world.acceptor(SERVER, CLIENT).accept(stream).await.unwrap();
        answer_as(&mut secured.stream, "200 OK").await
    };
    let (checked, asked) = tokio::join!(proxy.check_target(), server);
    checked.unwrap();
    assert!(asked.starts_with("GET /healthz "), "{asked}");
}

#[tokio::test]
async fn target_that_expects_proxy_headers_is_told_that_nobody_is_relayed() {
    let world = World::new();
    let (backend, target) = listener().await;
    let (_writer, source) = world.party(SERVER);
    let target_status = healthz();
    let proxy = proxy(ServerConfig { proxy_protocol: true, target_status, ..world.server(target) }, source);
    let server = async {
        let (mut stream, _) = backend.accept().await.unwrap();
        let mut header = [0; 16];
        stream.read_exact(&mut header).await.unwrap();
        answer_as(&mut stream, "200 OK").await;
        header
    };
    let (checked, header) = tokio::join!(proxy.check_target(), server);
    checked.unwrap();
    assert_eq!(&header, b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0");
}

#[tokio::test]
async fn status_tells_that_the_proxy_still_waits_for_its_identity_and_then_that_it_stops() {
    let world = World::new();
    let (backend, target) = listener().await;
    let (writer, source) = Source::channel(&world.clock);
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("status.sock");
    let status = StatusFlags { address: Some(format!("unix:{}", path.display())), ..StatusFlags::default() };
    let message = async || {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        let (code, body) = ask(&mut stream, "GET /_status").await;
        let report: serde_json::Value = serde_json::from_str(&body).unwrap();
        format!("{code} {}", report["message"].as_str().unwrap())
    };
    let waiting = async {
        while !path.exists() {
            tokio::task::yield_now().await;
        }
        assert_eq!(message().await, "503 initializing");
        world.grant(&writer, SERVER);
    };
    let config = ServerConfig { status, ..world.server(target) };
    let (app, ()) = tokio::join!(app(config, source), waiting);
    let app = app.unwrap();
    let listens = app.address().unwrap();
    let stop = finial_daemon::Tasks::new(world.clock.clone()).drain();
    let (ended, ()) = tokio::join!(app.run(stop.requested()), async {
        let client = world.connector(CLIENT, SERVER);
        let open = client.connect(dial(listens).await, name()).await.unwrap().stream;
        let served = backend.accept().await.unwrap();
        assert_eq!(message().await, "200 listening");
        stop.request();
        while message().await != "503 stopping" {}
        drop((open, served));
    });
    ended.unwrap();
}

#[tokio::test]
async fn silent_callers_of_the_status_give_way_to_those_who_ask() {
    let world = World::new();
    let (_backend, target) = listener().await;
    let (_writer, source) = world.party(SERVER);
    let app = app(ServerConfig { status: plain(), ..world.server(target) }, source).await.unwrap();
    let address = app.status_address().unwrap();
    beside(app, &world.clock, async {
        let mut silent = Vec::new();
        for _ in 0..crate::status::CONNECTIONS {
            silent.push(dial(address).await);
        }
        let mut caller = dial(address).await;
        let (answer, ()) = tokio::join!(ask(&mut caller, "GET /_metrics"), async {
            for _ in 0..1000 {
                tokio::task::yield_now().await;
            }
            world.hand.step(Duration::from_secs(1));
        });
        assert_eq!(answer.0, "200");
    })
    .await;
}

#[tokio::test]
async fn whoever_asks_for_profiles_is_told_that_there_are_none() {
    let world = World::new();
    let (_backend, target) = listener().await;
    let (_writer, source) = world.party(SERVER);
    let status = StatusFlags { pprof: true, ..plain() };
    let app = app(ServerConfig { status, ..world.server(target) }, source).await.unwrap();
    let address = app.status_address().unwrap();
    beside(app, &world.clock, async {
        let (code, text) = ask(&mut dial(address).await, "GET /debug/pprof/profile").await;
        assert_eq!(code, "501");
        assert!(text.contains("perf record"), "{text}");
        assert_eq!(ask(&mut dial(address).await, "GET /debug/pprofile").await.0, "404");
    })
    .await;
}
