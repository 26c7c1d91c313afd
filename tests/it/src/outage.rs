//! The server is away: for a while nobody notices; for too long the agent says what to do. And clocks that jump.

use std::time::{Duration, SystemTime};

use finial_daemon::{Clock, ClockHand};
use finial_wire::{EntryFilter, EntryUpdate};
use futures_util::StreamExt;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::domain::{Domain, QUESTIONS};

const MINUTE: Duration = Duration::from_secs(60);

fn clock() -> (Clock, ClockHand) {
    Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000))
}

/// Lets minutes pass one by one, as they do.
async fn pass(hand: &ClockHand, minutes: u32) {
    for _ in 0..minutes {
        hand.step(MINUTE);
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_notices_a_server_that_is_away_for_less_than_an_svids_life() {
    let (clock, hand) = clock();
    let mut domain = Domain::start(&clock).await;
    let agent = domain.start_agent().await;
    domain.entry_for_this_process("/web").await;
    let (mut stream, first) = domain.meanwhile(&hand, domain.x509_svids()).await;

    domain.stop_server().await;
    pass(&hand, 20).await;
    let again = domain.workload().x509_svids().await.unwrap().next().await.unwrap().unwrap();
    assert_eq!(again.credentials[0].svid().leaf(), first.credentials[0].svid().leaf());

    domain.start_server().await;
    let renewed = async {
        loop {
            let next = stream.next().await.unwrap().unwrap();
            if next.credentials[0].svid().not_after() > first.credentials[0].svid().not_after() {
                break next;
            }
        }
    };
    // Half of the life is behind at minute 33, with the jitter; the backoff takes up to eight minutes more.
    pass(&hand, 13).await;
    domain.meanwhile(&hand, renewed).await;
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_cut_off_for_longer_than_its_svid_lives_ends_and_names_the_command() {
    let (clock, hand) = clock();
    let mut domain = Domain::start(&clock).await;
    let mut agent = domain.start_agent().await;
    domain.stop_server().await;
    pass(&hand, 70).await;
    let end = agent.ended().await.unwrap_err();
    let text = format!("{end:#}");
    assert!(text.contains("finial token generate"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_clock_jumped_five_minutes_either_way_all_goes_on() {
    let (clock, hand) = clock();
    let domain = Domain::start(&clock).await;
    let agent = domain.start_agent().await;
    let start = clock.now();
    domain.entry_for_this_process("/before").await;
    domain.meanwhile(&hand, identity_arrives(&domain, "/before")).await;

    hand.set(start + 5 * MINUTE);
    domain.entry_for_this_process("/ahead").await;
    domain.meanwhile(&hand, identity_arrives(&domain, "/ahead")).await;

    // What was issued before is not valid yet by such a clock.
    hand.set(start - 5 * MINUTE);
    let (_, context) = domain.x509_svids().await;
    assert_eq!(context.credentials.len(), 2);
    domain.entry_for_this_process("/back").await;
    domain.meanwhile(&hand, identity_arrives(&domain, "/back")).await;

    agent.stop().await.unwrap();
}

async fn identity_arrives(domain: &Domain, path: &str) {
    let wanted = domain.id(path);
    let (mut stream, mut context) = domain.x509_svids().await;
    while !context.credentials.iter().any(|credential| credential.svid().id() == &wanted) {
        context = stream.next().await.unwrap().unwrap();
    }
}

/// Waits until the agent says this of itself as a whole, and of its way to the server.
async fn agent_says(domain: &Domain, whole: ServingStatus, sync: ServingStatus) {
    let mut client = HealthClient::new(domain.agent_channel());
    let mut said = Vec::new();
    for _ in 0..QUESTIONS {
        said.clear();
        for service in ["", "finial.agent.sync"] {
            let request = HealthCheckRequest { service: service.to_owned() };
            said.push(client.check(request).await.unwrap().into_inner().status());
        }
        if said == [whole, sync] {
            return;
        }
    }
    panic!("the agent still says {said:?} after {QUESTIONS} questions");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_an_outage_an_agent_is_healthy_for_as_long_as_it_holds_something_valid() {
    use ServingStatus::{NotServing, Serving};
    let (clock, hand) = clock();
    let mut domain = Domain::start(&clock).await;
    let config = domain.agent_config().await;
    domain.entry_for_this_process("/web").await;
    // The agent's alias is an entry too. Its own SVID lives for an hour, these for less.
    for entry in domain.entries().list_entries(EntryFilter::default()).await.unwrap() {
        let id = entry.id.clone();
        let mut draft = entry.into_draft();
        draft.x509_svid_ttl = Some(20 * MINUTE);
        domain.entries().update_entry(&id, EntryUpdate::replacing(draft)).await.unwrap();
    }
    let agent = domain.start_agent_with(config).await.unwrap();
    drop(domain.meanwhile(&hand, domain.x509_svids()).await);
    agent_says(&domain, Serving, Serving).await;

    domain.stop_server().await;
    pass(&hand, 2).await;
    agent_says(&domain, Serving, NotServing).await;
    pass(&hand, 21).await;
    agent_says(&domain, NotServing, NotServing).await;

    domain.start_server().await;
    let well = agent_says(&domain, Serving, Serving);
    domain.meanwhile(&hand, well).await;
    agent.stop().await.unwrap();
}
