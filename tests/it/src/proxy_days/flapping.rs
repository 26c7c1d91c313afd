//! A backend that goes, returns in a bad mood, and is well again.

use std::io::Read;
use std::net::TcpStream;

use super::backend::Backend;
use super::{Site, echo};

/// The caller is told by the end of its connection that nobody serves it; it does not wait.
fn turned_away(mut stream: TcpStream) {
    echo(&stream).unwrap_err();
    assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
}

#[test]
fn backend_that_flaps_is_found_whenever_it_is_there() {
    let site = Site::new();
    let mut server = site.server(&[]);
    let client = site.client(&server);
    for _ in 0..3 {
        turned_away(client.dial());
        let resetting = Backend::resetting(&site);
        turned_away(client.dial());
        drop(resetting);
        let _echoing = Backend::echoing(&site);
        echo(&client.dial()).unwrap();
    }
    server.process.wait_for_log("error on dial: ");
    server.terminate();
    assert_eq!(server.process.wait().code(), Some(0), "{}", server.process.log());
}
