//! Connections to the backend: one caller's each, kept for its next request, and never another's.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::stage::{Caller, Stage, end};
use crate::fixtures::{CLIENT, beside, listener, local};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";

async fn ask(caller: &mut Caller) -> String {
    caller.write_all(GET).await.unwrap();
    hear(caller, "ok").await
}

async fn hear(caller: &mut Caller, last: &str) -> String {
    let mut heard = Vec::new();
    while !heard.ends_with(last.as_bytes()) {
        heard.push(caller.read_u8().await.unwrap());
    }
    String::from_utf8(heard).unwrap()
}

#[tokio::test]
async fn requests_of_one_caller_share_a_connection_and_those_of_two_do_not() {
    let (backend, ()) = Stage::new()
        .await
        .visit(async |stage, address| {
            let mut first = stage.call(address, "http/1.1").await;
            let mut second = stage.call(address, "http/1.1").await;
            for _ in 0..2 {
                ask(&mut first).await;
                ask(&mut second).await;
            }
        })
        .await;
    let requests = backend.iter().map(|heard| heard.matches("GET / HTTP/1.1").count()).collect::<Vec<_>>();
    assert_eq!(requests, [2, 2]);
}

#[tokio::test]
async fn a_backend_that_closes_after_each_answer_is_dialled_again() {
    let stage = Stage::new().await;
    let app = stage.app().await;
    let address = app.address().unwrap();
    let backend = async {
        loop {
            let (mut stream, _) = stage.backend.accept().await.unwrap();
            let mut heard = Vec::new();
            while end(&heard).is_none() {
                heard.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nok").await.unwrap();
        }
    };
    let test = async {
        let mut caller = stage.call(address, "http/1.1").await;
        for _ in 0..3 {
            caller.write_all(GET).await.unwrap();
            let heard = hear(&mut caller, "ok\r\n0\r\n\r\n").await;
            assert!(heard.contains("transfer-encoding: chunked"), "{heard}");
        }
    };
    beside(app, &stage.world.clock, async {
        tokio::select! { () = backend => (), () = test => () }
    })
    .await;
}

#[tokio::test]
async fn the_proxy_header_comes_first_on_each_connection() {
    let mut stage = Stage::new().await;
    stage.config.proxy_protocol = true;
    let app = stage.app().await;
    let address = app.address().unwrap();
    let test = async {
        for _ in 0..2 {
            let mut caller = stage.call(address, "http/1.1").await;
            caller.write_all(GET).await.unwrap();
            let (mut backend, _) = stage.backend.accept().await.unwrap();
            // Signature, version and family, length, two addresses of IPv4.
            let mut header = [0; 28];
            backend.read_exact(&mut header).await.unwrap();
            assert!(header.starts_with(b"\r\n\r\n\0\r\nQUIT\n!"), "{header:?}");
            let mut request = [0; 14];
            backend.read_exact(&mut request).await.unwrap();
            assert_eq!(&request, b"GET / HTTP/1.1");
        }
    };
    beside(app, &stage.world.clock, test).await;
}

#[tokio::test]
async fn a_backend_that_is_not_there_is_said_to_be() {
    let mut stage = Stage::new().await;
    let (gone, address) = listener().await;
    drop(gone);
    stage.config.targets = vec![local(address.port())];
    let heard = stage.say([GET, GET].concat()).await;
    assert_eq!(heard.caller.matches("HTTP/1.1 502 Bad Gateway\r\n").count(), 2, "{}", heard.caller);
    assert!(heard.caller.ends_with("\r\n\r\nthe backend cannot be reached\n"), "{}", heard.caller);
}

#[tokio::test]
async fn a_backend_that_speaks_something_else_is_no_answer() {
    for nonsense in
        ["SSH-2.0-x\r\n", "", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"]
    {
        let stage = Stage::new().await;
        let app = stage.app().await;
        let address = app.address().unwrap();
        let backend = async {
            let (mut stream, _) = stage.backend.accept().await.unwrap();
            stream.read_u8().await.unwrap();
            stream.write_all(nonsense.as_bytes()).await.unwrap();
        };
        let test = async {
            let mut caller = stage.call(address, "http/1.1").await;
            caller.write_all(GET).await.unwrap();
            assert!(hear(&mut caller, "the backend gave no answer\n").await.starts_with("HTTP/1.1 502"));
        };
        beside(app, &stage.world.clock, async { tokio::join!(backend, test) }).await;
    }
}

#[tokio::test]
async fn a_body_is_not_held_up_nor_held() {
    let stage = Stage::new().await;
    let app = stage.app().await;
    let address = app.address().unwrap();
    let test = async {
        let mut caller = stage.call(address, "http/1.1").await;
        let head = format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", u64::MAX / 4);
        caller.write_all(head.as_bytes()).await.unwrap();
        let (mut backend, _) = stage.backend.accept().await.unwrap();
        caller.write_all(b"one").await.unwrap();
        caller.flush().await.unwrap();
        let mut heard = Vec::new();
        while !heard.ends_with(b"\r\n\r\none") {
            heard.push(backend.read_u8().await.unwrap());
        }
        // The backend answers before it has heard all, and each part is passed on as it comes.
        backend.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n").await.unwrap();
        hear(&mut caller, "2\r\nok\r\n").await;
        // Nobody reads any more: what the proxy takes then is bounded.
        let mut taken = 0_usize;
        let flood = async {
            loop {
                taken += caller.write(&[b'x'; 16 * 1024]).await.unwrap();
            }
        };
        let idle = async {
            let mut before = None;
            while before != Some(stage.world.clock.monotonic()) {
                before = Some(stage.world.clock.monotonic());
                for _ in 0..20_000 {
                    tokio::task::yield_now().await;
                }
            }
        };
        tokio::select! {
            () = flood => {}
            () = idle => {}
        }
        assert!(taken < 32 * 1024 * 1024, "{taken}");
        drop(caller);
        drop(backend);
    };
    beside(app, &stage.world.clock, test).await;
}

#[tokio::test]
async fn a_caller_that_leaves_takes_its_request_along() {
    let stage = Stage::new().await;
    let app = stage.app().await;
    let address = app.address().unwrap();
    let test = async {
        let mut caller = stage.call(address, "http/1.1").await;
        caller.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx").await.unwrap();
        let (mut backend, _) = stage.backend.accept().await.unwrap();
        let mut heard = Vec::new();
        while !heard.ends_with(b"\r\n\r\nx") {
            heard.push(backend.read_u8().await.unwrap());
        }
        caller.get_ref().0.set_zero_linger().unwrap();
        drop(caller);
        assert!(backend.read_u8().await.is_err());
    };
    beside(app, &stage.world.clock, test).await;
}

#[tokio::test]
async fn what_a_stopping_proxy_has_begun_it_ends() {
    let stage = Stage::new().await;
    let app = stage.app().await;
    let address = app.address().unwrap();
    let stop = finial_daemon::Tasks::new(stage.world.clock.clone()).drain();
    let (ended, ()) = tokio::join!(app.run(stop.requested()), async {
        let mut idle = stage.call(address, "http/1.1").await;
        let mut caller = stage.call(address, "http/1.1").await;
        caller.write_all(GET).await.unwrap();
        let (mut backend, _) = stage.backend.accept().await.unwrap();
        backend.read_u8().await.unwrap();
        stop.request();
        assert!(idle.read_u8().await.is_err(), "who asks nothing is let go");
        backend.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
        let mut heard = String::new();
        caller.read_to_string(&mut heard).await.unwrap();
        assert!(heard.contains("connection: close\r\n") && heard.ends_with("ok"), "{heard}");
    });
    ended.unwrap();
}

#[tokio::test]
async fn fields_of_the_backends_hop_stay_behind() {
    let stage = Stage::new().await;
    let app = stage.app().await;
    let address = app.address().unwrap();
    let backend = async {
        let (mut stream, _) = stage.backend.accept().await.unwrap();
        stream.read_u8().await.unwrap();
        let answer = "HTTP/1.1 404 Nothing Here\r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nX-A: 1\r\n\
                      X-A: 2\r\nDate: x\r\nContent-Length: 2\r\n\r\nok";
        stream.write_all(answer.as_bytes()).await.unwrap();
        std::future::pending::<()>().await;
    };
    let test = async {
        let mut caller = stage.call(address, "http/1.1").await;
        let heard = ask(&mut caller).await;
        let lines: Vec<_> = heard.split("\r\n").collect();
        assert_eq!((lines[0], lines.last()), ("HTTP/1.1 404 Nothing Here", Some(&"ok")), "{heard}");
        let mut fields = lines[1..lines.len() - 2].to_vec();
        fields.sort_unstable();
        assert_eq!(fields, ["content-length: 2", "date: x", "x-a: 1", "x-a: 2"]);
    };
    beside(app, &stage.world.clock, async {
        tokio::select! { () = backend => (), () = test => () }
    })
    .await;
}

/// A backend that hears one request on each of its connections, and says `answer`; `caller` speaks meanwhile.
async fn with_backend<T>(answer: &str, caller: impl AsyncFnOnce(Caller) -> T) -> T {
    let stage = Stage::new().await;
    let app = stage.app().await;
    let address = app.address().unwrap();
    let backend = async {
        loop {
            let (mut stream, _) = stage.backend.accept().await.unwrap();
            let mut heard = Vec::new();
            while !heard.ends_with(b"\r\n\r\n") {
                heard.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    };
    let caller = async { caller(stage.call(address, "http/1.1").await).await };
    beside(app, &stage.world.clock, async {
        tokio::select! { () = backend => panic!(), said = caller => said }
    })
    .await
}

#[tokio::test]
async fn a_kept_connection_that_the_backend_closed_is_not_used() {
    with_backend("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", async |mut caller| {
        for _ in 0..20 {
            assert!(ask(&mut caller).await.starts_with("HTTP/1.1 200 OK\r\n"));
        }
    })
    .await;
}

#[tokio::test]
async fn what_a_backend_says_beyond_its_answer_answers_nothing() {
    let two =
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong";
    with_backend(two, async |mut caller| {
        for _ in 0..3 {
            ask(&mut caller).await;
        }
    })
    .await;
}

#[tokio::test]
async fn trailers_of_an_answer_pass_to_who_wants_them() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 9\r\n\r\n";
    with_backend(answer, async |mut caller| {
        caller
            .write_all(b"GET / HTTP/1.1\r\nHost: h\r\nTE: trailers\r\nConnection: TE\r\n\r\n")
            .await
            .unwrap();
        assert!(hear(&mut caller, "0\r\nx-sum: 9\r\n\r\n").await.contains("trailer: X-Sum"));
        caller.write_all(GET).await.unwrap();
        hear(&mut caller, "2\r\nok\r\n0\r\n\r\n").await;
    })
    .await;
}

#[tokio::test]
async fn answers_without_a_body_leave_the_connection_in_step() {
    for answer in
        ["HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n"]
    {
        with_backend(answer, async |mut caller| {
            for _ in 0..3 {
                caller.write_all(GET).await.unwrap();
                assert!(hear(&mut caller, "\r\n\r\n").await.starts_with("HTTP/1.1 "));
            }
        })
        .await;
    }
    with_backend("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", async |mut caller| {
        for _ in 0..3 {
            caller.write_all(b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
            assert!(hear(&mut caller, "\r\n\r\n").await.contains("content-length: 5\r\n"));
        }
    })
    .await;
}

#[tokio::test]
async fn interim_answers_stay_behind() {
    let answer = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n\
                  HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    with_backend(answer, async |mut caller| {
        let heard = ask(&mut caller).await;
        assert!(heard.starts_with("HTTP/1.1 200 OK\r\n") && !heard.contains("link"), "{heard}");
    })
    .await;
}

#[tokio::test]
async fn who_waits_to_be_told_to_go_on_is_told() {
    let (backend, ()) = Stage::new()
        .await
        .visit(async |stage, address| {
            let mut caller = stage.call(address, "http/1.1").await;
            let head = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
            caller.write_all(head.as_bytes()).await.unwrap();
            assert_eq!(hear(&mut caller, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
            caller.write_all(b"hi").await.unwrap();
            hear(&mut caller, "\r\n\r\nok").await;
        })
        .await;
    assert!(backend[0].ends_with("\r\n\r\nhi"), "{backend:?}");
}

#[tokio::test]
async fn a_body_that_is_still_under_way_after_its_answer_becomes_no_request() {
    let stage = Stage::new().await;
    let app = stage.app().await;
    let address = app.address().unwrap();
    let backend = async {
        let (mut stream, _) = stage.backend.accept().await.unwrap();
        let mut heard = Vec::new();
        while !heard.ends_with(b"\r\n\r\n") {
            heard.push(stream.read_u8().await.unwrap());
        }
        // The answer does not wait for the body.
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
        loop {
            let text = String::from_utf8_lossy(&heard);
            if let Some((before, after)) = text.split_once("GET /next HTTP/1.1\r\n")
                && after.ends_with("\r\n\r\n")
            {
                break (before.to_owned(), after.to_owned());
            }
            tokio::select! {
                byte = stream.read_u8() => heard.push(byte.unwrap()),
                next = stage.backend.accept() => stream = next.unwrap().0,
            }
        }
    };
    let caller = async {
        let mut caller = stage.call(address, "http/1.1").await;
        let body = "GET /hidden HTTP/1.1\r\nHost: h\r\nX-Spiffe-Id: forged\r\n\r\n";
        let head = format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", body.len());
        caller.write_all(head.as_bytes()).await.unwrap();
        hear(&mut caller, "ok").await;
        caller.write_all(body.as_bytes()).await.unwrap();
        caller.write_all(b"GET /next HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        std::future::pending::<()>().await;
    };
    let (first, next) = beside(app, &stage.world.clock, async {
        tokio::select! { heard = backend => heard, () = caller => panic!() }
    })
    .await;
    // What looks like a request is the body of the first, whole or not begun.
    let (head, body) = first.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("content-length: {}", body.len())) || body.is_empty(), "{first}");
    assert!(next.contains(&format!("x-spiffe-id: {CLIENT}\r\n")) && !next.contains("forged"), "{next}");
}
