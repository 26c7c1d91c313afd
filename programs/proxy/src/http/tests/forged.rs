//! Whatever a caller says under the proxy's names, the backend hears the proxy.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::stage::{Stage, say};
use crate::fixtures::{CLIENT, SERVER, World};
use crate::http::identity::{IdentityFields, is_suspect};

#[tokio::test]
async fn the_backend_is_told_the_id_and_the_certificate_of_the_caller() {
    let stage = Stage::new().await;
    let certificate = stage.certificate();
    let heard =
        stage.say("GET /a//b/../c?d=%2e&e HTTP/1.1\r\nHost: shop.test:81\r\nAccept: */*\r\n\r\n").await;
    let (first, rest) = heard.request().split_once("\r\n").unwrap();
    assert_eq!(first, "GET /a//b/../c?d=%2e&e HTTP/1.1");
    let mut lines: Vec<_> = rest.strip_suffix("\r\n\r\n").unwrap().split("\r\n").collect();
    lines.sort_unstable();
    let told = [format!("client-cert: {certificate}"), format!("x-spiffe-id: {CLIENT}")];
    assert_eq!(lines, ["accept: */*", &told[0], "host: shop.test:81", &told[1]]);
    assert_eq!(heard.status(), "200");
    assert!(heard.caller.ends_with("\r\n\r\nok"));
}

#[test]
fn the_certificate_is_a_byte_sequence_of_structured_fields() {
    // RFC 9440, section 2.2: RFC 8941 base64 with padding between colons, of the DER leaf.
    let world = World::new();
    let source = world.party(SERVER).1;
    let leaf = source.credential().unwrap().svid().leaf().clone();
    let value = crate::http::identity::byte_sequence(&leaf);
    let text = value.to_str().unwrap();
    let inner = text.strip_prefix(':').unwrap().strip_suffix(':').unwrap();
    assert_eq!(STANDARD.decode(inner).unwrap(), leaf.as_ref());
}

#[tokio::test]
async fn forged_fields_are_dropped_in_any_case_and_number() {
    let heard = say(
        "GET / HTTP/1.1\r\nX-Spiffe-Id: forged\r\nHost: h\r\nx-spiffe-id: forged\r\nX-SPIFFE-ID:forged\r\n\
         Client-Cert: :forged:\r\nCLIENT-CERT: :forged:\r\nClient-Cert-Chain: :forged:\r\nx-spiffe-id:\r\n\r\n",
    )
    .await;
    heard.assert_told(1);
}

#[tokio::test]
async fn names_that_a_backend_may_take_for_them_are_dropped() {
    let heard = say(
        "GET / HTTP/1.1\r\nHost: h\r\nX_Spiffe_Id: forged\r\nx-spiffe_id: forged\r\nX.SPIFFE.ID: forged\r\n\
         client_cert: forged\r\nclient~cert: forged\r\nClient_Cert_Chain: forged\r\nx!spiffe!id: forged\r\n\r\n",
    )
    .await;
    heard.assert_told(1);
}

#[tokio::test]
async fn names_that_a_backend_may_take_for_framing_are_dropped() {
    let heard = say(
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nContent_Length: 99\r\ntransfer_encoding: forged\r\n\
         transfer.encoding: forged\r\n\r\nhi",
    )
    .await;
    heard.assert_told(1);
    assert!(!heard.request().contains(": 99"), "{}", heard.request());
}

#[tokio::test]
async fn names_that_are_only_similar_are_passed_on() {
    let heard =
        say("GET / HTTP/1.1\r\nHost: h\r\nx-spiffe-idx: 1\r\nmy-client-ca: 2\r\nxspiffeid: 3\r\n\r\n").await;
    for said in ["x-spiffe-idx: 1\r\n", "my-client-ca: 2\r\n", "xspiffeid: 3\r\n"] {
        assert!(heard.request().contains(said), "{}", heard.request());
    }
    assert!(!is_suspect(&"content-length".parse().unwrap()));
    assert!(is_suspect(&"content_length".parse().unwrap()));
}

