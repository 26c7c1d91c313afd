//! `finial dev`: server and agent in one process, joined by itself at every start.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use clap::Args;
use finial_agent::TrustBundle;
use finial_attest::UnixConfig;
use finial_daemon::{Clock, descriptors, log::Level, umask};
use finial_identity::{SpiffeId, TrustDomain};
use finial_receive::Endpoint;
use finial_wire::{
    AgentFilter, JoinTokenRequest,
    client::{AgentClient, BundleClient},
};
use tokio::sync::oneshot;

use crate::{logging::Logging, output, supervised::Supervised};

#[derive(Args)]
pub(crate) struct Dev {
    /// Folder for everything that is kept [default: finial/dev in the user's state folder]
    #[arg(long = "data-dir", visible_alias = "dataDir", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Trust domain to serve
    #[arg(
        long = "trust-domain",
        visible_alias = "trustDomain",
        value_name = "NAME",
        default_value = "example.org"
    )]
    trust_domain: String,
    #[command(flatten)]
    logging: Logging,
}

/// The name below which entries hang in `finial dev`, whatever agent has joined.
const NODE_PATH: &str = "/dev/node";

impl Dev {
    pub(crate) async fn run(self) -> Result<()> {
        umask::restrict();
        descriptors::raise_limit().context("raise the limit of open files")?;
        let _level = self.logging.begin_beside_answers(Level::Warn)?;
        let trust_domain = TrustDomain::parse(&self.trust_domain).context("--trust-domain")?;
        let folder = self.data_dir.clone().map_or_else(state_folder, Ok)?;
        let clock = Clock::system();

        let mut config = finial_server::Config::new(trust_domain.clone(), &folder.join("server"));
        config.bind_address = Ipv4Addr::LOCALHOST.into();
        config.bind_port = 0;
        config.socket_path = folder.join("server.sock");
        let server = finial_server::build(config, &clock).await.context("the server cannot start")?;
        let (server_socket, address) = (server.socket_path().to_owned(), server.address());
        let (stop_server, server_stopped) = oneshot::channel::<()>();
        let server = server.run(async {
            // An error means that the agent's half is gone, which is a reason to stop as well.
            let _ = server_stopped.await;
        });

        let agent = async {
            // Whatever ends the agent ends the server.
            let _stop_server = stop_server;
            let node = SpiffeId::new(&trust_domain, NODE_PATH)?;
            let mut agent = join(&server_socket, address, &node, &folder, &clock).await?;
            output::print(welcome(&agent, &server_socket, &node));
            let supervised = Supervised::from_env();
            let serve = async {
                loop {
                    match agent.run(supervised.terminated()).await {
                        // As after a laptop has slept for longer than the agent's certificate lives.
                        Err(error) if error.is::<finial_agent::Loss>() => {
                            tracing::warn!("{error}; joining again");
                            agent = join(&server_socket, address, &node, &folder, &clock).await?;
                        }
                        outcome => return outcome,
                    }
                }
            };
            supervised.run(&format!("serving {trust_domain}"), Box::pin(serve)).await
        };
        let (server, agent) = tokio::join!(server, agent);
        agent.and(server)
    }
}

/// An agent that has joined the server behind `socket`, as a new one.
async fn join(
    socket: &Path,
    address: SocketAddr,
    node: &SpiffeId,
    folder: &Path,
    clock: &Clock,
) -> Result<finial_agent::App> {
    let channel = finial_receive::connect(&Endpoint::Unix(socket.to_owned()));
    let bundle = BundleClient::new(channel.clone()).bundle().await.context("the server shows no bundle")?;
    let agents = AgentClient::new(channel);
    forget_earlier_agents(&agents).await?;

    let (host, port) = (address.ip().to_string(), address.port());
    let mut config = finial_agent::Config::new(node.trust_domain(), host, port, folder.join("agent"));
    config.trust_bundle = TrustBundle::Given(bundle);
    config.socket_path = folder.join("agent.sock");
    config.join_token = Some(join_token(&agents, node.clone()).await?);
    config.keys = finial_agent::KeysConfig::Memory;
    config.unix = Some(UnixConfig { discover_workload_path: true, ..UnixConfig::default() });
    finial_agent::build(config, clock).await.context("the agent cannot start")
}

/// Each start joins as a new agent, so what earlier starts left behind would only pile up.
async fn forget_earlier_agents(agents: &AgentClient) -> Result<()> {
    for agent in agents.list_agents(AgentFilter::default()).await.context("the agents cannot be listed")? {
        agents
            .delete_agent(&agent.id)
            .await
            .with_context(|| format!("agent {} cannot be evicted", agent.id))?;
    }
    Ok(())
}

async fn join_token(agents: &AgentClient, node: SpiffeId) -> Result<String> {
    let request = JoinTokenRequest { ttl: Duration::from_secs(60), token: None, agent_id: Some(node) };
    Ok(agents.create_join_token(request).await.context("no join token was made")?.value)
}

fn welcome(agent: &finial_agent::App, server_socket: &Path, node: &SpiffeId) -> String {
    let (domain, socket) = (node.trust_domain(), agent.socket_path().display());
    let server = server_socket.display();
    format!(
        "\
Trust domain {domain} is up. Workloads find their identity here:

  export SPIFFE_ENDPOINT_SOCKET=unix://{socket}

Give the programs of this user an identity, then ask for it:

  finial entry create -socketPath {server} \\
    -parentID {node} -spiffeID {}/hello -selector unix:uid:$(id -u)
  finial api fetch x509

Ctrl-C ends it; the next start joins again by itself.
",
        domain.id()
    )
}

/// `$XDG_STATE_HOME/finial/dev`, else `~/.local/state/finial/dev` (XDG Base Directory).
fn state_folder() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    match set("XDG_STATE_HOME").or_else(|| set("HOME").map(|home| home.join(".local/state"))) {
        Some(state) => Ok(state.join("finial/dev")),
        None => bail!("neither XDG_STATE_HOME nor HOME is set; give --data-dir DIR"),
    }
}
