//! A configuration file that changes under open connections.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use finial_receive::SourceWriter;
use rustls_pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;

use crate::fixtures::{
    AGENT, CLIENT, SERVER, STRANGER, World, app_of_file, beside, dial, listener, name, read_to_end,
};
use crate::{App, Reloader};

/// A file with listeners, and the identity that they present.
struct House {
    world: World,
    folder: TempDir,
    writer: Option<SourceWriter>,
}

impl House {
    fn new() -> Self {
        Self { world: World::new(), folder: TempDir::new().unwrap(), writer: None }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("proxy.conf")
    }

    fn write(&self, blocks: &str) {
        fs::write(self.path(), format!("use_workload_api_addr = \"{AGENT}\"\n{blocks}")).unwrap();
    }

    async fn app(&mut self) -> App {
        let (writer, source) = self.world.party(SERVER);
        self.writer = Some(writer);
        app_of_file(&self.path(), source).await.unwrap()
    }

    async fn connect(&self, own: &str, address: SocketAddr) -> Option<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await.ok()?;
        let secured = self.world.connector(own, SERVER).connect(stream, name()).await.ok()?;
        Some(secured.stream)
    }

    /// Whether a caller reaches this backend.
    async fn reaches(&self, own: &str, address: SocketAddr, backend: &TcpListener) -> bool {
        let call = async {
            let mut stream = self.connect(own, address).await?;
            stream.read_u8().await.ok()
        };
        tokio::pin!(call);
        loop {
            tokio::select! {
                said = &mut call => return said == Some(b'!'),
                accepted = backend.accept() => accepted.unwrap().0.write_all(b"!").await.unwrap(),
            }
        }
    }
}

fn server(name: &str, target: SocketAddr, allow: &str) -> String {
    format!(
        "server \"{name}\" {{\n listen = \"127.0.0.1:0\"\n target = \"{target}\"\n allow_uri = \"{allow}\"\n}}\n"
    )
}

/// Asks for the file to be read again, and waits until that has happened.
pub(super) async fn reload(reloader: &Reloader) {
    let reloads = reloader.reloads();
    let before = (reloads.applied(), reloads.refused());
    reloader.reload();
    while (reloads.applied(), reloads.refused()) == before {
        tokio::task::yield_now().await;
    }
}

/// Both ways through an open connection.
pub(super) async fn passes(caller: &mut TlsStream<TcpStream>, served: &mut TcpStream) -> bool {
    let there = async { caller.write_all(b"?").await.is_ok() && served.read_u8().await.is_ok() }.await;
    there && served.write_all(b"!").await.is_ok() && caller.read_u8().await.is_ok()
}

#[tokio::test]
async fn one_process_has_many_listeners_each_with_its_own_rules_and_target() {
    let mut house = House::new();
    let ((one, first), (two, second)) = (listener().await, listener().await);
    house.write(&(server("one", first, CLIENT) + &server("two", second, STRANGER)));
    let app = house.app().await;
    let (a, b) = (app.address_of("one").unwrap(), app.address_of("two").unwrap());
    beside(app, &house.world.clock, async {
        assert!(house.reaches(CLIENT, a, &one).await);
        assert!(house.reaches(STRANGER, b, &two).await);
        assert!(!house.reaches(STRANGER, a, &one).await);
        assert!(!house.reaches(CLIENT, b, &two).await);
    })
    .await;
}

#[tokio::test]
async fn an_unchanged_listener_keeps_its_socket_and_its_connections() {
    let mut house = House::new();
    let (backend, target) = listener().await;
    let same = server("same", target, CLIENT);
    house.write(&(same.clone() + &server("other", target, CLIENT)));
    let app = house.app().await;
    let (address, reloader) = (app.address_of("same").unwrap(), app.reloader());
    beside(app, &house.world.clock, async {
        let mut open = house.connect(CLIENT, address).await.unwrap();
        let (mut served, _) = backend.accept().await.unwrap();
        house.write(&(server("third", target, STRANGER) + &same));
        reload(&reloader).await;
        assert_eq!((reloader.reloads().applied(), reloader.refused_configurations()), (1, 0));
        assert!(passes(&mut open, &mut served).await);
        assert!(house.reaches(CLIENT, address, &backend).await);
    })
    .await;
}

#[tokio::test]
async fn a_new_target_is_for_new_connections_and_open_ones_stay_at_the_old() {
    let mut house = House::new();
    let ((before, old), (after, new)) = (listener().await, listener().await);
    house.write(&server("moves", old, CLIENT));
    let app = house.app().await;
    let (address, reloader) = (app.address().unwrap(), app.reloader());
    beside(app, &house.world.clock, async {
        let mut open = house.connect(CLIENT, address).await.unwrap();
        let (mut served, _) = before.accept().await.unwrap();
        house.write(&server("moves", new, CLIENT));
        reload(&reloader).await;
        assert!(house.reaches(CLIENT, address, &after).await);
        assert!(passes(&mut open, &mut served).await);
    })
    .await;
}

