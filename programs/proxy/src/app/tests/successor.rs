//! A listener whose identity comes from elsewhere after a reload: its open connections are judged by the trust there.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use finial_daemon::Clock;
use finial_receive::testing::Authority;
use finial_receive::{Source, SourceWriter};
use rustls_pki_types::CertificateDer;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;

use super::reload::{passes, reload};
use super::web::Web;
use crate::fixtures::{AGENT, CLIENT, SERVER, STRANGER, World, app_of_agents, beside, dial, listener, name};
use crate::{App, build, build_file};

/// Another agent of the same machine.
const OTHER: &str = "unix:///elsewhere/agent.sock";

/// A listener in a file, and two agents that it may have its identity from.
struct Agents {
    world: World,
    folder: TempDir,
    backend: TcpListener,
    target: SocketAddr,
}

impl Agents {
    async fn new() -> Self {
        let (backend, target) = listener().await;
        let house = Self { world: World::new(), folder: TempDir::new().unwrap(), backend, target };
        house.write(AGENT, "");
        house
    }

    fn write(&self, agent: &str, more: &str) {
        self.write_below("", agent, more);
    }

    fn write_status(&self, agent: &str) {
        self.write_below("status = \"127.0.0.1:0\"\n", agent, "");
    }

    fn write_below(&self, top: &str, agent: &str, more: &str) {
        let target = self.target;
        let text = format!(
            "{top}use_workload_api_addr = \"{agent}\"\nuse_workload_api_timeout = \"5s\"\nserver \"gate\" {{\n \
             listen = \"127.0.0.1:0\"\n target = \"{target}\"\n allow_uri = \"{CLIENT}\"\n{more}}}\n"
        );
        fs::write(self.folder.path().join("proxy.conf"), text).unwrap();
    }

    async fn app(&self, first: &Source, other: &Source) -> App {
        let path = self.folder.path().join("proxy.conf");
        app_of_agents(&path, (AGENT, first.clone()), &[(OTHER, other.clone())]).await.unwrap()
    }

    /// A source of the agent that is asked later.
    fn other(&self, authority: &Authority, id: &str) -> (SourceWriter, Source) {
        let (writer, source) = Source::channel(&self.world.clock);
        writer.publish(vec![authority.credential(id)], authority.bundles()).unwrap();
        (writer, source)
    }

    /// A connection to the backend, and the certificate that the proxy presents.
    async fn open(&self, address: SocketAddr) -> (TlsStream<TcpStream>, TcpStream, CertificateDer<'static>) {
        let connector = self.world.connector(CLIENT, SERVER);
        let caller = connector.connect(dial(address).await, name()).await.unwrap();
        let presented = caller.peer.svid().chain()[0].clone();
        (caller.stream, self.backend.accept().await.unwrap().0, presented)
    }
}

#[tokio::test]
async fn connection_lives_on_when_another_agent_gives_the_same_id_and_trust() {
    let house = Agents::new().await;
    let (first_writer, first) = house.world.party(SERVER);
    let (other_writer, other) = house.world.party(SERVER);
    let app = house.app(&first, &other).await;
    let (address, reloader) = (app.address().unwrap(), app.reloader());
    beside(app, &house.world.clock, async {
        let (mut caller, mut served, before) = house.open(address).await;
        house.write(OTHER, "");
        reload(&reloader).await;
        assert_eq!(reloader.refused_configurations(), 0);
        assert!(passes(&mut caller, &mut served).await);
        let (_caller, _served, after) = house.open(address).await;
        assert_eq!(after, other.credential().unwrap().svid().chain()[0]);
        assert_ne!(before, after);
        // What the agent of before says counts no more.
        first_writer.withdraw("the entry was deleted");
        assert!(passes(&mut caller, &mut served).await);
        other_writer.withdraw("the entry was deleted");
        assert!(caller.read_u8().await.is_err());
    })
    .await;
}

#[tokio::test]
async fn status_presents_what_the_listener_presents_now() {
    let house = Agents::new().await;
    let (_first, first) = house.world.party(SERVER);
    let (_other, other) = house.world.party(STRANGER);
    house.write_status(AGENT);
    let app = house.app(&first, &other).await;
    let (address, reloader) = (app.status_address().unwrap(), app.reloader());
    let presents = async |id: &str| {
        let connector = house.world.connector(CLIENT, id).without_credential();
        connector.connect(dial(address).await, name()).await.is_ok()
    };
    beside(app, &house.world.clock, async {
        assert!(presents(SERVER).await);
        house.write_status(OTHER);
        reload(&reloader).await;
        assert!(presents(STRANGER).await && !presents(SERVER).await);
    })
    .await;
}

#[tokio::test]
async fn connection_ends_when_another_agent_does_not_vouch_for_its_peer() {
    let house = Agents::new().await;
    let authority = Authority::new("example.org");
    let (_first, first) = house.world.party(SERVER);
    let (_other, other) = house.other(&authority, SERVER);
    let app = house.app(&first, &other).await;
    let (address, reloader) = (app.address().unwrap(), app.reloader());
    beside(app, &house.world.clock, async {
        let (mut caller, _served, _) = house.open(address).await;
        house.write(OTHER, "");
        reload(&reloader).await;
        // No time passes.
        assert!(caller.read_u8().await.is_err());
    })
    .await;
}

#[tokio::test]
async fn connection_ends_when_another_agent_gives_another_id() {
    let house = Agents::new().await;
    let (_first, first) = house.world.party(SERVER);
    let (_other, other) = house.world.party(STRANGER);
    let app = house.app(&first, &other).await;
    let (address, reloader) = (app.address().unwrap(), app.reloader());
    beside(app, &house.world.clock, async {
        let (mut caller, _served, _) = house.open(address).await;
        house.write(OTHER, "");
        reload(&reloader).await;
        assert!(caller.read_u8().await.is_err());
    })
    .await;
}

