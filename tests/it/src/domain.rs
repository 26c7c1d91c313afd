//! A trust domain in this process: server and agent, joined, on one clock.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    time::Duration,
};

use finial_agent::{Config as AgentConfig, TrustBundle};
use finial_daemon::{Clock, ClockHand, Tasks};
use finial_identity::{Bundle, Entry, EntryDraft, Selector, SpiffeId, TrustDomain};
use finial_receive::Endpoint;
use finial_server::{App as Server, Config as ServerConfig, KeysConfig, NodeAttestorsConfig};
use finial_wire::{
    AgentFilter, JoinTokenRequest, X509Context,
    client::{AgentClient, BundleClient, EntryClient, LocalAuthorityClient, WorkloadClient},
};
use futures_util::{StreamExt, stream::BoxStream};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tonic::{Code, Status, transport::Channel};

/// How often something is asked that must come in the end.
pub(crate) const QUESTIONS: u32 = 5_000;

/// The name below which entries hang.
pub(crate) const NODE: &str = "/node";

/// One program that runs in this process until it is stopped or dropped.
pub(crate) struct Running {
    stop: Option<oneshot::Sender<()>>,
    outcome: oneshot::Receiver<anyhow::Result<()>>,
}

impl Running {
    fn start<F: Future<Output = anyhow::Result<()>> + Send + 'static>(
        tasks: &Tasks,
        name: &'static str,
        run: impl FnOnce(oneshot::Receiver<()>) -> F,
    ) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (ended, outcome) = oneshot::channel();
        let running = run(stopped);
        tasks.spawn(name, async move {
            // Nobody has to wait for the outcome.
            let _ = ended.send(running.await);
        });
        Self { stop: Some(stop), outcome }
    }

    /// Stops it as SIGTERM would, and gives what `run` gave.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        drop(self.stop.take());
        self.outcome.await.expect("the program's task ended without an outcome")
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<()> {
        (&mut self.outcome).await.expect("the program's task ended without an outcome")
    }
}

/// A server and what belongs to it on disk. The agent is started on demand.
pub(crate) struct Domain {
    pub(crate) clock: Clock,
    pub(crate) tasks: Tasks,
    pub(crate) trust_domain: TrustDomain,
    pub(crate) port: u16,
    pub(crate) server: Option<Running>,
    node_attestors: NodeAttestorsConfig,
    /// Where the server keeps its keys; `None` for the default.
    pub(crate) server_keys: Option<KeysConfig>,
    folder: TempDir,
}

impl Domain {
    /// Starts a server with SPIRE's defaults.
    pub(crate) async fn start(clock: &Clock) -> Self {
        Self::start_with(clock, NodeAttestorsConfig::default()).await
    }

    /// Starts a server that attests agents in these ways.
    pub(crate) async fn start_with(clock: &Clock, node_attestors: NodeAttestorsConfig) -> Self {
        let mut domain = Self::new(clock, node_attestors);
        domain.start_server().await;
        domain
    }

    /// A domain whose server was never started.
    pub(crate) fn new(clock: &Clock, node_attestors: NodeAttestorsConfig) -> Self {
        Self {
            clock: clock.clone(),
            tasks: Tasks::new(clock.clone()),
            trust_domain: TrustDomain::parse("example.org").unwrap(),
            port: 0,
            server: None,
            node_attestors,
            server_keys: None,
            folder: tempfile::Builder::new().prefix("finial").tempdir().unwrap(),
        }
    }

    /// Starts the server (again), on the port it had.
    pub(crate) async fn start_server(&mut self) {
        self.try_start_server().await.unwrap();
    }

    pub(crate) async fn try_start_server(&mut self) -> anyhow::Result<()> {
        let app: Server = finial_server::build(self.server_config(), &self.clock).await?;
        self.port = app.address().port();
        self.server = Some(Running::start(&self.tasks, "server", |stopped| {
            app.run(async {
                let _ = stopped.await;
            })
        }));
        Ok(())
    }

    pub(crate) async fn stop_server(&mut self) {
        self.server.take().expect("the server runs").stop().await.unwrap();
    }

    pub(crate) fn server_config(&self) -> ServerConfig {
        let mut config = ServerConfig::new(self.trust_domain.clone(), &self.path("server"));
        config.bind_address = Ipv4Addr::LOCALHOST.into();
        config.bind_port = self.port;
        config.socket_path = self.path("server.sock");
        config.node_attestors = self.node_attestors.clone();
        if let Some(keys) = &self.server_keys {
            config.keys = keys.clone();
        }
        config
    }

    /// What an agent needs to join: a fresh token and the bundle.
    pub(crate) async fn agent_config(&self) -> AgentConfig {
        let mut config = self.agent_config_without_token().await;
        config.join_token = Some(self.join_token().await);
        config
    }

