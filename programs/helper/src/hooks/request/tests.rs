//! Calls to servers that answer well, badly, or not at all.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};

use super::{RequestError, send};
use crate::config::{HookUrl, Method};
use crate::fixtures::bounded;

/// Hears one request and gives this answer.
async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &str) -> String {
    let mut heard = Vec::new();
    while !heard.ends_with(b"\r\n\r\n") {
        heard.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(answer.as_bytes()).await.unwrap();
    String::from_utf8(heard).unwrap()
}

async fn call(method: Method, path: &str, answer: &str) -> (Result<(), RequestError>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: HookUrl = format!("http://{}{path}", listener.local_addr().unwrap()).parse().unwrap();
    let server = async { serve(listener.accept().await.unwrap().0, answer).await };
    bounded(async { tokio::join!(send(method, &url, None), server) }).await
}

#[tokio::test]
async fn every_status_of_success_will_do() {
    for status in ["200 OK", "202 Accepted", "204 No Content"] {
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        call(Method::Get, "/", &answer).await.0.unwrap();
    }
}

#[tokio::test]
async fn post_is_empty_and_says_so() {
    let (answer, heard) = call(Method::Post, "/reload?all=1", "HTTP/1.1 200 OK\r\n\r\n").await;
    answer.unwrap();
    assert!(heard.starts_with("POST /reload?all=1 HTTP/1.1\r\n"), "{heard}");
    assert!(
        heard.contains("content-length: 0\r\n") && heard.contains("user-agent: finial-helper/"),
        "{heard}"
    );
    let (_, heard) = call(Method::Get, "", "HTTP/1.1 200 OK\r\n\r\n").await;
    assert!(heard.starts_with("GET / HTTP/1.1\r\nhost: 127.0.0.1:"), "{heard}");
}

#[tokio::test]
async fn everything_else_has_failed() {
    for (answer, error) in [
        ("HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n", "it answers 500 Internal Server Error"),
        ("HTTP/1.1 302 Found\r\nlocation: http://elsewhere/\r\n\r\n", "it answers 302 Found"),
        ("SSH-2.0-OpenSSH\r\n\r\n", "it does not speak HTTP/1.1 to the end"),
        ("", "it does not speak HTTP/1.1 to the end"),
    ] {
        assert_eq!(call(Method::Post, "/", answer).await.0.unwrap_err().to_string(), error, "{answer}");
    }
    let flood = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(60 * 1024));
    assert!(matches!(call(Method::Post, "/", &flood).await.0, Err(RequestError::Protocol(_))));
}

#[tokio::test]
async fn unix_socket_takes_the_place_of_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let url: HookUrl = "http://admin.example/reload".parse().unwrap();
    let refused = send(Method::Post, &url, Some(&path)).await.unwrap_err();
    assert!(matches!(refused, RequestError::Connect(_)), "{refused}");
    let listener = UnixListener::bind(&path).unwrap();
    let server = async { serve(listener.accept().await.unwrap().0, "HTTP/1.1 200 OK\r\n\r\n").await };
    let (answer, heard) =
        bounded(async { tokio::join!(send(Method::Post, &url, Some(&path)), server) }).await;
    answer.unwrap();
    assert!(heard.starts_with("POST /reload HTTP/1.1\r\nhost: admin.example\r\n"), "{heard}");
}
