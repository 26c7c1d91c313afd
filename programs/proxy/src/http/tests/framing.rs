//! Where a request ends is said in one way to the backend, or not at all.

use super::stage::say;

/// The second request, which only a program that ends the first elsewhere would see.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: h\r\nX-Spiffe-Id: forged\r\n\r\n";

#[tokio::test]
async fn with_both_length_and_chunks_the_chunks_count_and_nothing_follows() {
    for order in
        ["Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5"]
    {
        let heard = say(format!("POST / HTTP/1.1\r\nHost: h\r\n{order}\r\n\r\n0\r\n\r\n{HIDDEN}")).await;
        heard.assert_told(1);
        let request = heard.request();
        assert!(!request.contains("content-length") && !request.contains("hidden"), "{request}");
        assert!(request.ends_with("\r\n\r\n0\r\n\r\n"), "{request}");
        assert!(heard.caller.contains("connection: close"), "{}", heard.caller);
    }
}

#[tokio::test]
async fn lengths_that_disagree_or_are_no_number_are_refused() {
    let bad = [
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 5",
        "Content-Length: 5, 6",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length: 5;",
        "Content-Length:",
        "Content-Length: 18446744073709551616",
    ];
    for fields in bad {
        let heard = say(format!("POST / HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\nhello{HIDDEN}")).await;
        assert_eq!(heard.status(), "400", "{fields}");
        heard.assert_refused("400");
    }
}

#[tokio::test]
async fn a_length_that_is_said_twice_is_said_once_to_the_backend() {
    let heard =
        say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello").await;
    heard.assert_told(1);
    assert_eq!(heard.request().matches("content-length: 5\r\n").count(), 1);
}

#[tokio::test]
async fn transfer_codings_other_than_chunked_are_refused() {
    let bad = [
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
        "Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding:",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding: identity\r\nContent-Length: 5",
    ];
    for fields in bad {
        let heard = say(format!("POST / HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n0\r\n\r\n{HIDDEN}")).await;
        assert_eq!(heard.status(), "400", "{fields}");
        heard.assert_refused("400");
    }
    let old =
        say(format!("POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}"));
    old.await.assert_refused("400");
}

#[tokio::test]
async fn chunked_in_any_case_is_written_anew() {
    let heard =
        say("POST / HTTP/1.1\r\nHost: h\r\nTRANSFER-ENCODING:\t cHuNkEd \r\n\r\n2\r\nhi\r\n0\r\n\r\n").await;
    heard.assert_told(1);
    assert_eq!(heard.request().matches("transfer-encoding: chunked\r\n").count(), 1);
    assert!(heard.request().ends_with("\r\n\r\n2\r\nhi\r\n0\r\n\r\n"));
}

#[tokio::test]
async fn chunk_extensions_reach_nobody() {
    let chunks = "5;x-spiffe-id=forged\r\nhello\r\n0;forged=\"forged\"\r\n\r\n";
    let heard =
        say(format!("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")).await;
    heard.assert_told(1);
    assert!(heard.request().ends_with("\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), "{}", heard.request());
}

#[tokio::test]
async fn hostile_chunks_end_no_request() {
    let bad = [
        "FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "g\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello!0\r\n\r\n",
        "5\r\nhelloworld\r\n0\r\n\r\n",
        "5\rXhello\r\n0\r\n\r\n",
        "5;forged\nx\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n",
        "5\r\nhel",
        "5\r\nhello\r\n0\r\n",
    ];
    for chunks in bad {
        let raw = format!("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}{HIDDEN}");
        let heard = say(raw).await;
        let backend = heard.backend.concat();
        assert!(!backend.ends_with("0\r\n\r\n"), "{chunks:?}: {backend}");
        assert!(!backend.contains("x-spiffe-id: forged\r\n"), "{chunks:?}: {backend}");
        assert_ne!(heard.status(), "200", "{chunks:?}");
    }
}

#[tokio::test]
async fn an_upload_that_breaks_off_is_no_whole_request() {
    let heard = say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhello").await;
    assert_ne!(heard.status(), "200");
    assert!(heard.backend.concat().contains("content-length: 10\r\n"));
}

#[tokio::test]
async fn a_get_with_a_body_keeps_it() {
    let heard =
        say("GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n").await;
    heard.assert_told(1);
    assert!(heard.request().ends_with("\r\n\r\n2\r\nhi\r\n0\r\n\r\n"), "{}", heard.request());
}

#[tokio::test]
async fn a_body_of_a_get_that_a_backend_may_not_expect_is_framed_as_one() {
    // The classic of requests in requests: a body that is itself one.
    let length = HIDDEN.len();
    let heard = say(format!("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{HIDDEN}")).await;
    assert!(heard.request().contains(&format!("content-length: {length}\r\n")));
    assert_eq!(heard.caller.matches("HTTP/1.1 200 OK").count(), 1);
}

#[tokio::test]
async fn an_empty_body_keeps_its_length() {
    let heard = say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n").await;
    assert!(heard.request().contains("content-length: 0\r\n"), "{}", heard.request());
}
