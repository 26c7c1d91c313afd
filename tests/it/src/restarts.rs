//! An agent that is killed and started again under many open streams: every workload finds it again, as itself.
//!
//! A few restarts in `make test`; 200 under 1,000 streams with `FINIAL_SOAK=1`, as `make soak` sets.

use std::path::PathBuf;
use std::time::Duration;

use finial_daemon::{Clock, Tasks};
use finial_receive::{Endpoint, Source};
use finial_testkit::Pair;

/// Restarts and streams: (in `make test`, in `make soak`).
const RESTARTS: (usize, usize) = (5, 200);
const STREAMS: (usize, usize) = (200, 1_000);
/// How long all workloads may take to find the agent again.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long each stream is left open: one that ends sooner counts as a failure, after which a workload waits longer and
/// longer.
const STEADY: Duration = Duration::from_millis(1_200);
/// The most memory an agent may use for all of them, in MiB.
const AGENT_MEMORY: u64 = 256;

fn at((short, soak): (usize, usize)) -> usize {
    if std::env::var_os("FINIAL_SOAK").is_some() { soak } else { short }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_is_restarted_again_and_again_is_found_again_by_every_workload() {
    let (clock, pair) = (Clock::system(), Pair::new());
    let tasks = Tasks::new(clock.clone());
    let (_server, mut agent) = tokio::task::block_in_place(|| (pair.server(), pair.join()));
    let endpoint = Endpoint::Unix(PathBuf::from(pair.path("agent.sock")));
    let open = || Source::from_workload_api(&endpoint, &clock, &tasks);
    let mut sources: Vec<Source> = (0..at(STREAMS)).map(|_| open()).collect();
    for source in &sources {
        source.ready().await.unwrap();
    }

    clock.sleep(STEADY).await;
    for _ in 0..at(RESTARTS) {
        let before: Vec<String> = sources.iter().map(serial).collect();
        agent.kill();
        // Nobody loses what it has.
        assert_eq!(sources.iter().map(serial).collect::<Vec<_>>(), before);
        agent = tokio::task::block_in_place(|| pair.agent(&[]));
        clock
            .timeout(PATIENCE, all_renewed(&mut sources, &before))
            .await
            .expect("every workload finds it again");
        let memory = finial_testkit::memory(agent.id()).1 / 1024;
        assert!(memory < AGENT_MEMORY, "the agent used {memory} MiB");
        clock.sleep(STEADY).await;
    }
    assert!(sources.iter().all(|source| source.refused() == 0));
    tasks.stop(Duration::from_secs(20)).await;
}

/// Waits until each source has another SVID than before: keys are in memory only, so the agent had new ones issued.
async fn all_renewed(sources: &mut [Source], before: &[String]) {
    for (source, before) in sources.iter_mut().zip(before) {
        while serial(source) == *before {
            source.updated().await.unwrap();
        }
    }
}

fn serial(source: &Source) -> String {
    source.credential().unwrap().svid().serial_number().to_owned()
}
