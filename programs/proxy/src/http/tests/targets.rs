//! What a request is for is one thing, and CONNECT is nothing.

use super::stage::say;

#[tokio::test]
async fn a_target_with_a_host_becomes_a_path() {
    for target in ["http://h.test/a?b", "https://H.test/a?b"] {
        let heard = say(format!("GET {target} HTTP/1.1\r\nHost: h.test\r\n\r\n")).await;
        heard.assert_told(1);
        assert!(heard.request().starts_with("GET /a?b HTTP/1.1\r\n"), "{}", heard.request());
        assert!(heard.request().contains("\r\nhost: h.test\r\n"), "{}", heard.request());
    }
    let heard = say("GET http://h.test HTTP/1.1\r\nHost: h.test\r\n\r\n").await;
    assert!(heard.request().starts_with("GET / HTTP/1.1\r\n"), "{}", heard.request());
    let heard = say("OPTIONS * HTTP/1.1\r\nHost: h.test\r\n\r\n").await;
    assert!(heard.request().starts_with("OPTIONS * HTTP/1.1\r\n"), "{}", heard.request());
}

#[tokio::test]
async fn a_request_that_names_two_hosts_or_none_is_refused() {
    let bad = [
        "GET http://a.test/ HTTP/1.1\r\nHost: b.test\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.test\r\nhost: a.test\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET http://a.test/ HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.test b.test\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.test, b.test\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.test/b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a@b.test\r\n\r\n",
        "GET http://a@b.test/ HTTP/1.1\r\nHost: a@b.test\r\n\r\n",
        "GET ftp://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "GET a.test:80 HTTP/1.1\r\nHost: a.test:80\r\n\r\n",
    ];
    for raw in bad {
        let heard = say(raw).await;
        assert_eq!(heard.status(), "400", "{raw}");
        heard.assert_refused("400");
        assert!(heard.caller.contains("connection: close"), "{}", heard.caller);
    }
}

#[tokio::test]
async fn http_1_0_may_name_no_host_and_is_told_of_by_1_1() {
    let heard = say("GET / HTTP/1.0\r\n\r\n").await;
    heard.assert_told(1);
    assert!(heard.request().starts_with("GET / HTTP/1.1\r\n"), "{}", heard.request());
}

#[tokio::test]
async fn first_lines_that_break_the_grammar_are_refused() {
    let bad = [
        "GET / HTTP/1.1 forged\r\nHost: h\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: h\r\n\r\n",
        "GET /\r\nHost: h\r\n\r\n",
        "G(T / HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    for raw in bad {
        let heard = say(raw).await;
        assert_ne!(heard.status(), "200", "{raw}");
        assert!(heard.backend.is_empty(), "{raw}: {:?}", heard.backend);
    }
}

#[tokio::test]
async fn connect_is_refused() {
    let heard =
        say("CONNECT h.test:80 HTTP/1.1\r\nHost: h.test:80\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    heard.assert_refused("405");
    assert!(heard.caller.ends_with("CONNECT is not served here\n"), "{}", heard.caller);
}