    pub(crate) async fn agent_config_without_token(&self) -> AgentConfig {
        let mut config =
            AgentConfig::new(self.trust_domain.clone(), "127.0.0.1", self.port, self.path("agent"));
        config.trust_bundle = TrustBundle::Given(self.bundle().await);
        config.socket_path = self.path("agent.sock");
        config
    }

    pub(crate) async fn start_agent(&self) -> Running {
        self.start_agent_with(self.agent_config().await).await.unwrap()
    }

    pub(crate) async fn start_agent_with(&self, config: AgentConfig) -> anyhow::Result<Running> {
        self.start_agent_by(&self.clock, config).await
    }

    /// Starts an agent that has a clock of its own.
    pub(crate) async fn start_agent_by(&self, clock: &Clock, config: AgentConfig) -> anyhow::Result<Running> {
        let app = finial_agent::build(config, clock).await?;
        Ok(Running::start(&self.tasks, "agent", |stopped| {
            app.run(async {
                let _ = stopped.await;
            })
        }))
    }

    pub(crate) async fn join_token(&self) -> String {
        let agent_id = Some(self.id(NODE));
        let request = JoinTokenRequest { ttl: Duration::from_secs(600), token: None, agent_id };
        self.agents().create_join_token(request).await.unwrap().value
    }

    pub(crate) async fn bundle(&self) -> Bundle {
        BundleClient::new(self.server_channel()).bundle().await.unwrap()
    }

    /// Gives this very process an identity.
    pub(crate) async fn entry_for_this_process(&self, path: &str) -> Entry {
        self.entry(path, &format!("unix:uid:{}", rustix::process::geteuid().as_raw())).await
    }

    pub(crate) async fn entry(&self, path: &str, selector: &str) -> Entry {
        let selectors = [Selector::parse(selector).unwrap()].into_iter().collect();
        let draft = EntryDraft::new(self.id(path), self.id(NODE), selectors);
        self.entries().create_entry(None, &draft).await.unwrap().entry.as_ref().clone()
    }

    pub(crate) fn id(&self, path: &str) -> SpiffeId {
        SpiffeId::new(&self.trust_domain, path).unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Opens a stream of X.509-SVIDs as a client does: it asks again as long as there is no identity yet.
    pub(crate) async fn x509_svids(&self) -> (BoxStream<'static, Result<X509Context, Status>>, X509Context) {
        for _ in 0..QUESTIONS {
            match self.workload().x509_svids().await {
                Ok(mut stream) => {
                    let context = stream.next().await.unwrap().unwrap();
                    return (stream, context);
                }
                Err(status) if status.code() == Code::PermissionDenied => {}
                Err(status) => panic!("{status}"),
            }
        }
        panic!("no identity after {QUESTIONS} questions");
    }

    /// Waits for `answer` while time passes: a twentieth of a second with each question that the server answers.
    pub(crate) async fn meanwhile<T>(&self, hand: &ClockHand, answer: impl Future<Output = T>) -> T {
        let passing = async {
            for _ in 0..QUESTIONS {
                hand.step(Duration::from_millis(50));
                self.agents().list_agents(AgentFilter::default()).await.unwrap();
            }
        };
        tokio::select! {
            answer = answer => answer,
            () = passing => panic!("no answer after {QUESTIONS} questions"),
        }
    }

    /// The serial number of the only agent's certificate.
    pub(crate) async fn agents_serial_number(&self) -> String {
        self.agents().list_agents(AgentFilter::default()).await.unwrap().remove(0).serial_number
    }

    /// Waits until the only agent has another certificate than this one.
    pub(crate) async fn agents_certificate_after(&self, serial_number: &str) {
        for _ in 0..QUESTIONS {
            if self.agents_serial_number().await != serial_number {
                return;
            }
        }
        panic!("no other certificate after {QUESTIONS} questions");
    }

    pub(crate) fn agents(&self) -> AgentClient {
        AgentClient::new(self.server_channel())
    }

    pub(crate) fn entries(&self) -> EntryClient {
        EntryClient::new(self.server_channel())
    }

    pub(crate) fn authorities(&self) -> LocalAuthorityClient {
        LocalAuthorityClient::new(self.server_channel())
    }

    pub(crate) fn workload(&self) -> WorkloadClient {
        WorkloadClient::new(self.agent_channel())
    }

    pub(crate) fn agent_channel(&self) -> Channel {
        channel(&self.path("agent.sock"))
    }

    fn server_channel(&self) -> Channel {
        channel(&self.path("server.sock"))
    }
}

fn channel(socket: &Path) -> Channel {
    finial_receive::connect(&Endpoint::Unix(socket.to_owned()))
}
