//! Trust that ends while a connection is open: the peer revoked, expired, or its root gone, and our own identity gone.

use std::fs;
use std::time::Duration;

use finial_daemon::ClockHand;
use finial_receive::testing::{SVID_TTL, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::web::Web;
use crate::fixtures::{SERVER, World, app, beside, dial, listener};
use crate::{ClientConfig, PeerFlags, ProxyError, ServerConfig, build};

const SECOND: Duration = Duration::from_secs(1);

impl Web {
    /// Makes a list of what is revoked, fresh for as long as the tests last.
    fn revoke(&self, names: &[&str]) {
        let leaves: Vec<_> = names.iter().map(|name| self.leaf(name)).collect();
        let list = self.authority.revocation_list(&leaves.iter().collect::<Vec<_>>(), start() + 2 * SVID_TTL);
        fs::write(self.path("revoked.crl"), list).unwrap();
    }

    fn held_to_list(&self, config: ServerConfig) -> ServerConfig {
        let revocation_lists = vec![self.path("revoked.crl")];
        ServerConfig { peers: PeerFlags { revocation_lists, ..PeerFlags::default() }, ..config }
    }
}

/// A connection that was opened through both proxies is cut at its two ends within five seconds of `change`.
async fn cut(
    web: &Web,
    server: ServerConfig,
    client: impl FnOnce(ClientConfig) -> ClientConfig,
    backend: &TcpListener,
    change: impl FnOnce(),
) {
    let front = web.server_app(server).await;
    let client = client(web.client(front.address().unwrap()));
    let back = build(client, &web.clock).await.unwrap();
    let address = back.address().unwrap();
    let test = async {
        let mut caller = dial(address).await;
        caller.write_all(b"!").await.unwrap();
        let (mut stream, _) = backend.accept().await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'!');
        change();
        let ended = async {
            assert!(stream.read_u8().await.is_err());
            assert!(caller.read_u8().await.is_err());
        };
        tokio::select! {
            () = ended => {}
            () = seconds(&web.hand, 5) => panic!("still open after five seconds"),
        }
    };
    beside(front, &web.clock, beside(back, &web.clock, test)).await;
}

/// Lets seconds pass, and in each of them whoever has something to do.
async fn seconds(hand: &ClockHand, count: u32) {
    for _ in 0..count {
        settle().await;
        hand.step(SECOND);
    }
    settle().await;
}

/// Long enough for files to be looked at and read, and for connections to end.
async fn settle() {
    for _ in 0..20 {
        tokio::task::spawn_blocking(|| {}).await.unwrap();
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn open_connection_is_cut_within_five_seconds_when_a_list_names_the_client() {
    let web = Web::new();
    let (backend, target) = listener().await;
    web.revoke(&[]);
    let server = web.held_to_list(web.server(target, "client"));
    cut(&web, server, |client| client, &backend, || web.revoke(&["client"])).await;
}

#[tokio::test]
async fn open_connection_is_cut_within_five_seconds_when_a_list_names_the_server() {
    let web = Web::new();
    let (backend, target) = listener().await;
    web.revoke(&[]);
    let peers = PeerFlags { revocation_lists: vec![web.path("revoked.crl")], ..PeerFlags::default() };
    let client = |client| ClientConfig { peers, ..client };
    cut(&web, web.server(target, "client"), client, &backend, || web.revoke(&["server"])).await;
}

#[tokio::test]
async fn open_connection_is_cut_within_five_seconds_when_its_root_leaves_the_file_and_nobody_tells() {
    let web = Web::new();
    let (backend, target) = listener().await;
    let other = finial_receive::testing::Authority::new("example.org").bundle().to_pem();
    let change = || fs::write(web.path("ca.pem"), &other).unwrap();
    cut(&web, web.server(target, "client"), |client| client, &backend, change).await;
}

#[tokio::test]
async fn open_connection_is_cut_within_five_seconds_of_the_end_of_the_clients_certificate() {
    let web = Web::new();
    let (backend, target) = listener().await;
    let peers = PeerFlags { close_on_expiry: true, ..PeerFlags::default() };
    let server = ServerConfig { peers, ..web.server(target, "client") };
    cut(&web, server, |client| client, &backend, || web.hand.step(SVID_TTL)).await;
}

#[tokio::test]
async fn list_that_cannot_be_read_keeps_a_proxy_from_starting() {
    let web = Web::new();
    let (_backend, target) = listener().await;
    let error = build(web.held_to_list(web.server(target, "client")), &web.clock).await.unwrap_err();
    assert!(matches!(error, ProxyError::RevocationLists(_)), "{error:?}");
    fs::write(web.path("revoked.crl"), "").unwrap();
    let error = build(web.held_to_list(web.server(target, "client")), &web.clock).await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.ends_with("revoked.crl holds no revocation list that can be used"), "{cause}");
}

#[tokio::test]
async fn nothing_new_is_accepted_when_our_own_identity_is_gone_and_all_is_well_when_it_is_back() {
    let world = World::new();
    let (backend, target) = listener().await;
    let (writer, source) = world.party(SERVER);
    let app = app(world.server(target), source).await.unwrap();
    let address = app.address().unwrap();
    let connector = world.connector(crate::fixtures::CLIENT, SERVER);
    let knock = async || connector.connect(dial(address).await, crate::fixtures::name()).await;
    beside(app, &world.clock, async {
        assert!(knock().await.is_ok());
        backend.accept().await.unwrap();
        writer.withdraw("the entry was deleted");
        assert!(knock().await.is_err());
        world.publish(&writer, SERVER);
        assert!(knock().await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn nothing_new_is_dialled_when_our_own_identity_is_gone() {
    let world = World::new();
    let (target, address) = listener().await;
    let (writer, source) = world.party(crate::fixtures::CLIENT);
    let app = app(world.client(address), source).await.unwrap();
    let listening = app.address().unwrap();
    beside(app, &world.clock, async {
        writer.withdraw("the entry was deleted");
        let mut caller = dial(listening).await;
        caller.write_all(b"!").await.unwrap();
        let (mut stream, _) = target.accept().await.unwrap();
        // Not even a ClientHello.
        assert!(stream.read_u8().await.is_err());
        assert!(caller.read_u8().await.is_err());
    })
    .await;
}

#[tokio::test]
async fn agent_that_is_gone_for_an_hour_costs_nothing_until_the_svid_expires_and_nothing_after_it_is_back() {
    let world = World::new();
    let (backend, target) = listener().await;
    let (writer, source) = world.party(SERVER);
    let app = app(world.server(target), source).await.unwrap();
    let address = app.address().unwrap();
    beside(app, &world.clock, async {
        // The client renews meanwhile; only the server's agent is away.
        let knock = async || {
            let connector = world.connector_now(crate::fixtures::CLIENT, SERVER);
            connector.connect(dial(address).await, crate::fixtures::name()).await
        };
        let mut open = knock().await.unwrap().stream;
        let (mut stream, _) = backend.accept().await.unwrap();
        world.hand.step(SVID_TTL - SECOND);
        assert!(knock().await.is_ok());
        backend.accept().await.unwrap();
        open.write_all(b"!").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'!');
        world.hand.step(SECOND);
        assert!(stream.read_u8().await.is_err());
        assert!(knock().await.is_err());
        world.publish(&writer, SERVER);
        assert!(knock().await.is_ok());
    })
    .await;
}
