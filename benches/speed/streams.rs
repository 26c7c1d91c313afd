//! A change of the bundle, on its way to the last of 5,000 open streams.
//!
//! One process may hold 1,000 streams, so this program starts itself as often as is needed.

use std::io::BufRead;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use finial_daemon::Clock;
use finial_receive::{Endpoint, connect};
use finial_testkit::Pair;
use finial_wire::client::LocalAuthorityClient;
use futures_util::{StreamExt, stream};

use crate::measure::{cpu_us, median, millis};
use crate::raw;

const PROCESSES: usize = 10;
const STREAMS: usize = 500;
const CONNECTIONS: usize = 5;
const CHANGES: usize = 5;

/// The argument that makes this program a holder of streams.
pub(crate) const HOLD: &str = "hold-streams";

pub(crate) async fn bench() {
    let pair = Pair::new();
    let _server = pair.server();
    let agent = pair.join();
    let socket = pair.path("agent.sock");
    let itself = std::env::current_exe().unwrap();
    let mut holders: Vec<_> = (0..PROCESSES)
        .map(|_| {
            let mut command = Command::new(&itself);
            command.args([HOLD, &socket]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut lines: Vec<_> = holders
        .iter_mut()
        .map(|holder| std::io::BufReader::new(holder.stdout.take().unwrap()).lines())
        .collect();
    for lines in &mut lines {
        assert_eq!(lines.next().unwrap().unwrap(), "open");
    }
    let authority = LocalAuthorityClient::new(connect(&Endpoint::Unix(pair.path("server.sock").into())));
    let mut spans = vec![];
    let before = cpu_us(agent.id());
    for _ in 0..CHANGES {
        authority.prepare_x509().await.unwrap();
        let heard: Vec<(f64, f64)> =
            lines.iter_mut().map(|lines| parse(&lines.next().unwrap().unwrap())).collect();
        let first = heard.iter().map(|(first, _)| *first).fold(f64::INFINITY, f64::min);
        let last = heard.iter().map(|(_, last)| *last).fold(0.0, f64::max);
        spans.push(last - first);
    }
    let cost = (cpu_us(agent.id()) - before) / (CHANGES * PROCESSES * STREAMS) as f64;
    for mut holder in holders {
        holder.kill().unwrap();
        holder.wait().unwrap();
    }
    let count = PROCESSES * STREAMS;
    println!(
        "bundle change, first to last of {count} streams: {:.1} ms (median of {CHANGES})",
        median(&mut spans)
    );
    println!("each of these messages: {cost:.1} µs of agent CPU\n");
}

/// Holds streams open, and says when the first and the last of them heard of each change.
pub(crate) async fn hold(socket: &str) {
    let clock = Clock::system();
    let mut streams = vec![];
    for _ in 0..CONNECTIONS {
        let channel = connect(&Endpoint::Unix(socket.into()));
        for _ in 0..STREAMS / CONNECTIONS {
            let mut stream =
                raw::stream(channel.clone(), "/SpiffeWorkloadAPI/FetchX509Bundles").await.unwrap();
            stream.next().await.unwrap().unwrap();
            streams.push(stream);
        }
    }
    println!("open");
    loop {
        let next = streams.iter_mut().map(|stream| async {
            stream.next().await.unwrap().unwrap();
            since_epoch(clock.now())
        });
        let heard: Vec<Duration> = stream::iter(next).buffer_unordered(STREAMS).collect().await;
        let (first, last) = (heard.iter().min().unwrap(), heard.iter().max().unwrap());
        println!("{} {}", millis(*first), millis(*last));
    }
}

fn since_epoch(instant: SystemTime) -> Duration {
    instant.duration_since(UNIX_EPOCH).unwrap()
}

fn parse(line: &str) -> (f64, f64) {
    let (first, last) = line.split_once(' ').unwrap();
    (first.parse().unwrap(), last.parse().unwrap())
}