#[tokio::test]
async fn connections_whose_peer_the_new_rules_do_not_permit_are_closed_and_the_others_stay() {
    let mut house = House::new();
    let (backend, target) = listener().await;
    house.write(&server("gate", target, "spiffe://example.org/**"));
    let app = house.app().await;
    let (address, reloader) = (app.address().unwrap(), app.reloader());
    beside(app, &house.world.clock, async {
        let mut stranger = house.connect(STRANGER, address).await.unwrap();
        let _served = backend.accept().await.unwrap();
        let mut client = house.connect(CLIENT, address).await.unwrap();
        let (mut served, _) = backend.accept().await.unwrap();
        house.write(&server("gate", target, CLIENT));
        reload(&reloader).await;
        assert!(stranger.read_u8().await.is_err());
        assert!(passes(&mut client, &mut served).await);
        assert!(!house.reaches(STRANGER, address, &backend).await);
    })
    .await;
}

#[tokio::test]
async fn callers_who_presented_nothing_are_closed_when_certificates_are_asked_for() {
    let mut house = House::new();
    let (backend, target) = listener().await;
    let open_to_all = format!(
        "server \"gate\" {{\n listen = \"127.0.0.1:0\"\n target = \"{target}\"\n disable_authentication = true\n}}"
    );
    house.write(&open_to_all);
    let app = house.app().await;
    let (address, reloader) = (app.address().unwrap(), app.reloader());
    beside(app, &house.world.clock, async {
        let anybody = house.world.connector(CLIENT, SERVER).without_credential();
        let server = ServerName::try_from("server.test").unwrap();
        let mut nobody = anybody.connect(dial(address).await, server).await.unwrap().stream;
        let (_served, _) = backend.accept().await.unwrap();
        house.write(&server_of_all(target));
        reload(&reloader).await;
        assert!(nobody.read_u8().await.is_err());
    })
    .await;
}

fn server_of_all(target: SocketAddr) -> String {
    server("gate", target, "spiffe://example.org/**")
}

#[tokio::test]
async fn a_removed_listener_accepts_no_more_and_drains() {
    let mut house = House::new();
    let (backend, target) = listener().await;
    house.write(&(server("stays", target, CLIENT) + &server("goes", target, CLIENT)));
    let app = house.app().await;
    let (address, reloader) = (app.address_of("goes").unwrap(), app.reloader());
    beside(app, &house.world.clock, async {
        let mut open = house.connect(CLIENT, address).await.unwrap();
        let (mut served, _) = backend.accept().await.unwrap();
        house.write(&server("stays", target, CLIENT));
        reload(&reloader).await;
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert!(passes(&mut open, &mut served).await);
        open.shutdown().await.unwrap();
        assert_eq!(read_to_end(&mut served).await.unwrap(), "");
    })
    .await;
}

#[tokio::test]
async fn an_added_listener_is_bound() {
    let mut house = House::new();
    let (backend, target) = listener().await;
    house.write(&server("first", target, CLIENT));
    let app = house.app().await;
    let reloader = app.reloader();
    let (free, address) = listener().await;
    drop(free);
    beside(app, &house.world.clock, async {
        let added = server("added", target, CLIENT).replace("127.0.0.1:0", &address.to_string());
        house.write(&(server("first", target, CLIENT) + &added));
        reload(&reloader).await;
        assert!(house.reaches(CLIENT, address, &backend).await);
    })
    .await;
}

#[tokio::test]
async fn a_broken_file_changes_nothing_and_is_counted() {
    let mut house = House::new();
    let (backend, target) = listener().await;
    let (_taken, in_use) = listener().await;
    let good = server("good", target, CLIENT);
    house.write(&good);
    let app = house.app().await;
    let (address, reloader) = (app.address().unwrap(), app.reloader());
    let taken = server("taken", target, CLIENT).replace("127.0.0.1:0", &in_use.to_string());
    let no_pair = "server \"files\" {\n listen = \"127.0.0.1:0\"\n target = \"localhost:1\"\n allow_all = true\n keystore = \"/nowhere.pem\"\n}";
    beside(app, &house.world.clock, async {
        let mut open = house.connect(CLIENT, address).await.unwrap();
        let (mut served, _) = backend.accept().await.unwrap();
        let broken = [
            String::new(),
            "server {".to_owned(),
            good.replace("allow_uri", "allow_url"),
            server("good", target, STRANGER) + &taken,
            server("good", target, STRANGER) + no_pair,
        ];
        for (count, text) in (1..).zip(&broken) {
            house.write(text);
            reload(&reloader).await;
            assert_eq!(reloader.refused_configurations(), count, "{text}");
            assert!(passes(&mut open, &mut served).await);
            assert!(house.reaches(CLIENT, address, &backend).await);
            assert!(!house.reaches(STRANGER, address, &backend).await);
        }
        fs::remove_file(house.path()).unwrap();
        reload(&reloader).await;
        assert_eq!(reloader.refused_configurations(), 6);
        house.write(&good);
        reload(&reloader).await;
        assert_eq!((reloader.reloads().applied(), reloader.refused_configurations()), (1, 6));
    })
    .await;
}

