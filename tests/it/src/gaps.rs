//! The server, the agent, or both are away for any time: they come back, say what happened, and go on as far as what
//! they have still counts. A matrix in virtual time.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use anyhow::{Context, ensure};
use finial_agent::{Config as AgentConfig, NodeAttestorConfig, RebootstrapMode, TrustBundle};
use finial_attest::{X509PopConfig, X509PopFiles, X509PopMode};
use finial_daemon::{Clock, ClockHand};
use finial_identity::{BundleSet, EntryDraft, JwtSvid, Role, Selector, X509Svid};
use finial_server::{KeysConfig, NodeAttestorsConfig};
use finial_wire::{AgentFilter, X509Context};
use futures_util::StreamExt;
use tempfile::TempDir;

use crate::cells;
use crate::domain::{Domain, NODE, Running};
use crate::reattestation::provision;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const GAPS: [(&str, Duration); 7] = [
    ("20 minutes", Duration::from_secs(1200)),
    ("1 hour", HOUR),
    ("12 hours", Duration::from_secs(12 * 3600)),
    ("1 day", DAY),
    ("7 days", Duration::from_secs(7 * 86_400)),
    ("30 days", Duration::from_secs(30 * 86_400)),
    ("400 days", Duration::from_secs(400 * 86_400)),
];
/// Into how many steps a gap is cut.
const STEPS: u32 = 60;
/// How long anything may take, by the clock on the wall of the one who waits for the test.
const PATIENCE: Duration = Duration::from_secs(90);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Away {
    Server,
    Agent,
    Both,
}

struct Cell {
    away: Away,
    gap: (&'static str, Duration),
    memory_keys: bool,
    has_certificate: bool,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = match self.away {
            Away::Server => "the server was away",
            Away::Agent => "the agent was away",
            Away::Both => "both were away",
        };
        let keys = if self.memory_keys { "memory" } else { "disk" };
        let attestor = if self.has_certificate { "x509pop" } else { "join_token" };
        write!(f, "{who} for {}, keys in {keys}, {attestor}", self.gap.0)
    }
}

impl Cell {
    /// Whether the agent's SVID has ended meanwhile: it lives for an hour.
    fn outlives_svid(&self) -> bool {
        self.gap.1 >= HOUR
    }

    /// Whether the authorities have: they live for a day.
    fn outlives_authorities(&self) -> bool {
        self.gap.1 >= DAY
    }

    fn server_was_away(&self) -> bool {
        self.away != Away::Agent
    }
}

/// What was logged in this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn begin(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let lines = tracing_subscriber::fmt().with_ansi(false).with_writer(move || log.clone());
        tracing::subscriber::set_default(lines.finish())
    }

    /// The last of it, without what is said over and over.
    fn end(&self) -> String {
        let text = self.text();
        let mut lines: Vec<&str> = text.lines().collect();
        let message = |line: &str| line.split_once("  ").map(|(_, message)| message.to_owned());
        lines.dedup_by_key(|line| message(line));
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

struct Story<'a> {
    cell: &'a Cell,
    domain: Domain,
    hand: ClockHand,
    agent_config: AgentConfig,
    _pki: TempDir,
}

#[test]
fn after_an_absence_of_any_length_all_goes_on_as_far_as_what_is_held_still_counts() {
    let is_soak = std::env::var_os("FINIAL_SOAK").is_some();
    let mut cells = Vec::new();
    for away in [Away::Server, Away::Agent, Away::Both] {
        // All of them in `make soak`.
        for gap in GAPS.into_iter().filter(|gap| is_soak || ["1 hour", "400 days"].contains(&gap.0)) {
            for (memory_keys, has_certificate) in [(false, false), (false, true), (true, false), (true, true)]
            {
                cells.push(Cell { away, gap, memory_keys, has_certificate });
            }
        }
    }
    assert!(cells.len() >= if is_soak { 60 } else { 24 });
    cells::all(&cells, async |cell| {
        let log = Log::default();
        let _guard = log.begin();
        let told = Clock::system().timeout(PATIENCE, Box::pin(tell(cell, &log))).await;
        told.map_err(anyhow::Error::from).flatten().with_context(|| format!("{}\nin the end", log.end()))
    });
}

