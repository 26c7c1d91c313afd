//! From an entry that is committed to its SVID on an open stream.

use finial_daemon::Clock;
use finial_identity::{EntryDraft, Selector, SpiffeId};
use finial_receive::{Endpoint, connect};
use finial_testkit::Dev;
use finial_wire::client::{EntryClient, WorkloadClient};
use futures_util::StreamExt;

use crate::measure::{millis, quantile};

const ENTRIES: usize = 60;

pub(crate) async fn bench() {
    let dev = Dev::start();
    dev.identity("spiffe://example.org/first");
    let entries = EntryClient::new(connect(&Endpoint::Unix(dev.server_socket())));
    let workload = WorkloadClient::new(connect(&Endpoint::Unix(dev.agent_socket())));
    let mut stream = workload.x509_svids().await.unwrap();
    stream.next().await.unwrap().unwrap();

    let clock = Clock::system();
    let id = |path: &str| SpiffeId::parse(format!("spiffe://example.org/{path}")).unwrap();
    let selector = Selector::new("unix", format!("uid:{}", rustix::process::geteuid().as_raw())).unwrap();
    let mut times = vec![];
    for n in 0..ENTRIES {
        let wanted = id(&format!("bench/{n}"));
        let selectors = [selector.clone()].into_iter().collect();
        entries
            .create_entry(None, &EntryDraft::new(wanted.clone(), id("dev/node"), selectors))
            .await
            .unwrap();
        let committed = clock.monotonic();
        loop {
            let context = stream.next().await.unwrap().unwrap();
            if context.credentials.iter().any(|credential| credential.svid().id() == &wanted) {
                break;
            }
        }
        times.push(millis(clock.monotonic() - committed));
    }
    let (p50, p99) = (quantile(&mut times, 0.5), quantile(&mut times, 0.99));
    println!("entry committed → SVID on an open stream: p50 {p50:.1} ms, p99 {p99:.1} ms (of {ENTRIES})");
}
