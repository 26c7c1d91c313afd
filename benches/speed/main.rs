//! Speed of the promises that a user feels, each beside a primitive measured in the same run. Run by `make bench`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark that cannot go on says why and ends"
)]

mod fetch;
mod measure;
mod propagation;
mod signing;

#[tokio::main]
async fn main() {
    println!("Medians of {} runs. Times are CPU time where that is said, else wall time.\n", measure::RUNS);
    signing::bench().await;
    fetch::bench().await;
    propagation::bench().await;
}