async fn tell(cell: &Cell, log: &Log) -> anyhow::Result<()> {
    let mut story = Story::begin(cell).await;
    let mut agent = Some(story.domain.start_agent_with(story.agent_config.clone()).await?);
    let before = story.hear("/web").await?;
    story.agent_config.join_token = None;

    if cell.away != Away::Server {
        agent.take().unwrap().stop().await?;
    }
    if cell.server_was_away() {
        story.domain.stop_server().await;
    }
    story.pass().await;
    if cell.server_was_away() {
        story.domain.try_start_server().await.context("the server starts")?;
        story.check_what_the_server_said(&log.text())?;
    }
    story.awake().await?;
    story.publish().await;

    let mut agent = story.bring_back(agent).await?;
    let after = story.hear("/after").await?;
    ensure!(after.len() > before.len(), "an identity got lost");
    if !cell.outlives_svid() {
        let (bundles, now) = (story.bundles().await, story.domain.clock.now());
        for svid in before {
            svid.verify(&bundles, now, Role::Client).context("what was handed out before the absence")?;
        }
    }
    if cell.has_certificate || !cell.outlives_svid() {
        let agents = story.domain.agents().list_agents(AgentFilter::default()).await?;
        ensure!(agents.len() == 1, "the agent has become another: {agents:?}");
    }
    agent.take().unwrap().stop().await
}

impl<'a> Story<'a> {
    async fn begin(cell: &'a Cell) -> Self {
        let (clock, hand) = Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        let pki = tempfile::tempdir().unwrap();
        provision(pki.path());
        let ca_bundle_paths = vec![pki.path().join("ca.pem")];
        let x509pop = X509PopConfig::new(X509PopMode::ExternalPki { ca_bundle_paths });
        let attestors = NodeAttestorsConfig { join_token: true, x509pop: Some(x509pop) };
        let mut domain = Domain::new(&clock, attestors);
        domain.server_keys = cell.memory_keys.then_some(KeysConfig::Memory);
        domain.start_server().await;
        let selectors = [Selector::parse("x509pop:subject:cn:node").unwrap()].into_iter().collect();
        let alias = EntryDraft::new(domain.id(NODE), domain.trust_domain.server_id(), selectors);
        domain.entries().create_entry(None, &alias).await.unwrap();

        let mut config = domain.agent_config_without_token().await;
        if cell.has_certificate {
            config.node_attestor = NodeAttestorConfig::X509Pop(files(pki.path()));
        } else {
            config.join_token = Some(domain.join_token().await);
        }
        config.trust_bundle = TrustBundle::File(domain.path("bundle.pem"));
        config.rebootstrap_mode = RebootstrapMode::Auto;
        config.rebootstrap_delay = MINUTE;
        let story = Self { cell, domain, hand, agent_config: config, _pki: pki };
        story.publish().await;
        story
    }

    /// The operator writes down the server's bundle as it is now.
    async fn publish(&self) {
        std::fs::write(self.domain.path("bundle.pem"), self.domain.bundle().await.to_pem()).unwrap();
    }

