//! Clocks that jump by an hour, forward and back, while connections are open.

use std::time::Duration;

use finial_receive::testing::{SVID_TTL, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::reload::passes;
use super::web::Web;
use crate::fixtures::{CLIENT, SERVER, World, app, beside, dial, listener, name};
use crate::{Limits, PeerFlags, ServerConfig, build};

const HOUR: Duration = Duration::from_secs(3600);

async fn settle() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn clock_that_is_set_back_an_hour_costs_no_open_connection_and_no_limit_of_theirs() {
    let world = World::new();
    let (backend, target) = listener().await;
    let (_writer, source) = world.party(SERVER);
    let limits = Limits { lifetime: 2 * HOUR, ..Limits::default() };
    let app = app(ServerConfig { limits, ..world.server(target) }, source).await.unwrap();
    let address = app.address().unwrap();
    beside(app, &world.clock, async {
        let stream = dial(address).await;
        let mut caller = world.connector(CLIENT, SERVER).connect(stream, name()).await.unwrap().stream;
        let (mut served, _) = backend.accept().await.unwrap();
        world.hand.set(start() - HOUR);
        settle().await;
        assert!(passes(&mut caller, &mut served).await);
        // By the wall clock an hour has passed, and no span has.
        world.hand.set(start());
        settle().await;
        assert!(passes(&mut caller, &mut served).await);
    })
    .await;
}

#[tokio::test]
async fn clock_that_is_set_back_an_hour_refuses_who_is_not_valid_yet_and_lets_them_in_when_it_is_right() {
    let world = World::new();
    let (backend, target) = listener().await;
    let (_writer, source) = world.party(SERVER);
    let app = app(world.server(target), source).await.unwrap();
    let address = app.address().unwrap();
    beside(app, &world.clock, async {
        world.hand.set(start() - HOUR);
        let connector = world.connector(CLIENT, SERVER);
        assert!(connector.connect(dial(address).await, name()).await.is_err());
        world.hand.set(start());
        assert!(connector.connect(dial(address).await, name()).await.is_ok());
        backend.accept().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn clock_that_jumps_ahead_past_our_svid_closes_and_refuses_until_the_next_one_comes() {
    let world = World::new();
    let (backend, target) = listener().await;
    let (writer, source) = world.party(SERVER);
    let app = app(world.server(target), source).await.unwrap();
    let address = app.address().unwrap();
    beside(app, &world.clock, async {
        let knock = async || {
            let connector = world.connector_now(CLIENT, SERVER);
            connector.connect(dial(address).await, name()).await
        };
        let mut open = knock().await.unwrap().stream;
        let _served = backend.accept().await.unwrap();
        world.hand.set(start() + HOUR);
        assert!(open.read_u8().await.is_err());
        assert!(knock().await.is_err());
        world.publish(&writer, SERVER);
        let mut caller = knock().await.unwrap().stream;
        let (mut served, _) = backend.accept().await.unwrap();
        assert!(passes(&mut caller, &mut served).await);
    })
    .await;
}

/// Files hold certificates of a PKI, whose holders are not closed when they merely expire.
#[tokio::test]
async fn clock_that_jumps_ahead_and_back_costs_a_connection_of_files_nothing_unless_it_is_to_end_with_its_peer()
 {
    for (close_on_expiry, lives) in [(false, true), (true, false)] {
        let web = Web::new();
        let (backend, target) = listener().await;
        let peers = PeerFlags { close_on_expiry, ..PeerFlags::default() };
        let front = web.server_app(ServerConfig { peers, ..web.server(target, "client") }).await;
        let back = build(web.client(front.address().unwrap()), &web.clock).await.unwrap();
        let address = back.address().unwrap();
        let test = async {
            let mut caller = dial(address).await;
            caller.write_all(b"!").await.unwrap();
            let (mut served, _) = backend.accept().await.unwrap();
            assert_eq!(served.read_u8().await.unwrap(), b'!');
            web.hand.set(start() + SVID_TTL + Duration::from_secs(1));
            settle().await;
            web.hand.set(start());
            if lives {
                served.write_all(b"!").await.unwrap();
                assert_eq!(caller.read_u8().await.unwrap(), b'!');
            } else {
                assert!(caller.read_u8().await.is_err());
            }
        };
        beside(front, &web.clock, beside(back, &web.clock, test)).await;
    }
}