#[tokio::test]
async fn callers_in_the_backlog_are_served_after_a_reload() {
    let mut house = House::new();
    let ((before, old), (after, new)) = (listener().await, listener().await);
    let narrow =
        |target| server("gate", target, CLIENT).replace("allow_uri", "max_concurrent_conns = 1\n allow_uri");
    house.write(&narrow(old));
    let app = house.app().await;
    let (address, reloader) = (app.address().unwrap(), app.reloader());
    beside(app, &house.world.clock, async {
        let _full = house.connect(CLIENT, address).await.unwrap();
        let _served = before.accept().await.unwrap();
        let mut queued = Vec::new();
        for _ in 0..16 {
            queued.push(dial(address).await);
        }
        house.write(&server("gate", new, CLIENT));
        reload(&reloader).await;
        for stream in queued {
            let connector = house.world.connector(CLIENT, SERVER);
            let mut stream = connector.connect(stream, name()).await.unwrap().stream;
            let (mut served, _) = after.accept().await.unwrap();
            assert!(passes(&mut stream, &mut served).await);
        }
    })
    .await;
}

#[tokio::test]
async fn an_agent_that_is_silent_holds_up_no_later_request() {
    let mut house = House::new();
    let (backend, target) = listener().await;
    house.write(&server("gate", target, CLIENT));
    let app = house.app().await;
    let (address, reloader) = (app.address().unwrap(), app.reloader());
    beside(app, &house.world.clock, async {
        let silent = server("silent", target, CLIENT)
            .replace("allow_uri", "use_workload_api_addr = \"unix:///silent/agent.sock\"\n allow_uri");
        house.write(&(server("gate", target, STRANGER) + &silent));
        reloader.reload();
        assert!(house.reaches(CLIENT, address, &backend).await);
        house.write(&server("gate", target, STRANGER));
        reload(&reloader).await;
        assert!(house.reaches(STRANGER, address, &backend).await);
        assert_eq!((reloader.reloads().applied(), reloader.refused_configurations()), (1, 0));
    })
    .await;
}

/// Each reload takes another target, while callers come and go.
#[tokio::test]
async fn no_caller_fails_under_load_while_the_file_is_read_again() {
    let mut house = House::new();
    let ((one, first), (two, second)) = (listener().await, listener().await);
    house.write(&server("gate", first, CLIENT));
    let app = house.app().await;
    let (address, reloader) = (app.address().unwrap(), app.reloader());
    beside(app, &house.world.clock, async {
        let calls = async {
            for _ in 0..200 {
                let mut stream = house.connect(CLIENT, address).await.unwrap();
                assert_eq!(stream.read_u8().await.unwrap(), b'!');
            }
        };
        let serve = async {
            loop {
                let (mut stream, _) = tokio::select! {
                    accepted = one.accept() => accepted.unwrap(),
                    accepted = two.accept() => accepted.unwrap(),
                };
                stream.write_all(b"!").await.unwrap();
            }
        };
        let change = async {
            for target in [second, first].into_iter().cycle() {
                house.write(&server("gate", target, CLIENT));
                reload(&reloader).await;
            }
        };
        tokio::select! {
            () = calls => {}
            () = serve => {}
            () = change => {}
        }
        assert!(reloader.reloads().applied() > 10);
        assert_eq!(reloader.refused_configurations(), 0);
    })
    .await;
}

#[tokio::test]
async fn who_was_let_say_anything_is_closed_when_the_backend_is_told_who_asks() {
    let mut house = House::new();
    let (backend, target) = listener().await;
    house.write(&server("gate", target, CLIENT));
    let app = house.app().await;
    let (address, reloader) = (app.address().unwrap(), app.reloader());
    beside(app, &house.world.clock, async {
        let mut open = house.connect(CLIENT, address).await.unwrap();
        let _served = backend.accept().await.unwrap();
        house.write(&server("gate", target, CLIENT).replace("}", " identity_header = true\n}"));
        reload(&reloader).await;
        assert!(open.read_u8().await.is_err());
        let mut caller = house.connect(CLIENT, address).await.unwrap();
        caller.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nX-Spiffe-Id: forged\r\n\r\n").await.unwrap();
        let (mut served, _) = backend.accept().await.unwrap();
        let mut heard = Vec::new();
        while !heard.ends_with(b"\r\n\r\n") {
            heard.push(served.read_u8().await.unwrap());
        }
        let heard = String::from_utf8(heard).unwrap();
        assert!(
            heard.contains(&format!("\r\nx-spiffe-id: {CLIENT}\r\n")) && !heard.contains("forged"),
            "{heard}"
        );
    })
    .await;
}