    /// Lets the time of the absence pass. What still runs has a moment at each step.
    async fn pass(&self) {
        for _ in 0..STEPS {
            self.hand.step(self.cell.gap.1 / STEPS);
            if self.domain.server.is_some() {
                self.domain.bundle().await;
            }
            for _ in 0..16 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Gives the server, which may have slept all the while, the moment that it needs to sign again.
    async fn awake(&self) -> anyhow::Result<()> {
        let started = self.domain.clock.now();
        let signs = async {
            loop {
                let active = self.domain.authorities().x509_authorities().await?.active;
                let is_valid = active.is_some_and(|it| it.expires_at > self.domain.clock.now() + MINUTE);
                if is_valid && !self.domain.bundle().await.x509_authorities.is_empty() {
                    return anyhow::Ok(());
                }
            }
        };
        self.domain.meanwhile(&self.hand, signs).await?;
        let took = self.domain.clock.now().duration_since(started)?;
        ensure!(took <= MINUTE / 2, "the server takes {took:?} to sign again");
        Ok(())
    }

    fn check_what_the_server_said(&self, log: &str) -> anyhow::Result<()> {
        if self.cell.memory_keys {
            ensure!(log.contains("has lost its key"), "nothing was said of the keys");
        } else if self.cell.outlives_authorities() {
            ensure!(
                log.contains("expired while nobody looked after it"),
                "nothing was said of the authorities"
            );
        } else {
            ensure!(!log.contains("expired while nobody"), "the authorities are well");
        }
        Ok(())
    }

    /// The agent as it is after the absence: by itself, or, where a token was good for one time, by another one.
    async fn bring_back(&self, agent: Option<Running>) -> anyhow::Result<Option<Running>> {
        if self.cell.has_certificate || !self.cell.outlives_svid() {
            return match agent {
                Some(agent) => Ok(Some(agent)),
                None => {
                    let start = Box::pin(self.domain.start_agent_with(self.agent_config.clone()));
                    Ok(Some(self.domain.meanwhile(&self.hand, start).await.context("the agent starts")?))
                }
            };
        }
        let end = match agent {
            Some(mut agent) => self.domain.meanwhile(&self.hand, agent.ended()).await.err(),
            None => {
                let start = Box::pin(self.domain.start_agent_with(self.agent_config.clone()));
                self.domain.meanwhile(&self.hand, start).await.err()
            }
        };
        let end = format!("{:#}", end.context("the agent has no identity, and goes on")?);
        ensure!(end.contains("expired") && end.contains("finial token generate"), "{end}");
        let join_token = Some(self.domain.join_token().await);
        let config = AgentConfig { join_token, ..self.agent_config.clone() };
        let start = Box::pin(self.domain.start_agent_with(config));
        Ok(Some(self.domain.meanwhile(&self.hand, start).await.context("the remedy helps")?))
    }

    /// Gives this process one more identity, and waits until a stream brings it. All it brings is good, tokens too.
    async fn hear(&self, path: &str) -> anyhow::Result<Vec<X509Svid>> {
        self.domain.entry_for_this_process(path).await;
        let wanted = self.domain.id(path);
        let arrival = async {
            loop {
                let Ok(mut stream) = self.domain.workload().x509_svids().await else { continue };
                while let Some(Ok(context)) = stream.next().await {
                    if context.credentials.iter().any(|credential| *credential.svid().id() == wanted) {
                        return context;
                    }
                }
            }
        };
        let X509Context { credentials, bundles, .. } = self.domain.meanwhile(&self.hand, arrival).await;
        let (stored, now) = (self.bundles().await, self.domain.clock.now());
        let svids: Vec<_> = credentials.iter().map(|credential| credential.svid().clone()).collect();
        for svid in svids.iter().filter(|svid| *svid.id() == wanted) {
            svid.verify(&bundles, now, Role::Client).context("beside its bundle")?;
            svid.verify(&stored, now, Role::Client).context("under the server's bundle")?;
        }
        let audience = finial_identity::Audience::new(["db"])?;
        let token = self.domain.workload().jwt_svids(&audience, Some(&wanted)).await?.remove(0);
        JwtSvid::verify(token.token(), "db", &stored, now).context("a JWT-SVID")?;
        Ok(svids)
    }

    async fn bundles(&self) -> BundleSet {
        BundleSet::from_iter([Arc::new(self.domain.bundle().await)])
    }
}

fn files(pki: &Path) -> X509PopFiles {
    X509PopFiles {
        private_key_path: pki.join("node.key"),
        certificate_path: pki.join("node.pem"),
        intermediates_path: None,
    }
}
