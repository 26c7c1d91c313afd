//! An agent in 256 MiB of memory: a thousand entries, a thousand open streams, and every SVID issued anew.

use std::time::Duration;

use finial_daemon::Clock;
use finial_identity::{EntryDraft, Selector, SpiffeId, TrustDomain, X509Svid};
use finial_receive::Endpoint;
use finial_testkit::{MemoryGroup, Pair, skip};
use finial_wire::X509Context;
use finial_wire::client::{EntryClient, LocalAuthorityClient, WorkloadClient};
use futures_util::stream::{BoxStream, FuturesUnordered};
use futures_util::{StreamExt, TryStreamExt, stream};
use tonic::Status;
use tonic::transport::Channel;

const LIMIT: u64 = 256 << 20;
const ENTRIES: u32 = 1_000;
const STREAMS: usize = 1_000;
const STREAMS_A_CONNECTION: usize = 100;

type Stream = BoxStream<'static, Result<X509Context, Status>>;

fn channel(pair: &Pair, socket: &str) -> Channel {
    finial_receive::connect(&Endpoint::Unix(pair.path(socket).into()))
}

async fn entry(pair: &Pair, path: &str, uid: u32) {
    let trust_domain = TrustDomain::parse("example.org").unwrap();
    let id = |path: &str| SpiffeId::new(&trust_domain, path).unwrap();
    let selector = Selector::new("unix", format!("uid:{uid}")).unwrap();
    let draft = EntryDraft::new(id(path), id("/node"), [selector].into_iter().collect());
    EntryClient::new(channel(pair, "server.sock")).create_entry(None, &draft).await.unwrap();
}

/// The one SVID of the next message.
async fn next(stream: &mut Stream) -> X509Svid {
    let context = stream.next().await.expect("the stream goes on").unwrap();
    context.credentials[0].svid().clone()
}

async fn streams(pair: &Pair) -> Vec<Stream> {
    let opening: FuturesUnordered<_> = (0..STREAMS / STREAMS_A_CONNECTION)
        .map(|_| async {
            let channel = channel(pair, "agent.sock");
            let calls = (0..STREAMS_A_CONNECTION).map(|_| {
                let client = WorkloadClient::new(channel.clone());
                async move { client.x509_svids().await }
            });
            stream::iter(calls).buffered(8).try_collect::<Vec<Stream>>().await.unwrap()
        })
        .collect();
    opening.concat().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_in_256_mib_serves_a_thousand_streams_through_a_rotation() {
    let pair = Pair::new();
    let _server = tokio::task::block_in_place(|| pair.server());
    let agent = tokio::task::block_in_place(|| pair.join());
    let Some(_group) = MemoryGroup::around(&agent, LIMIT) else {
        return skip("memory control group", false, "only root may make one");
    };
    let nobody = |n: u32| 4_000_000_000 + n;
    let entries = (0..ENTRIES).map(|n| {
        let pair = &pair;
        async move { entry(pair, &format!("/other/{n}"), nobody(n)).await }
    });
    stream::iter(entries).buffer_unordered(16).collect::<()>().await;
    let mut streams = streams(&pair).await;
    let first = stream::iter(&mut streams).map(next).buffered(64).collect::<Vec<_>>().await;

    let authorities = LocalAuthorityClient::new(channel(&pair, "server.sock"));
    let old = authorities.x509_authorities().await.unwrap().active.unwrap().id;
    let new = authorities.prepare_x509().await.unwrap().id;
    authorities.activate_x509(&new).await.unwrap();
    authorities.taint_x509(&old).await.unwrap();
    let renewed = streams
        .iter_mut()
        .zip(&first)
        .map(async |(stream, first)| while next(stream).await.serial_number() == first.serial_number() {});
    let all = stream::iter(renewed).buffer_unordered(STREAMS).collect::<()>();
    Clock::system().timeout(Duration::from_secs(60), all).await.expect("a new SVID on every stream");
}
