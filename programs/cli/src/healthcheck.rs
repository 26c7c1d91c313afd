//! `finial server healthcheck` and `finial agent healthcheck`, by the standard gRPC health service.

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use tonic::transport::Channel;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{
    connection::{AgentSocket, ServerSocket},
    output::{self, Output},
};

#[derive(Args)]
pub(crate) struct Server {
    #[command(flatten)]
    socket: ServerSocket,
    #[command(flatten)]
    how: How,
}

#[derive(Args)]
pub(crate) struct Agent {
    #[command(flatten)]
    socket: AgentSocket,
    #[command(flatten)]
    how: How,
}

#[derive(Args)]
struct How {
    /// Say what is asked before it is answered
    #[arg(long)]
    verbose: bool,
    #[command(flatten)]
    output: Output,
}

impl Server {
    pub(crate) async fn run(self) -> Result<()> {
        self.how.ask("server", async { self.socket.connect().await }).await
    }
}

impl Agent {
    pub(crate) async fn run(self) -> Result<()> {
        self.how.ask("agent", async { self.socket.connect().await }).await
    }
}

impl How {
    async fn ask(&self, who: &str, channel: impl Future<Output = Result<Channel>>) -> Result<()> {
        if self.verbose && !self.output.is_json() {
            output::print(format_args!("Checking {who} health...\n"));
        }
        match check(channel).await {
            Ok(()) => {
                let title = if who == "server" { "Server" } else { "Agent" };
                self.output.print(format_args!("{title} is healthy.\n"), || json!({"status": "SERVING"}));
                Ok(())
            }
            Err(error) => Err(error.context(format!("{who} is unhealthy"))),
        }
    }
}

async fn check(channel: impl Future<Output = Result<Channel>>) -> Result<()> {
    let mut client = HealthClient::new(channel.await?);
    let answer = client.check(HealthCheckRequest { service: String::new() }).await;
    match answer.map(|answer| answer.into_inner().status()) {
        Ok(ServingStatus::Serving) => Ok(()),
        Ok(status) => bail!("it answers {}", status.as_str_name()),
        Err(status) => bail!("unable to determine health: {} (code: {:?})", status.message(), status.code()),
    }
}
