//! Calls a server and prints its answer: `client 127.0.0.1:8443 spiffe://example.org/server`

use anyhow::Context;
use finial::{Clock, Policy, SpiffeId, Tasks, Workload};
use http_body_util::{BodyExt, Empty};
use hyper::{Request, body::Bytes, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let address = args.next().context("the first argument is the address of the server")?;
    let server = args.next().context("the second argument is the SPIFFE ID of the server")?;

    let workload = Workload::connect().await?;
    let connection = workload.dial(&address, Policy::ids([SpiffeId::parse(server)?])).await?;
    let (mut sender, driver) = http1::handshake(TokioIo::new(connection)).await?;
    Tasks::new(Clock::system()).spawn_session("http", async { drop(driver.await) });

    let request = Request::get("/").header(HOST, &address).body(Empty::<Bytes>::new())?;
    let answer = sender.send_request(request).await?.collect().await?.to_bytes();
    print!("{}", String::from_utf8_lossy(&answer));
    Ok(())
}