#[tokio::test]
async fn everything_goes_on_when_another_agent_gives_nothing_in_time() {
    let house = Agents::new().await;
    let (_first, first) = house.world.party(SERVER);
    let (_silent, silent) = Source::channel(&house.world.clock);
    let app = house.app(&first, &silent).await;
    let (address, reloader) = (app.address().unwrap(), app.reloader());
    beside(app, &house.world.clock, async {
        let (mut caller, mut served, before) = house.open(address).await;
        house.write(OTHER, "");
        reloader.reload();
        let refused = async {
            while reloader.refused_configurations() == 0 {
                tokio::task::yield_now().await;
            }
        };
        let time = async {
            let real = Clock::system();
            loop {
                // As fast as it can, an hour would pass, and every SVID end, before the reload begins to wait.
                real.sleep(Duration::from_millis(5)).await;
                house.world.hand.step(Duration::from_secs(1));
            }
        };
        tokio::select! {
            () = refused => {}
            () = time => {}
        }
        assert!(passes(&mut caller, &mut served).await);
        assert_eq!(house.open(address).await.2, before);
    })
    .await;
}

#[tokio::test]
async fn listener_that_leaves_spiffe_keeps_nobody_of_it() {
    let house = Agents::new().await;
    let (_first, first) = house.world.party(SERVER);
    let app = house.app(&first, &first).await;
    let (address, reloader) = (app.address().unwrap(), app.reloader());
    let web = Web::new();
    beside(app, &house.world.clock, async {
        let (mut caller, _served, _) = house.open(address).await;
        let path = |name: &str| web.path(name).display().to_string();
        let files = format!(
            " cert = \"{}\"\n key = \"{}\"\n cacert = \"{}\"\n",
            path("server.pem"),
            path("server.key"),
            path("ca.pem")
        );
        house.write(AGENT, &files);
        reload(&reloader).await;
        assert_eq!(reloader.refused_configurations(), 0);
        assert!(caller.read_u8().await.is_err());
    })
    .await;
}

/// A caller through both proxies, of which the server's is of a file that changes while the connection is open.
async fn through_files(change: impl FnOnce(&Web) -> String, refused: u64, lives: bool) {
    let web = Web::new();
    let (backend, target) = listener().await;
    let path = web.path("proxy.conf");
    fs::write(&path, web_listener(&web, target, ["server", "ca"], "")).unwrap();
    let front = build_file(&path, None, &web.clock).await.unwrap();
    let reloader = front.reloader();
    let back = build(web.client(front.address().unwrap()), &web.clock).await.unwrap();
    let address = back.address().unwrap();
    let test = async {
        let mut caller = dial(address).await;
        caller.write_all(b"!").await.unwrap();
        let (mut served, _) = backend.accept().await.unwrap();
        assert_eq!(served.read_u8().await.unwrap(), b'!');
        fs::write(&path, change(&web).replace("TARGET", &target.to_string())).unwrap();
        reload(&reloader).await;
        assert_eq!(reloader.refused_configurations(), refused);
        if lives {
            served.write_all(b"!").await.unwrap();
            assert_eq!(caller.read_u8().await.unwrap(), b'!');
        } else {
            assert!(served.read_u8().await.is_err());
            assert!(caller.read_u8().await.is_err());
        }
    };
    beside(front, &web.clock, beside(back, &web.clock, test)).await;
}

fn web_listener(web: &Web, target: impl std::fmt::Display, [pair, roots]: [&str; 2], more: &str) -> String {
    let path = |name: &str, extension: &str| web.path(&format!("{name}.{extension}")).display().to_string();
    format!(
        "cert = \"{}\"\nkey = \"{}\"\ncacert = \"{}\"\nserver \"gate\" {{\n listen = \"127.0.0.1:0\"\n \
         target = \"{target}\"\n allow_cn = \"client\"\n{more}}}\n",
        path(pair, "pem"),
        path(pair, "key"),
        path(roots, "pem"),
    )
}

#[tokio::test]
async fn connection_lives_on_when_other_files_hold_another_certificate_and_the_same_root() {
    let change = |web: &Web| {
        fs::copy(web.path("ca.pem"), web.path("same.pem")).unwrap();
        web_listener(web, "TARGET", ["other", "same"], "")
    };
    through_files(change, 0, true).await;
}

#[tokio::test]
async fn connection_ends_when_another_file_holds_another_root() {
    let change = |web: &Web| {
        fs::write(web.path("alien.pem"), Authority::new("example.org").bundle().to_pem()).unwrap();
        web_listener(web, "TARGET", ["server", "alien"], "")
    };
    through_files(change, 0, false).await;
}

#[tokio::test]
async fn connection_ends_when_a_list_that_is_new_in_the_configuration_names_its_peer() {
    let change = |web: &Web| {
        let list = web.authority.revocation_list(
            &[&web.leaf("client")],
            finial_receive::testing::start() + finial_receive::testing::SVID_TTL,
        );
        fs::write(web.path("revoked.crl"), list).unwrap();
        let crl = format!(" crl = \"{}\"\n", web.path("revoked.crl").display());
        web_listener(web, "TARGET", ["server", "ca"], &crl)
    };
    through_files(change, 0, false).await;
}

#[tokio::test]
async fn everything_goes_on_when_other_files_are_broken() {
    let change = |web: &Web| {
        fs::write(web.path("broken.pem"), "").unwrap();
        web_listener(web, "TARGET", ["broken", "ca"], "")
    };
    through_files(change, 1, true).await;
}
