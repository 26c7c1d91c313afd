//! 5,000 X.509-SVIDs of one agent, all at once: first when it starts, then when their authority is tainted.

use std::collections::HashMap;
use std::sync::Arc;

use finial_daemon::{Clock, Tasks};
use finial_identity::{EntryDraft, EntryId, Selector, SpiffeId};
use finial_provide::{AgentSnapshot, Cache, CacheOptions, ServerUpstream};
use finial_receive::{Endpoint, connect};
use finial_testkit::Pair;
use finial_wire::client::{BundleClient, EntryClient, LocalAuthorityClient};
use futures_util::{StreamExt, stream};
use tokio::sync::watch;
use tonic::transport::Channel;

use crate::agent::Agent;
use crate::measure::millis;

const ENTRIES: usize = 5_000;

pub(crate) async fn bench() {
    let pair = Pair::new();
    let _server = pair.server_with("ratelimit { signing = false }", "NodeAttestor \"join_token\" {}");
    let local = connect(&Endpoint::Unix(pair.path("server.sock").into()));
    let agent = Agent::join(&local, pair.port()).await;
    create_entries(&local, &agent.id).await;

    let clock = Clock::system();
    let tasks = Tasks::new(clock.clone());
    let bundle = BundleClient::new(local.clone()).bundle().await.unwrap();
    let options = CacheOptions { most_x509_svids: ENTRIES, ..CacheOptions::new(Arc::new(bundle)) };
    let (_channels, channel) = watch::channel(agent.channel.clone());
    let began = clock.monotonic();
    let cache = Cache::start(Arc::new(ServerUpstream::new(channel)), &options, &clock, &tasks);
    let mut snapshots = cache.subscribe();
    let all = snapshots.wait_for(|snapshot| snapshot.credential_count() == ENTRIES).await.unwrap();
    let before = serials(&all);
    drop(all);
    println!("{ENTRIES} SVIDs for an agent that starts: {:.0} ms", millis(clock.monotonic() - began));

    let authority = LocalAuthorityClient::new(local);
    let old = authority.x509_authorities().await.unwrap().active.unwrap().id;
    let next = authority.prepare_x509().await.unwrap().id;
    authority.activate_x509(next).await.unwrap();
    let began = clock.monotonic();
    authority.taint_x509(old).await.unwrap();
    let is_new = |snapshot: &Arc<AgentSnapshot>| {
        let after = serials(snapshot);
        after.iter().all(|(id, serial)| before.get(id) != Some(serial))
    };
    snapshots.wait_for(is_new).await.unwrap();
    println!(
        "{ENTRIES} SVIDs re-issued when their authority is tainted: {:.0} ms\n",
        millis(clock.monotonic() - began)
    );
}

async fn create_entries(local: &Channel, node: &SpiffeId) {
    let entries = EntryClient::new(local.clone());
    let create = |n: usize| {
        let id = SpiffeId::parse(format!("spiffe://example.org/bench/{n}")).unwrap();
        let selectors = [Selector::new("unix", format!("uid:{n}")).unwrap()].into_iter().collect();
        let (entries, draft) = (entries.clone(), EntryDraft::new(id, node.clone(), selectors));
        async move { drop(entries.create_entry(None, &draft).await.unwrap()) }
    };
    stream::iter(0..ENTRIES).map(create).buffer_unordered(64).collect::<()>().await;
}

fn serials(snapshot: &AgentSnapshot) -> HashMap<EntryId, String> {
    let entries = snapshot.entries().iter();
    let held = entries.filter_map(|entry| Some((entry.id.clone(), snapshot.credential(&entry.id)?)));
    held.map(|(id, held)| (id, held.svid().serial_number().to_owned())).collect()
}
