//! The days of an agent: it attests, serves, is given another SVID and another bundle, stops, and starts again.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use base64::prelude::{BASE64_STANDARD, Engine};
use finial_daemon::Clock;
use finial_identity::{BundleSet, EntryDraft, Role, Selector, SpiffeId, TrustDomain, X509Svid};
use finial_receive::Endpoint;
use finial_testkit::{Fault, Faults, Pair, Process};
use finial_wire::client::{AgentClient, BundleClient, EntryClient, LocalAuthorityClient, WorkloadClient};
use finial_wire::{AgentFilter, JoinTokenRequest};
use futures_util::StreamExt;
use serde_json::Value;
use tonic::transport::Channel;

use super::{Injection, PATIENCE, PAUSE, knows, meanwhile, notes, stop};
use crate::domain::NODE;
use crate::reattestation::provision;

/// How long is waited for what an agent may be unable to do by now.
const HOPE: Duration = Duration::from_secs(2);

struct Story {
    injection: Injection,
    pair: Pair,
    clock: Clock,
    trust_domain: TrustDomain,
    /// By a certificate that counts again and again, or else by a token that counts once.
    has_certificate: bool,
    /// Whether it has served an identity, so that it may not forget who it is.
    has_served: bool,
}

/// Tells it once. Gives how many calls there were, and the first one that met the fault.
pub(super) async fn tell(injection: Injection) -> anyhow::Result<(u64, String)> {
    let mut story = Story::new(injection);
    story.has_certificate = injection.at.is_multiple_of(2);
    let faults = Faults::new(story.pair.path("agent"), injection.fault, injection.calls());
    let mut server = story.start_server().await?;
    let told = async {
        story.days(&faults).await.context("under faults")?;
        story.afterwards().await.context("afterwards")
    };
    told.await.with_context(|| {
        let by = if story.has_certificate { "x509pop" } else { "join_token" };
        format!("struck: {}; an agent of {by}; its server:\n{}\nitself", faults.struck(), server.log())
    })?;
    stop(&mut server, &story.clock).await?;
    Ok((faults.count(), faults.struck()))
}

/// The disk of an agent of a join token takes nothing from the moment on that it serves; then its authority goes. Until then
/// the SVID on the disk counts, which a restart finds, and from then on the one that the disk did not take.
pub(super) async fn outlive_the_authority_without_a_disk() -> anyhow::Result<()> {
    let healthy = Story::new(Injection::NONE);
    let server = healthy.start_server().await?;
    let calls = Faults::new(healthy.pair.path("agent"), Fault::Broken, 0..=0);
    let mut agent = healthy.start(healthy.token().await?.as_deref(), Some(&calls));
    ensure!(healthy.hears(&mut agent, "/web").await?, "{}", agent.log());
    let joined = calls.count();
    drop((agent, server));

    let story = Story::new(Injection::NONE);
    let mut server = story.start_server().await?;
    let faults = Faults::new(story.pair.path("agent"), Fault::Broken, joined + 1..=u64::MAX);
    let mut agent = story.start(story.token().await?.as_deref(), Some(&faults));
    ensure!(story.hears(&mut agent, "/web").await?, "{}", agent.log());
    let authorities = LocalAuthorityClient::new(story.server());
    let old = authorities.x509_authorities().await?.active.context("none is active")?.id;
    let before = story.serial_number().await?;
    let prepared = authorities.prepare_x509().await?.id;
    authorities.activate_x509(&prepared).await?;
    authorities.taint_x509(&old).await?;
    let is_told = async {
        while !agent.log().contains("the new SVID is not used until it is stored") {
            story.clock.sleep(PAUSE).await;
        }
    };
    ensure!(story.clock.timeout(PATIENCE, is_told).await.is_ok(), "{}", agent.log());
    ensure!(!faults.struck().is_empty(), "no fault has struck");
    ensure!(story.serial_number().await? == before, "the SVID on the disk counts no more:\n{}", agent.log());

    authorities.revoke_x509(&old).await?;
    story.entry("/second").await?;
    ensure!(story.hears(&mut agent, "/second").await?, "it did not outlive its authority:\n{}", agent.log());
    ensure!(agent.log().contains("in use, and not stored: a restart would lose it"), "{}", agent.log());
    story.end(agent).await?;
    stop(&mut server, &story.clock).await
}

impl Story {
    fn new(injection: Injection) -> Self {
        Self {
            injection,
            pair: Pair::new(),
            clock: Clock::system(),
            trust_domain: TrustDomain::parse("example.org").unwrap(),
            has_certificate: false,
            has_served: false,
        }
    }

