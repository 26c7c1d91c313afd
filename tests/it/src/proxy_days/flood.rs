//! A crowd that comes, says nothing, and stays.

use std::net::TcpStream;

use super::backend::Backend;
use super::{Site, echo};

/// More than may be on the doorstep of a proxy with few places.
const CROWD: usize = 300;

#[test]
fn who_shows_who_they_are_get_through_a_silent_crowd() {
    let site = Site::new();
    let _backend = Backend::echoing(&site);
    let server = site.server(&["--max-concurrent-conns=4"]);
    let client = site.client(&server);
    let before = client.dial();
    echo(&before).unwrap();
    let _crowd: Vec<TcpStream> = (0..CROWD).map(|_| server.dial()).collect();
    for _ in 0..3 {
        // Within the time that a read is given.
        echo(&client.dial()).unwrap();
        echo(&before).unwrap();
    }
}
