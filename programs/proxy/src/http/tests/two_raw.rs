//! HTTP/2 as raw frames, with fields that no library would send.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::stage::{FORGED, Heard, Stage};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const GO_AWAY: u8 = 7;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

pub(super) const GET: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "https"), (":authority", "h"), (":path", "/")];
const POST: [(&str, &str); 4] =
    [(":method", "POST"), (":scheme", "https"), (":authority", "h"), (":path", "/")];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Without index and without Huffman's code: RFC 7541, section 6.2.2.
fn literals(fields: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| {
        let length = text.len();
        let prefix = match length {
            0..127 => vec![length as u8],
            _ => vec![127, ((length - 127) % 128) as u8 | 128, ((length - 127) / 128) as u8],
        };
        [prefix, text.as_bytes().to_vec()].concat()
    };
    fields.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

fn header(fields: &[(&str, &str)], flags: u8) -> Vec<u8> {
    frame(HEADERS, flags | END_HEADERS, 1, &literals(fields))
}

fn with<'a>(first: &[(&'a str, &'a str)], more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [first, more].concat()
}

/// Kinds of the frames that came until the stream or the connection ended.
async fn say(frames: &[Vec<u8>]) -> (Vec<String>, Vec<u8>, Heard) {
    let stage = Stage::new().await;
    let frames = frames.concat();
    let certificate = stage.certificate();
    let (backend, kinds) = stage
        .visit(async |stage: &Stage, address: SocketAddr| {
            let mut caller = stage.call(address, "h2").await;
            let preface =
                [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frame(SETTINGS, 0, 0, &[]).as_slice(), &frames]
                    .concat();
            let _ = caller.write_all(&preface).await;
            let mut kinds = Vec::new();
            let mut head = [0; 9];
            while caller.read_exact(&mut head).await.is_ok() {
                let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
                let mut payload = vec![0; length as usize];
                caller.read_exact(&mut payload).await.unwrap();
                let (kind, stream) = (head[3], u32::from_be_bytes([head[5], head[6], head[7], head[8]]));
                kinds.push(kind);
                let ended = matches!(kind, HEADERS | DATA) && head[4] & END_STREAM != 0;
                if kind == GO_AWAY || (stream == 1 && (kind == RESET || ended)) {
                    break;
                }
            }
            kinds
        })
        .await;
    let heard = Heard::new(backend.clone(), String::new(), certificate);
    (backend, kinds, heard)
}

async fn assert_refused(what: &str, frames: &[Vec<u8>]) {
    let (backend, _, _) = say(frames).await;
    assert!(backend.is_empty(), "{what}: {backend:?}");
}

#[tokio::test]
async fn forged_fields_are_dropped() {
    let forged = [
        ("x-spiffe-id", FORGED),
        ("x-spiffe-id", FORGED),
        ("x_spiffe_id", FORGED),
        ("client-cert", FORGED),
        ("client-cert-chain", FORGED),
        ("content_length", FORGED),
        ("x-kept", "kept"),
    ];
    let (backend, kinds, heard) = say(&[header(&with(&GET, &forged), END_STREAM)]).await;
    heard.assert_told(1);
    assert!(backend[0].starts_with("GET / HTTP/1.1\r\n"), "{backend:?}");
    assert!(backend[0].contains("\r\nhost: h\r\n") && backend[0].contains("x-kept: kept"), "{backend:?}");
    assert!(kinds.contains(&HEADERS), "{kinds:?}");
}

#[tokio::test]
async fn forged_trailers_are_dropped() {
    let frames = [
        header(&with(&POST, &[("trailer", "x-sum, x-spiffe-id")]), 0),
        frame(DATA, 0, 1, b"hello"),
        header(
            &[("x-spiffe-id", FORGED), ("x_spiffe_id", FORGED), ("client-cert", FORGED), ("x-sum", "9")],
            END_STREAM,
        ),
    ];
    let (backend, _, heard) = say(&frames).await;
    heard.assert_told(1);
    assert!(backend[0].ends_with("\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 9\r\n\r\n"), "{backend:?}");
}

