//! Speed of the promises that a user feels, each beside a primitive measured in the same run. Run by `make bench`; one
//! alone by its name: `cargo bench -p finial-benches -- tokens`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark that cannot go on says why and ends"
)]

mod agent;
mod entries;
mod fetch;
mod helper;
mod measure;
mod open;
mod pods;
mod postgres;
mod propagation;
mod proxy;
mod raw;
mod reissue;
mod secrets;
mod signing;
mod streams;
mod tokens;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, hold, socket, ..] = arguments.as_slice()
        && hold == streams::HOLD
    {
        return streams::hold(socket).await;
    }
    if let [_, serve, socket, ..] = arguments.as_slice()
        && serve == open::SERVE
    {
        return open::serve(socket).await;
    }
    let wanted = |name: &str| {
        let mut names = arguments.iter().skip(1).filter(|argument| !argument.starts_with('-')).peekable();
        names.peek().is_none() || names.any(|wanted| wanted == name)
    };
    println!("Medians of {} runs. Times are CPU time where that is said, else wall time.\n", measure::RUNS);
    if wanted("signing") {
        signing::bench().await;
    }
    if wanted("fetch") {
        fetch::bench().await;
    }
    if wanted("propagation") {
        propagation::bench().await;
    }
    if wanted("tokens") {
        tokens::bench().await;
    }
    if wanted("streams") {
        streams::bench().await;
    }
    if wanted("secrets") {
        secrets::bench().await;
    }
    if wanted("open") {
        open::bench().await;
    }
    if wanted("reissue") {
        reissue::bench().await;
    }
    if wanted("entries") {
        entries::bench().await;
    }
    if wanted("pods") {
        pods::bench().await;
    }
    if wanted("postgres") {
        postgres::bench().await;
    }
    if wanted("helper") {
        helper::bench().await;
    }
    if wanted("proxy") {
        proxy::bench(&arguments[1..]);
    }
}
