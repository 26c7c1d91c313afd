//! `finial server healthcheck` and `finial agent healthcheck`, by the standard gRPC health service.

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;
use tonic::transport::Channel;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{
    connection::{AgentSocket, ServerSocket, code_name},
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
    /// Deprecated by SPIRE, and without effect
    #[arg(long)]
    shallow: bool,
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
        let unhealthy = || format!("{who} is unhealthy");
        let channel = channel.await.context("unable to determine health").with_context(unhealthy)?;
        let mut client = HealthClient::new(channel);
        check(&mut client).await.with_context(unhealthy)?;
        if self.verbose && !self.output.is_json() && is_cut_off(&mut client).await {
            output::print(
                "The agent cannot sync with its server; it serves what it holds until that expires. Its log says why.\n",
            );
        }
        let title = if who == "server" { "Server" } else { "Agent" };
        self.output.print(format_args!("{title} is healthy.\n"), || json!({"status": "SERVING"}));
        Ok(())
    }
}

async fn check(client: &mut HealthClient<Channel>) -> Result<()> {
    let answer = client.check(HealthCheckRequest { service: String::new() }).await;
    match answer.map(|answer| answer.into_inner().status()) {
        Ok(ServingStatus::Serving) => Ok(()),
        Ok(status) => bail!("it answers {}", status.as_str_name()),
        Err(status) => {
            let code = code_name(status.code());
            bail!("unable to determine health: rpc error: code = {code} desc = {}", status.message())
        }
    }
}

/// Whether the agent says that it does not hear its server. Others know nothing of this question.
async fn is_cut_off(client: &mut HealthClient<Channel>) -> bool {
    let answer = client.check(HealthCheckRequest { service: "finial.agent.sync".to_owned() }).await;
    answer.is_ok_and(|answer| answer.into_inner().status() == ServingStatus::NotServing)
}