#[tokio::test]
async fn fields_that_would_become_other_fields_are_refused() {
    let bad = [
        ("X-Spiffe-Id", FORGED),
        ("x-a", "b\r\nx-spiffe-id: forged"),
        ("x-a", "b\nx-spiffe-id: forged"),
        ("x-a", "b\rc"),
        ("x-a", "b\0c"),
        ("x-spiffe-id: forged\r\nx-a", "b"),
        ("x-spiffe-id:", FORGED),
        ("x-spiffe-id ", FORGED),
        ("", FORGED),
        ("connection", "x-spiffe-id"),
        ("keep-alive", "5"),
        ("proxy-connection", "close"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("te", "gzip"),
        (":x-spiffe-id", FORGED),
        (":path", "/two"),
        ("content-length", "5"),
    ];
    for field in bad {
        assert_refused(&format!("{field:?}"), &[header(&with(&GET, &[field]), END_STREAM)]).await;
    }
}

#[tokio::test]
async fn pseudo_fields_that_break_the_grammar_are_refused() {
    let bad: [&[(&str, &str)]; 13] = [
        &[(":method", "GET / HTTP/1.1\r\nx-spiffe-id: forged\r\n\r\n"), GET[1], GET[2], GET[3]],
        &[(":method", "GET /"), GET[1], GET[2], GET[3]],
        &[(":method", ""), GET[1], GET[2], GET[3]],
        &[GET[0], GET[1], GET[2], (":path", "/ HTTP/1.1\r\nx-spiffe-id: forged\r\n\r\nGET /")],
        &[GET[0], GET[1], GET[2], (":path", "/a b")],
        &[GET[0], GET[1], GET[2], (":path", "")],
        &[GET[0], GET[1], GET[2]],
        &[GET[0], GET[1], (":authority", "h\r\nx-spiffe-id: forged"), GET[3]],
        &[GET[0], GET[1], (":authority", "a@h"), GET[3]],
        &[GET[0], GET[1], GET[3]],
        &[GET[0], (":scheme", "ftp"), GET[2], GET[3]],
        &[GET[0], GET[1], GET[2], GET[3], GET[3]],
        &[GET[0], GET[1], ("x-a", "b"), GET[2], GET[3]],
    ];
    for fields in bad {
        assert_refused(&format!("{fields:?}"), &[header(fields, END_STREAM)]).await;
    }
}

#[tokio::test]
async fn two_hosts_are_refused() {
    for host in ["other", "h, h", ""] {
        assert_refused(host, &[header(&with(&GET, &[("host", host)]), END_STREAM)]).await;
    }
    assert_refused("twice", &[header(&with(&GET, &[("host", "h"), ("host", "h")]), END_STREAM)]).await;
    let (backend, _, heard) = say(&[header(&with(&GET, &[("host", "H")]), END_STREAM)]).await;
    heard.assert_told(1);
    assert_eq!(backend[0].matches("\r\nhost: ").count(), 1, "{backend:?}");
}

#[tokio::test]
async fn connect_is_refused() {
    assert_refused("plain", &[header(&[(":method", "CONNECT"), (":authority", "h:80")], 0)]).await;
    let websocket = with(&[(":method", "CONNECT"), (":protocol", "websocket")], &GET[1..]);
    assert_refused("extended", &[header(&websocket, 0)]).await;
}

#[tokio::test]
async fn lengths_that_are_not_those_of_the_frames_end_no_request() {
    for (length, body) in [("9", "hello"), ("3", "hello"), ("x", "hello"), ("+5", "hello"), ("5, 5", "hello")]
    {
        let frames = [
            header(&with(&POST, &[("content-length", length)]), 0),
            frame(DATA, END_STREAM, 1, body.as_bytes()),
        ];
        let (backend, kinds, _) = say(&frames).await;
        // What was passed on breaks off: it is shorter than it says.
        let told = backend.concat();
        let said =
            told.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()).map(str::to_owned);
        let passed_on = told.split("\r\n\r\n").nth(1).unwrap_or_default().len();
        assert!(said.is_none_or(|said| passed_on < said.parse().unwrap()), "{length}: {told}");
        assert!(!told.contains("0\r\n\r\n"), "{length}: {told}");
        assert!(kinds.contains(&RESET) || kinds.contains(&HEADERS) || kinds.contains(&GO_AWAY), "{kinds:?}");
    }
    let twice = with(&POST, &[("content-length", "5"), ("content-length", "6")]);
    let frames = [header(&twice, 0), frame(DATA, END_STREAM, 1, b"hello")];
    assert_refused("two lengths", &frames).await;
    let same = with(&POST, &[("content-length", "5"), ("content-length", "5")]);
    let (backend, _, _) = say(&[header(&same, 0), frame(DATA, END_STREAM, 1, b"hello")]).await;
    assert!(backend.concat().matches("content-length").count() <= 1, "{backend:?}");
}

#[tokio::test]
async fn a_body_of_unknown_length_is_chunked_whatever_the_method() {
    let (backend, _, heard) =
        say(&[header(&GET, 0), frame(DATA, END_STREAM, 1, b"GET /x HTTP/1.1\r\n\r\n")]).await;
    heard.assert_told(1);
    assert!(backend[0].ends_with("\r\n\r\n13\r\nGET /x HTTP/1.1\r\n\r\n\r\n0\r\n\r\n"), "{backend:?}");
}

#[tokio::test]
async fn a_flood_of_fields_reaches_nobody() {
    let many = vec![("x-a", "b"); 200];
    assert_refused("many", &[header(&with(&GET, &many), END_STREAM)]).await;
    // Continued for ever, in frames that end nothing.
    let mut frames = vec![frame(HEADERS, END_STREAM, 1, &literals(&GET))];
    let filler = "x".repeat(10_000);
    frames.extend((0..40).map(|_| frame(CONTINUATION, 0, 1, &literals(&[("x-a", filler.as_str())]))));
    assert_refused("continued", &frames).await;
}

#[tokio::test]
async fn http_1_after_the_choice_of_http_2_is_refused() {
    let stage = Stage::new().await;
    let (backend, ()) = stage
        .visit(async |stage: &Stage, address: SocketAddr| {
            let mut caller = stage.call(address, "h2").await;
            let _ = caller.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nX-Spiffe-Id: forged\r\n\r\n").await;
            let _ = caller.shutdown().await;
            let _ = caller.read_to_end(&mut Vec::new()).await;
        })
        .await;
    assert!(backend.is_empty(), "{backend:?}");
}
