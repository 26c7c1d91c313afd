//! Answers each caller with its SPIFFE ID: `server 127.0.0.1:8443 spiffe://example.org/client`

use anyhow::Context;
use axum::{Extension, Router, routing::get};
use finial::{Clock, Peer, Policy, SpiffeId, Tasks, Workload};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let listen = args.next().context("the first argument is the address to listen on")?;
    let client = args.next().context("the second argument is the SPIFFE ID that may call")?;

    let workload = Workload::connect().await?;
    let mut listener = workload.listen(&listen, Policy::ids([SpiffeId::parse(client)?])).await?;
    println!("{} listens on {}", workload.id()?, listener.local_addr()?);

    let app = Router::new().route("/", get(greet));
    let tasks = Tasks::new(Clock::system());
    loop {
        let connection = listener.accept().await;
        let app = app.clone().layer(Extension(connection.peer().clone()));
        let io = TokioIo::new(connection);
        let serving = http1::Builder::new().serve_connection(io, TowerToHyperService::new(app));
        tasks.spawn_session("http", async { drop(serving.await) });
    }
}

async fn greet(Extension(peer): Extension<Peer>) -> String {
    format!("hello, {}\n", peer.spiffe_id())
}