    async fn start_server(&self) -> anyhow::Result<Process> {
        let folder = PathBuf::from(self.pair.path("pki"));
        std::fs::create_dir(&folder)?;
        provision(&folder);
        let attestors = format!(
            "NodeAttestor \"join_token\" {{}}\n\
             NodeAttestor \"x509pop\" {{ plugin_data {{ ca_bundle_path = \"{}\" }} }}",
            folder.join("ca.pem").display()
        );
        // The agent that stops a moment after it has attested does so again at once.
        let limits = "ratelimit { attestation = false }";
        let mut server = Process::spawn("server", &mut self.pair.server_command(limits, &attestors));
        let ready = async {
            loop {
                if let Ok(bundle) = BundleClient::new(self.server()).bundle().await {
                    return bundle;
                }
                self.clock.sleep(PAUSE).await;
            }
        };
        let ready = meanwhile(&mut server, &self.clock, self.clock.timeout(PATIENCE, ready)).await;
        let Some(Ok(bundle)) = ready else { bail!("the server does not start:\n{}", server.log()) };
        std::fs::write(self.pair.path("bundle.pem"), bundle.to_pem())?;
        let selectors = [Selector::parse("x509pop:subject:cn:node")?].into_iter().collect();
        let alias = EntryDraft::new(self.id(NODE), self.trust_domain.server_id(), selectors);
        EntryClient::new(self.server()).create_entry(None, &alias).await?;
        self.entry("/web").await?;
        Ok(server)
    }

    /// Two days with the fault somewhere in them.
    async fn days(&mut self, faults: &Faults) -> anyhow::Result<()> {
        let token = self.token().await?;
        for path in ["/first", "/second"] {
            let mut agent = self.start(token.as_deref(), Some(faults));
            if !self.hears(&mut agent, "/web").await? {
                continue;
            }
            self.has_served = true;
            self.rotate().await?;
            self.entry(path).await?;
            let is_whole = !self.injection.lasting || faults.struck().is_empty();
            let hears = self.hears(&mut agent, path).await?;
            ensure!(hears || !is_whole || agent.ended().is_some(), "no {path}:\n{}", agent.log());
            self.end(agent).await?;
        }
        Ok(())
    }

    /// Without any fault: the agent is who it was, or gets there as its attestor allows.
    async fn afterwards(&mut self) -> anyhow::Result<()> {
        self.injection = Injection::NONE;
        let known = AgentClient::new(self.server()).list_agents(AgentFilter::default()).await?;
        let mut agent = self.start(None, None);
        if !self.hears(&mut agent, "/web").await? {
            let log = agent.log();
            ensure!(!self.has_certificate, "the agent did not come back by its certificate:\n{log}");
            ensure!(!self.has_served, "the agent has served, and lost its identity:\n{log}");
            ensure!(log.contains("token generate"), "the agent does not name the remedy:\n{log}");
            let token = self.token().await?;
            agent = self.start(token.as_deref(), None);
            ensure!(self.hears(&mut agent, "/web").await?, "the remedy does not help:\n{}", agent.log());
        } else if self.has_served {
            let now = AgentClient::new(self.server()).list_agents(AgentFilter::default()).await?;
            ensure!(now.len() == known.len(), "the agent became another: {known:?}, {now:?}");
        }
        self.entry("/after").await?;
        ensure!(self.hears(&mut agent, "/after").await?, "{}", agent.log());
        self.end(agent).await
    }

    fn start(&self, token: Option<&str>, faults: Option<&Faults>) -> Process {
        let file = self.pair.path("agent.conf");
        std::fs::write(&file, self.config(token)).unwrap();
        let mut command = Command::new(finial_testkit::finial());
        command.args(["agent", "run", "-config", &file]);
        if let Some(faults) = faults {
            faults.strike(&mut command);
        }
        let _ = std::fs::remove_file(self.pair.path("agent.sock"));
        Process::spawn("agent", &mut command)
    }

    fn config(&self, token: Option<&str>) -> String {
        let path = |name: &str| self.pair.path(name);
        let token = token.map(|token| format!("join_token = \"{token}\"")).unwrap_or_default();
        let attestor = if self.has_certificate {
            format!(
                "NodeAttestor \"x509pop\" {{ plugin_data {{\nprivate_key_path = \"{}\"\ncertificate_path = \"{}\"\n}} }}",
                path("pki/node.key"),
                path("pki/node.pem")
            )
        } else {
            "NodeAttestor \"join_token\" { plugin_data {} }".to_owned()
        };
        format!(
            "agent {{\ntrust_domain = \"example.org\"\nserver_address = \"127.0.0.1\"\nserver_port = {port}\n\
             data_dir = \"{data}\"\nsocket_path = \"{socket}\"\ntrust_bundle_path = \"{bundle}\"\n{token}\n}}\n\
             plugins {{\n{attestor}\nKeyManager \"disk\" {{ plugin_data {{ directory = \"{data}\" }} }}\n\
             WorkloadAttestor \"unix\" {{ plugin_data {{}} }}\n}}\n",
            port = self.pair.port(),
            data = path("agent"),
            socket = path("agent.sock"),
            bundle = path("bundle.pem"),
        )
    }

