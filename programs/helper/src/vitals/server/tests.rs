//! Answers over real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::SystemTime;

use finial_daemon::{Clock, Tasks};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::HealthListener;
use crate::config::HealthConfig;
use crate::vitals::{OutputKind, OutputVitals, Vitals};

struct Served {
    address: SocketAddr,
    output: OutputVitals,
    _tasks: Tasks,
}

async fn served() -> Served {
    let (clock, _) = Clock::manual(SystemTime::UNIX_EPOCH);
    let (vitals, tasks) = (Vitals::new(&clock), Tasks::new(clock.clone()));
    let output = vitals.output(OutputKind::X509, Path::new("svid.pem"));
    let config = HealthConfig {
        bind_address: Some(Ipv4Addr::LOCALHOST.into()),
        bind_port: 0,
        liveness_path: "/live".to_owned(),
        readiness_path: "/ready".to_owned(),
    };
    let listener = HealthListener::bind(config).await.unwrap();
    let address = listener.address().unwrap();
    listener.serve(&vitals, &clock, &tasks);
    Served { address, output, _tasks: tasks }
}

impl Served {
    async fn ask(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

#[tokio::test]
async fn paths_answer_as_the_ancestors_do() {
    let served = served().await;
    let body = r#"{"health":{"file_write_statuses":{"jwt_write_status":{},"x509_write_status":"unwritten"}},"status":"Service Unavailable"}"#;
    let answer = served.ask("/ready").await;
    assert!(
        answer.starts_with("HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n"),
        "{answer}"
    );
    assert!(answer.ends_with(body), "{answer}");
    assert!(served.ask("/live").await.starts_with("HTTP/1.1 200 OK\r\n"));
    served.output.written(None);
    assert!(served.ask("/ready?verbose").await.starts_with("HTTP/1.1 200 OK\r\n"));
    served.output.failed();
    assert!(served.ask("/live").await.starts_with("HTTP/1.1 503 "));
    assert!(
        served
            .ask("/metrics")
            .await
            .contains("\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n")
    );
    assert!(served.ask("/").await.starts_with("HTTP/1.1 404 "));
}