#[tokio::test]
async fn fields_of_the_next_hop_neither_drop_nor_keep_the_proxys_word() {
    let heard = say(
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: x-spiffe-id, client-cert, close\r\nConnection: X_Spiffe_Id\r\n\
         x-spiffe-id: forged\r\nx_spiffe_id: forged\r\nKeep-Alive: forged\r\nProxy-Connection: forged\r\n\r\n",
    )
    .await;
    heard.assert_told(1);
    assert!(!heard.request().contains("connection"), "{}", heard.request());
}

#[tokio::test]
async fn what_connection_names_is_dropped_but_for_host_and_framing() {
    let heard =
        say("POST / HTTP/1.1\r\nHost: h\r\nConnection: host, content-length, x-hop, close\r\nX-Hop: 1\r\n\
         Content-Length: 5\r\n\r\nhello")
        .await;
    heard.assert_told(1);
    let request = heard.request();
    assert!(!request.contains("x-hop"), "{request}");
    assert!(request.contains("host: h\r\n") && request.contains("content-length: 5\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\nhello"), "{request}");
}

#[tokio::test]
async fn forged_trailers_are_dropped_and_others_passed_on() {
    let heard = say(
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X-Spiffe-Id, x_spiffe_id, X-Sum\r\n\
         \r\n5\r\nhello\r\n0\r\nX-Spiffe-Id: forged\r\nx_spiffe_id: forged\r\nCLIENT-CERT: forged\r\nX-Sum: 9\r\n\r\n",
    )
    .await;
    heard.assert_told(1);
    let request = heard.request();
    assert!(request.contains("trailer: X-Sum\r\n"), "{request}");
    assert!(request.ends_with("5\r\nhello\r\n0\r\nx-sum: 9\r\n\r\n"), "{request}");
}

#[tokio::test]
async fn folded_lines_are_refused() {
    for fields in
        ["X-A: b\r\n x-spiffe-id: forged", "X-A: b\r\n\tforged", "x-spiffe-id:\r\n forged", "X-A:\r\n\r"]
    {
        say(format!("GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n")).await.assert_refused("400");
    }
    say("GET / HTTP/1.1\r\n x-spiffe-id: forged\r\nHost: h\r\n\r\n").await.assert_refused("400");
}

#[tokio::test]
async fn names_and_values_that_break_the_grammar_are_refused() {
    let bad: [&[u8]; 9] = [
        b"x-spiffe-id : forged",
        b"x-spiffe-id\t: forged",
        b"x-spiffe-id\0: forged",
        b"X-A: b\0c",
        b"X-A: b\rx-spiffe-id: forged",
        b"X-A: b\x7f",
        b"X-A: b\x01",
        b": forged",
        b"x-spiffe-id forged",
    ];
    for fields in bad {
        let raw = [b"GET / HTTP/1.1\r\nHost: h\r\n", fields, b"\r\n\r\n"].concat();
        let heard = say(raw).await;
        assert_eq!(heard.status(), "400", "{}", String::from_utf8_lossy(fields));
        heard.assert_refused("400");
    }
}

#[tokio::test]
async fn a_bare_line_feed_ends_a_line_here_as_it_may_there() {
    say("GET / HTTP/1.1\r\nHost: h\r\nX-A: b\nx-spiffe-id: forged\r\n\r\n").await.assert_told(1);
}

#[tokio::test]
async fn each_request_of_a_connection_is_told_of() {
    let forged = "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nX-Spiffe-Id: forged\r\n\
                  Content-Length: 2\r\n\r\nhiGET /3 HTTP/1.1\r\nHost: h\r\nx_spiffe_id: forged\r\n\r\n";
    let heard = say(forged).await;
    heard.assert_told(3);
    assert_eq!(heard.caller.matches("HTTP/1.1 200 OK").count(), 3);
    // All by one connection, which is this caller's.
    heard.request();
}

#[test]
fn of_nobody_nothing_is_told_and_nothing_forged_passes() {
    let fields = IdentityFields::of(&crate::side::AnyPeer::Nobody);
    let mut headers = hyper::HeaderMap::new();
    headers.append("x-spiffe-id", "forged".parse().unwrap());
    headers.append("client_cert", "forged".parse().unwrap());
    fields.put(&mut headers);
    assert!(headers.is_empty(), "{headers:?}");
}