    /// Of the SVID by which the server goes.
    async fn serial_number(&self) -> anyhow::Result<String> {
        let agents = AgentClient::new(self.server()).list_agents(AgentFilter::default()).await?;
        Ok(agents.into_iter().next().context("no agent")?.serial_number)
    }

    /// A new token, where the agent attests by one.
    async fn token(&self) -> anyhow::Result<Option<String>> {
        if self.has_certificate {
            return Ok(None);
        }
        let (ttl, agent_id) = (Duration::from_secs(600), Some(self.id(NODE)));
        let request = JoinTokenRequest { ttl, token: None, agent_id };
        Ok(Some(AgentClient::new(self.server()).create_join_token(request).await?.value))
    }

    /// Whether the agent serves this identity, and all that it serves is good. An agent may end when it cannot write
    /// down who it is, and says so.
    async fn hears(&self, agent: &mut Process, path: &str) -> anyhow::Result<bool> {
        let (id, socket) = (self.id(path), self.pair.path("agent.sock"));
        let heard = async {
            loop {
                self.clock.sleep(PAUSE).await;
                if !Path::new(&socket).exists() {
                    continue;
                }
                let Ok(mut stream) = WorkloadClient::new(self.channel("agent.sock")).x509_svids().await
                else {
                    continue;
                };
                while let Some(Ok(context)) = stream.next().await {
                    for credential in &context.credentials {
                        let svid = credential.svid();
                        let verified = svid.verify(&context.bundles, self.clock.now(), Role::Client);
                        verified.with_context(|| format!("{} beside its bundle", svid.id()))?;
                    }
                    if context.credentials.iter().any(|credential| *credential.svid().id() == id) {
                        return anyhow::Ok(());
                    }
                }
            }
        };
        let limit = if self.injection.lasting { HOPE } else { PATIENCE };
        let answer = match meanwhile(agent, &self.clock, self.clock.timeout(limit, heard)).await {
            Some(Ok(heard)) => heard.map(|()| true),
            Some(Err(_)) if self.injection.lasting => Ok(false),
            Some(Err(late)) => Err(anyhow::anyhow!("{late}: no identity {id}:\n{}", agent.log())),
            None => Ok(false),
        };
        let log = agent.log();
        ensure!(!log.contains("panicked"), "{log}");
        answer
    }

    /// Another authority takes over once the agent has written it down. When the agent's own SVID has followed, the one
    /// before leaves the bundle: an operator looks before that.
    async fn rotate(&self) -> anyhow::Result<()> {
        let authorities = LocalAuthorityClient::new(self.server());
        let old = authorities.x509_authorities().await?.active.context("none is active")?.id;
        let prepared = authorities.prepare_x509().await?.id;
        let mut bundle = BundleClient::new(self.server()).bundle().await?;
        if !self.notes(|noted| knows(noted, &bundle)).await {
            return Ok(());
        }
        authorities.activate_x509(&prepared).await?;
        authorities.taint_x509(&old).await?;
        bundle.x509_authorities.retain(|authority| authority.subject_key_id_hex() == prepared);
        let bundles = BundleSet::from_iter([Arc::new(bundle)]);
        let followed = |noted: &Value| {
            let svid = noted["svid"][0].as_str().and_then(|text| BASE64_STANDARD.decode(text).ok());
            let svid = svid.and_then(|pem| X509Svid::parse_pem(&pem).ok());
            svid.is_some_and(|svid| svid.verify(&bundles, self.clock.now(), Role::Client).is_ok())
        };
        if self.notes(followed).await {
            authorities.revoke_x509(&old).await?;
        }
        Ok(())
    }

    /// Whether the agent writes such a thing down, which it does unless it has met its fault.
    async fn notes(&self, is_such: impl Fn(&Value) -> bool) -> bool {
        notes(&self.pair.path("agent/agent-data.json"), &self.clock, HOPE, is_such).await
    }

    async fn end(&self, mut agent: Process) -> anyhow::Result<()> {
        let ended = agent.ended().is_some();
        ensure!(!ended || self.injection.fault.is_deadly(), "the agent ended by itself:\n{}", agent.log());
        stop(&mut agent, &self.clock).await
    }

    async fn entry(&self, path: &str) -> anyhow::Result<()> {
        let user = Selector::new("unix", format!("uid:{}", rustix::process::geteuid().as_raw()))?;
        let draft = EntryDraft::new(self.id(path), self.id(NODE), [user].into_iter().collect());
        EntryClient::new(self.server()).create_entry(None, &draft).await?;
        Ok(())
    }

    fn id(&self, path: &str) -> SpiffeId {
        SpiffeId::new(&self.trust_domain, path).unwrap()
    }

    fn server(&self) -> Channel {
        self.channel("server.sock")
    }

    fn channel(&self, socket: &str) -> Channel {
        finial_receive::connect(&Endpoint::Unix(PathBuf::from(self.pair.path(socket))))
    }
}
