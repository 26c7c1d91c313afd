//! JWT-SVIDs: kept ones and their validation, in the agent's CPU time; new ones, in the server's.

use std::time::SystemTime;

use finial_identity::{Audience, BundleSet, JwtSvid};
use finial_receive::{Endpoint, connect};
use finial_testkit::Pair;
use finial_wire::client::WorkloadClient;
use futures_util::{StreamExt, stream};
use tonic::transport::Channel;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::measure::{RUNS, cpu_us, median, own_cpu_us};

const CALLS: usize = 20_000;
const NEW_TOKENS: usize = 2_000;
const AT_ONCE: usize = 16;

pub(crate) async fn bench() {
    let pair = Pair::new();
    let server = pair.server_with("ratelimit { signing = false }", "NodeAttestor \"join_token\" {}");
    let agent = pair.join();
    let channel = connect(&Endpoint::Unix(pair.path("agent.sock").into()));
    let workload = WorkloadClient::new(channel.clone());
    let audience = Audience::new(["bench"]).unwrap();
    let token = workload.jwt_svids(&audience, None).await.unwrap()[0].token().to_owned();
    let bundles = workload.jwt_bundles().await.unwrap().next().await.unwrap().unwrap();

    let (mut kept, mut validated, mut bare, mut new) = (vec![], vec![], vec![], vec![]);
    for run in 0..RUNS {
        kept.push(cpu_of(agent.id(), CALLS, |_| fetch(&workload, "bench".to_owned())).await);
        validated.push(cpu_of(agent.id(), CALLS, |_| validate(&workload, &token)).await);
        bare.push(cpu_of(agent.id(), CALLS, |_| check(&channel)).await);
        let audience = |n: usize| format!("bench-{run}-{n}");
        new.push(cpu_of(server.id(), NEW_TOKENS, |n| fetch(&workload, audience(n))).await);
    }
    let [kept, validated, bare, new] = [&mut kept, &mut validated, &mut bare, &mut new].map(|it| median(it));
    let check = check_cost(&token, &bundles);
    println!("FetchJWTSVID, kept: {kept:.1} µs of agent CPU, {:.0} a second and core", 1e6 / kept);
    println!("ValidateJWTSVID: {validated:.1} µs of agent CPU, {:.0} a second and core", 1e6 / validated);
    println!(
        "bare gRPC call (health) of the same agent: {bare:.1} µs; bare check of the token: {check:.1} µs"
    );
    println!(
        "ratios: kept {:.2} of a bare call, validated {:.2} of call and check",
        kept / bare,
        validated / (bare + check)
    );
    println!("FetchJWTSVID, new: {new:.1} µs of server CPU\n");
}

/// The CPU time that another process spends on each call, in microseconds.
async fn cpu_of<F: Future<Output = ()>>(pid: u32, calls: usize, call: impl Fn(usize) -> F) -> f64 {
    let before = cpu_us(pid);
    stream::iter(0..calls).map(call).buffer_unordered(AT_ONCE).collect::<()>().await;
    (cpu_us(pid) - before) / calls as f64
}

async fn fetch(workload: &WorkloadClient, audience: String) {
    workload.jwt_svids(&Audience::new([audience]).unwrap(), None).await.unwrap();
}

async fn validate(workload: &WorkloadClient, token: &str) {
    workload.validate_jwt_svid("bench", token).await.unwrap();
}

async fn check(channel: &Channel) {
    HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await.unwrap();
}

fn check_cost(token: &str, bundles: &BundleSet) -> f64 {
    const TIMES: usize = 5_000;
    let now: SystemTime = finial_daemon::Clock::system().now();
    let mut costs = vec![];
    for _ in 0..RUNS {
        let before = own_cpu_us();
        for _ in 0..TIMES {
            JwtSvid::verify(token, "bench", bundles, now).unwrap();
        }
        costs.push((own_cpu_us() - before) / TIMES as f64);
    }
    median(&mut costs)
}
