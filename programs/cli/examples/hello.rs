//! A plain HTTP backend that knows nothing of identities: what stands behind the proxy in the quickstart.

use axum::{Router, routing::get};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let app = Router::new().route("/", get(|| async { "hello, whoever you have proved to be\n" }));
    axum::serve(TcpListener::bind(address).await?, app).await
}
