//! Who keeps a connection, and who gives way.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, SystemTime};

use finial_attest::PeerPidfd;
use finial_daemon::doorstep::GRACE;
use finial_daemon::socket::{self, Access};
use finial_daemon::{Clock, ClockHand};
use finial_wire::MAX_SILENCE;
use futures_util::FutureExt;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::{Door, WorkloadConnection, places};

/// The preface of HTTP/2, empty settings, and a frame of headers.
const CALL: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\0\x01\x04\0\0\0\x01";

struct House {
    folder: TempDir,
    door: Door,
    hand: ClockHand,
}

impl House {
    fn with_places(places: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (clock, hand) = Clock::manual(SystemTime::UNIX_EPOCH);
        let socket = socket::bind(folder.path().join("api.sock"), Access::EVERYONE, &clock).unwrap();
        Self { folder, door: Door::with_places(places, socket, PeerPidfd::default(), &clock), hand }
    }

    async fn connect(&mut self) -> (UnixStream, WorkloadConnection) {
        let stream = UnixStream::connect(self.folder.path().join("api.sock")).await.unwrap();
        (stream, self.door.next().await)
    }
}

/// What a server reads at once: nothing at the end, `None` while it would wait.
fn read(connection: &mut WorkloadConnection) -> Option<usize> {
    let mut bytes = [0; 256];
    connection.read(&mut bytes).now_or_never().map(Result::unwrap)
}

#[tokio::test]
async fn a_client_that_asks_nothing_is_cut_off_and_one_that_has_asked_is_not() {
    let mut house = House::with_places(2);
    let (_silent, mut of_silent) = house.connect().await;
    let (mut caller, mut of_caller) = house.connect().await;
    caller.write_all(CALL).await.unwrap();
    assert_eq!(of_caller.read(&mut [0; 256]).await.unwrap(), CALL.len());
    assert_eq!((read(&mut of_silent), read(&mut of_caller)), (None, None));
    house.hand.step(MAX_SILENCE - Duration::from_millis(1));
    assert_eq!((read(&mut of_silent), read(&mut of_caller)), (None, None));
    house.hand.step(Duration::from_millis(1));
    assert_eq!((read(&mut of_silent), read(&mut of_caller)), (Some(0), None));
}

#[tokio::test]
async fn a_client_that_says_a_byte_at_a_time_is_cut_off_too() {
    let mut house = House::with_places(1);
    let (mut slow, mut of_slow) = house.connect().await;
    for byte in &CALL[..30] {
        slow.write_all(&[*byte]).await.unwrap();
        assert_eq!(of_slow.read(&mut [0; 256]).await.unwrap(), 1);
        house.hand.step(MAX_SILENCE / 30);
    }
    assert_eq!(read(&mut of_slow), Some(0));
}

#[tokio::test]
async fn when_all_places_are_taken_the_one_that_came_first_gives_way_to_the_next() {
    let mut house = House::with_places(2);
    let (mut first, mut of_first) = house.connect().await;
    let (_second, mut of_second) = house.connect().await;
    first.write_all(CALL).await.unwrap();
    assert_eq!(of_first.read(&mut [0; 256]).await.unwrap(), CALL.len());
    house.hand.step(GRACE);
    let (_third, mut of_third) = house.connect().await;
    assert_eq!(read(&mut of_first), Some(0));
    assert_eq!((read(&mut of_second), read(&mut of_third)), (None, None));
}

#[tokio::test]
async fn a_connection_that_is_closed_gives_its_place_back() {
    let mut house = House::with_places(1);
    let (_first, of_first) = house.connect().await;
    drop(of_first);
    let (_second, mut of_second) = house.connect().await;
    assert_eq!(read(&mut of_second), None);
}

#[test]
fn connections_leave_descriptors_for_the_rest() {
    assert_eq!(places(None), 16_384);
    assert_eq!(places(Some(1_000_000)), 16_384);
    assert_eq!(places(Some(20_000)), 9_744);
    assert_eq!(places(Some(100)), 1);
}
