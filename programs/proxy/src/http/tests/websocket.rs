//! WebSocket: the request that opens it is told of, and what follows are bytes. Nothing else may be switched to.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::stage::{Stage, say};
use crate::fixtures::{CLIENT, beside};

const OPENING: &str = "GET /chat HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
                       Sec-WebSocket-Key: k\r\nX-Spiffe-Id: forged\r\n\r\n";

#[tokio::test]
async fn after_the_backend_has_agreed_bytes_pass_both_ways() {
    let stage = Stage::new().await;
    let app = stage.app().await;
    let address = app.address().unwrap();
    let backend = async {
        let (mut stream, _) = stage.backend.accept().await.unwrap();
        let mut heard = Vec::new();
        while !heard.ends_with(b"\r\n\r\n") {
            heard.push(stream.read_u8().await.unwrap());
        }
        let agreed = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                      Sec-WebSocket-Accept: a\r\n\r\nhello from the backend";
        stream.write_all(agreed.as_bytes()).await.unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        stream.write_all(b", goodbye").await.unwrap();
        (String::from_utf8(heard).unwrap(), rest)
    };
    let caller = async {
        let mut caller = stage.call(address, "http/1.1").await;
        // What follows is no request any more, whatever it looks like, though it is said before the answer.
        caller.write_all(OPENING.as_bytes()).await.unwrap();
        caller.write_all(b"GET /raw HTTP/1.1\r\nX-Spiffe-Id: mine\r\n\r\n").await.unwrap();
        caller.shutdown().await.unwrap();
        let mut heard = String::new();
        caller.read_to_string(&mut heard).await.unwrap();
        heard
    };
    let ((request, rest), heard) =
        beside(app, &stage.world.clock, async { tokio::join!(backend, caller) }).await;
    assert!(request.contains("\r\nconnection: upgrade\r\nupgrade: websocket\r\n"), "{request}");
    assert!(
        request.contains(&format!("x-spiffe-id: {CLIENT}\r\n")) && !request.contains("forged"),
        "{request}"
    );
    assert_eq!(rest, "GET /raw HTTP/1.1\r\nX-Spiffe-Id: mine\r\n\r\n");
    assert!(heard.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{heard}");
    assert!(heard.contains("sec-websocket-accept: a\r\n"), "{heard}");
    assert!(heard.ends_with("\r\n\r\nhello from the backend, goodbye"), "{heard}");
}

#[tokio::test]
async fn a_backend_that_does_not_agree_gets_requests_as_before() {
    // A proxy that believed the caller would pass the second one on as bytes.
    let heard = say(format!("{OPENING}{OPENING}")).await;
    heard.assert_told(2);
    assert_eq!(heard.caller.matches("HTTP/1.1 200 OK").count(), 2, "{}", heard.caller);
}

#[tokio::test]
async fn a_connection_on_which_nobody_agreed_ends_in_order() {
    let stage = Stage::new().await;
    stage
        .visit(async |stage, address| {
            let mut caller = stage.call(address, "http/1.1").await;
            let last = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
            caller.write_all(format!("{OPENING}{last}").as_bytes()).await.unwrap();
            // Without close_notify this is an error.
            caller.read_to_end(&mut Vec::new()).await.unwrap();
        })
        .await;
}

#[tokio::test]
async fn nothing_but_websocket_is_asked_for() {
    let asked = [
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
        "Connection: Upgrade\r\nUpgrade: websocket, h2c",
        "Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket",
        "Connection: Upgrade\r\nUpgrade: TLS/1.2",
        "Upgrade: websocket",
    ];
    for fields in asked {
        let heard = say(format!("GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n")).await;
        heard.assert_told(1);
        let request = heard.request().to_lowercase();
        assert!(!request.contains("upgrade") && !request.contains("settings"), "{request}");
    }
    let with_body = "POST / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nhi";
    assert!(!say(with_body).await.request().contains("upgrade"));
}

#[tokio::test]
async fn a_switch_that_nobody_asked_for_is_no_answer() {
    let answers = [
        ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", "Connection: Upgrade\r\nUpgrade: websocket"),
        (OPENING, "Connection: Upgrade\r\nUpgrade: h2c"),
        (OPENING, "Connection: Upgrade"),
    ];
    for (request, fields) in answers {
        let stage = Stage::new().await;
        let app = stage.app().await;
        let address = app.address().unwrap();
        let backend = async {
            let (mut stream, _) = stage.backend.accept().await.unwrap();
            stream.read_u8().await.unwrap();
            let answer = format!("HTTP/1.1 101 Switching Protocols\r\n{fields}\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        };
        let caller = async {
            let mut caller = stage.call(address, "http/1.1").await;
            caller.write_all(request.as_bytes()).await.unwrap();
            let mut status = [0; 12];
            caller.read_exact(&mut status).await.unwrap();
            assert_eq!(&status, b"HTTP/1.1 502");
        };
        beside(app, &stage.world.clock, async {
            tokio::select! { () = backend => (), () = caller => () }
        })
        .await;
    }
}
