//! A program that talks with another through two proxies, while both are given one SVID after the other: it notices
//! nothing. Every byte is compared, and nothing may end but in order.
//!
//! Some rotations in `make test`; 1,000 with `FINIAL_SOAK=1`, as `make soak` sets.

use std::process::Command;
use std::time::Duration;

use finial_daemon::{Clock, Tasks};
use finial_receive::{Endpoint, Source};
use finial_testkit::{Process, finial, free_port};
use finial_tls::{Connector, Policy};
use futures_util::future::join_all;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::agent::{Agent, Authorities};

/// Rotations: (in `make test`, in `make soak`).
const ROTATIONS: (usize, usize) = (60, 1_000);
/// So often a new authority joins the bundle, and signs from then on.
const NEW_AUTHORITY: usize = 20;
/// Programs that come and go, and programs that stay connected all the time.
const CALLERS: usize = 4;
const STAYERS: usize = 4;
/// Conversations from one rotation to the next.
const BETWEEN: u64 = 8;
const LIMIT: Duration = Duration::from_secs(300);

const SERVER: &str = "spiffe://example.org/server";
const CLIENT: &str = "spiffe://example.org/client";
const WITNESS: &str = "spiffe://example.org/witness";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotations_under_load_break_no_connection_and_no_byte() {
    let (clock, folder) = (Clock::system(), TempDir::new().unwrap());
    let tasks = Tasks::new(clock.clone());
    let mut authorities = Authorities::new();
    let serve = |id| Agent::serve(id, &authorities, &folder.path().join(id.replace('/', ".")), &tasks);
    let agents = [SERVER, CLIENT, WITNESS].map(serve);
    let (front, back, backend) = (free_port(), free_port(), echo(&tasks).await);
    let mut server =
        proxy("server", &agents[0], (back, backend), &["--allow-uri", CLIENT, "--allow-uri", WITNESS]);
    let mut client = proxy("client", &agents[1], (front, back), &["--verify-uri", SERVER]);
    tokio::task::block_in_place(|| {
        [&mut server, &mut client].map(|it| it.wait_for_log("listening for connections"))
    });

    let progress = watch::Sender::new((0, false));
    let rotating = async {
        for rotation in 0..if std::env::var_os("FINIAL_SOAK").is_some() { ROTATIONS.1 } else { ROTATIONS.0 } {
            if rotation % NEW_AUTHORITY == NEW_AUTHORITY - 1 {
                // Known to all before anything that it has signed is shown.
                authorities.add();
                agents.iter().for_each(|agent| agent.learn(&authorities));
                talked(&progress).await;
                authorities.activate();
            }
            agents.iter().for_each(|agent| agent.rotate(&authorities));
            talked(&progress).await;
        }
        progress.send_modify(|(_, over)| *over = true);
    };
    let callers = join_all((0..CALLERS).map(|seed| come_and_go(front, seed, &progress)));
    let stayers = join_all((0..STAYERS).map(|seed| stay(front, seed, &progress)));
    let all = async { tokio::join!(rotating, callers, stayers) };
    Box::pin(clock.timeout(LIMIT, all)).await.expect("everybody talks on");

    let witness = Source::from_workload_api(&Endpoint::Unix(agents[2].socket.clone()), &clock, &tasks);
    witness.ready().await.unwrap();
    let connector = Connector::new(&witness, Policy::ids([SERVER.parse().unwrap()]));
    let stream = TcpStream::connect(("127.0.0.1", back)).await.unwrap();
    let secured = connector.connect(stream, "localhost".try_into().unwrap()).await.unwrap();
    assert_eq!(
        secured.peer.svid().serial_number(),
        agents[0].serial_number(),
        "the last SVID is the one in use"
    );
    for log in [server.log(), client.log()] {
        assert!(!log.contains("error") && !log.contains("cutting"), "{log}");
    }
    tasks.stop(Duration::from_secs(5)).await;
}

fn proxy(side: &str, agent: &Agent, (listen, target): (u16, u16), flags: &[&str]) -> Process {
    let mut command = Command::new(finial());
    command.env_remove("SPIFFE_ENDPOINT_SOCKET").args(["proxy", side]);
    command.args(["--use-workload-api-addr", &format!("unix://{}", agent.socket.display())]);
    command.args(["--listen", &format!("127.0.0.1:{listen}"), "--target", &format!("127.0.0.1:{target}")]);
    Process::spawn(&format!("{side} proxy"), command.args(flags))
}

/// A backend that gives back what it gets.
async fn echo(tasks: &Tasks) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, sessions) = (listener.local_addr().unwrap().port(), tasks.clone());
    tasks.spawn("echo", async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            sessions.spawn_session("echoing", async move {
                let (mut reader, mut writer) = stream.split();
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
                let _ = writer.shutdown().await;
            });
        }
    });
    port
}

/// Waits until there were some conversations more.
async fn talked(progress: &watch::Sender<(u64, bool)>) {
    let until = progress.borrow().0 + BETWEEN;
    progress.subscribe().wait_for(|(talks, _)| *talks >= until).await.unwrap();
}

/// A new connection for each conversation, to its end in order.
async fn come_and_go(port: u16, seed: usize, progress: &watch::Sender<(u64, bool)>) {
    let mut talk = seed;
    while !progress.borrow().1 {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let (mut reader, mut writer) = stream.split();
        let (said, mut heard) = (words(talk), Vec::new());
        let saying = async {
            writer.write_all(&said).await.unwrap();
            writer.shutdown().await.unwrap();
        };
        let ((), all) = tokio::join!(saying, reader.read_to_end(&mut heard));
        all.unwrap();
        assert!(heard == said, "{} of {} bytes came back, or others", heard.len(), said.len());
        progress.send_modify(|(talks, _)| *talks += 1);
        talk += CALLERS;
    }
}

/// One connection for all conversations.
async fn stay(port: u16, seed: usize, progress: &watch::Sender<(u64, bool)>) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let mut talk = seed;
    while !progress.borrow().1 {
        let said = words(talk);
        let mut heard = vec![0; said.len()];
        let (wrote, read) = tokio::join!(writer.write_all(&said), reader.read_exact(&mut heard));
        wrote.unwrap();
        read.unwrap();
        assert!(heard == said, "other bytes came back");
        // They count for nothing: each step of the others needs a handshake.
        tokio::task::yield_now().await;
        talk += STAYERS;
    }
    writer.shutdown().await.unwrap();
    assert_eq!(reader.read(&mut [0]).await.unwrap(), 0);
}

/// From nothing to some records, different in each conversation.
fn words(talk: usize) -> Vec<u8> {
    let length = talk * 7919 % 70_000;
    (0..length).map(|index| (index * 31 + talk) as u8).collect()
}
