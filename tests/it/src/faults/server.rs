//! The days of a server: it starts, issues, rotates its authority, registers entries, stops, and starts again.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use finial_daemon::Clock;
use finial_identity::{
    Audience, Bundle, BundleSet, EntryDraft, EntryId, JwtSvid, Role, Selector, SpiffeId, TrustDomain,
    X509Svid,
};
use finial_receive::Endpoint;
use finial_testkit::{Faults, Pair, Process};
use finial_wire::client::{AgentClient, BundleClient, EntryClient, LocalAuthorityClient, WorkloadClient};
use finial_wire::{EntryFilter, JoinTokenRequest};
use futures_util::StreamExt;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::{Injection, PATIENCE, PAUSE, knows, meanwhile, notes, stop};

/// How often a server that met a passing fault is asked again.
const ATTEMPTS: usize = 20;
/// How long is waited for what a server may be unable to do by now.
const HOPE: Duration = Duration::from_secs(2);
const AUDIENCE: &str = "db";

/// What the server has promised so far.
#[derive(Default)]
struct Told {
    entries: BTreeSet<EntryId>,
    deleted: BTreeSet<EntryId>,
    svids: Vec<X509Svid>,
    tokens: Vec<String>,
    /// The authorities that it said were prepared, the newest last, and the one it said was active.
    prepared: Vec<String>,
    active: Option<String>,
    federated: bool,
    joined: bool,
}

struct Story {
    injection: Injection,
    pair: Pair,
    clock: Clock,
    trust_domain: TrustDomain,
    told: Told,
}

/// Tells it once. Gives how many calls there were, and the first one that met the fault.
pub(super) async fn tell(injection: Injection) -> anyhow::Result<(u64, String)> {
    loop {
        let clock = Clock::system();
        let mut story = Story {
            injection,
            pair: Pair::new(),
            clock,
            trust_domain: TrustDomain::parse("example.org").unwrap(),
            told: Told::default(),
        };
        let faults = Faults::new(story.pair.path("server"), injection.fault, injection.calls());
        let told = async {
            story.first_day(&faults).await.context("the first day")?;
            story.second_day(&faults).await.context("the second day")?;
            story.afterwards().await.context("afterwards")
        };
        match told.await {
            // Somebody else took the port in between, which has nothing to do with this story.
            Err(error) if format!("{error:#}").contains("Address already in use") => {}
            Err(error) => return Err(error.context(format!("struck: {}", faults.struck()))),
            Ok(()) => return Ok((faults.count(), faults.struck())),
        }
    }
}

impl Story {
    async fn first_day(&mut self, faults: &Faults) -> anyhow::Result<()> {
        let Some(mut server) = self.start(Some(faults)).await? else { return Ok(()) };
        self.entry(&mut server, "/web").await?;
        let agent = self.agent(&mut server).await?;
        self.hear(&mut server, agent.as_ref(), "/web").await?;
        self.rotate(&mut server, agent.as_ref()).await?;
        self.entry(&mut server, "/one").await?;
        let short_lived = self.entry(&mut server, "/two").await?;
        self.delete(&mut server, short_lived).await?;
        self.federate(&mut server).await?;
        self.hear(&mut server, agent.as_ref(), "/one").await?;
        self.end(server, agent).await
    }

    async fn second_day(&mut self, faults: &Faults) -> anyhow::Result<()> {
        let Some(mut server) = self.start(Some(faults)).await? else { return Ok(()) };
        self.entry(&mut server, "/second").await?;
        let agent = self.agent(&mut server).await?;
        self.hear(&mut server, agent.as_ref(), "/second").await?;
        self.end(server, agent).await
    }

    /// Without any fault: all that was promised is so, and all works.
    async fn afterwards(&mut self) -> anyhow::Result<()> {
        self.injection = Injection::NONE;
        let mut server = self.start(None).await?.context("the server does not start again")?;
        let bundle = self.bundle().await?;
        let (bundles, now) = (BundleSet::from_iter([Arc::new(bundle.clone())]), self.clock.now());
        for svid in &self.told.svids {
            svid.verify(&bundles, now, Role::Client)
                .with_context(|| format!("{} was handed out", svid.id()))?;
        }
        for token in &self.told.tokens {
            JwtSvid::verify(token, AUDIENCE, &bundles, now).context("a JWT-SVID was handed out")?;
        }
        let entries = EntryClient::new(self.server()).list_entries(EntryFilter::default()).await?;
        let entries: BTreeSet<_> = entries.into_iter().map(|entry| entry.id).collect();
        ensure!(
            entries.is_superset(&self.told.entries),
            "lost: {:?}",
            self.told.entries.difference(&entries)
        );
        ensure!(entries.is_disjoint(&self.told.deleted), "back again: {:?}", self.told.deleted);
        if self.told.federated {
            ensure!(BundleClient::new(self.server()).count_bundles().await? == 2, "the other bundle is lost");
        }
        self.check_authorities(&bundle).await?;

        self.entry(&mut server, "/after").await?;
        let agent = self.agent(&mut server).await?;
        self.hear(&mut server, agent.as_ref(), "/after").await?;
        self.end(server, agent).await
    }

    async fn check_authorities(&self, bundle: &Bundle) -> anyhow::Result<()> {
        let states = LocalAuthorityClient::new(self.server()).x509_authorities().await?;
        let active = states.active.context("no authority is active")?.id;
        let known: Vec<_> = bundle.x509_authorities.iter().map(|it| it.subject_key_id_hex()).collect();
        ensure!(known.contains(&active), "{active} signs, and the bundle holds {known:?}");
        if let Some(promised) = &self.told.active {
            ensure!(*promised == active, "{promised} was activated, and {active} is active");
        } else if let Some(promised) = self.told.prepared.last() {
            ensure!(known.contains(promised), "{promised} was prepared, and the bundle holds {known:?}");
        }
        let mut files = std::fs::read_dir(self.pair.path("server"))?;
        ensure!(files.all(|file| !file.unwrap().path().display().to_string().contains("corrupt")));
        let keys: serde_json::Value =
            serde_json::from_slice(&std::fs::read(self.pair.path("server/keys.json"))?)?;
        let keys: Vec<_> = keys["keys"].as_object().context("no keys")?.keys().collect();
        ensure!(keys.len() <= 4, "there are two slots of each kind, and these keys: {keys:?}");
        Ok(())
    }

    /// `None` when it has met its fault before it was ready.
    async fn start(&self, faults: Option<&Faults>) -> anyhow::Result<Option<Process>> {
        let mut command = self.pair.server_command("", "NodeAttestor \"join_token\" {}");
        if let Some(faults) = faults {
            faults.strike(&mut command);
        }
        let mut server = Process::spawn("server", &mut command);
        let ready = async {
            while BundleClient::new(self.server()).bundle().await.is_err() {
                self.clock.sleep(PAUSE).await;
            }
        };
        let ready = meanwhile(&mut server, &self.clock, self.clock.timeout(PATIENCE, ready)).await;
        let log = server.log();
        ensure!(!log.contains("panicked"), "{log}");
        match ready {
            Some(Ok(())) => Ok(Some(server)),
            Some(Err(late)) => bail!("{late}: the server is not ready:\n{log}"),
            None => {
                let struck = faults.is_some_and(|faults| !faults.struck().is_empty());
                ensure!(struck, "the server does not start:\n{log}");
                Ok(None)
            }
        }
    }

    /// Asks until the answer is good. `None` when the server was killed, or is not what it was by a lasting fault.
    async fn ask<T>(
        &self,
        server: &mut Process,
        what: &str,
        call: impl AsyncFn() -> Result<T, Status>,
    ) -> anyhow::Result<Option<T>> {
        let mut said = String::new();
        for _ in 0..ATTEMPTS {
            match meanwhile(server, &self.clock, self.clock.timeout(PATIENCE, call())).await {
                Some(Ok(Ok(answer))) => return Ok(Some(answer)),
                Some(Ok(Err(status))) => said = format!("{:?}: {}", status.code(), status.message()),
                Some(Err(late)) => bail!("{what}: {late}"),
                None if self.injection.fault.is_deadly() => return Ok(None),
                None => bail!("the server ended by itself:\n{}", server.log()),
            }
            if self.injection.lasting {
                return Ok(None);
            }
            self.clock.sleep(PAUSE).await;
        }
        bail!("{what} fails on and on: {said}\n{}", server.log());
    }

    async fn entry(&mut self, server: &mut Process, path: &str) -> anyhow::Result<Option<EntryId>> {
        let user = Selector::new("unix", format!("uid:{}", rustix::process::geteuid().as_raw()))?;
        let draft = EntryDraft::new(self.id(path), self.id("/node"), [user].into_iter().collect());
        let entries = EntryClient::new(self.server());
        let created = self.ask(server, path, async || entries.create_entry(None, &draft).await).await?;
        let id = created.map(|created| created.entry.id.clone());
        self.told.entries.extend(id.clone());
        Ok(id)
    }

    async fn delete(&mut self, server: &mut Process, id: Option<EntryId>) -> anyhow::Result<()> {
        let Some(id) = id else { return Ok(()) };
        self.told.entries.remove(&id);
        let entries = EntryClient::new(self.server());
        let deleted = self.ask(server, "deletion", async || match entries.delete_entry(&id).await {
            Err(status) if status.code() == Code::NotFound => Ok(()),
            other => other,
        });
        if deleted.await?.is_some() {
            self.told.deleted.insert(id);
        }
        Ok(())
    }

    async fn federate(&mut self, server: &mut Process) -> anyhow::Result<()> {
        let other = Bundle::empty(TrustDomain::parse("other.example")?);
        let bundles = BundleClient::new(self.server());
        let set = self.ask(server, "federation", async || bundles.set_federated_bundle(&other).await).await?;
        self.told.federated |= set.is_some();
        Ok(())
    }

    /// Another authority takes over once the agent has written it down, and the one before is tainted, so that all it
    /// signed is issued anew.
    async fn rotate(&mut self, server: &mut Process, agent: Option<&Process>) -> anyhow::Result<()> {
        let authorities = LocalAuthorityClient::new(self.server());
        let states = self.ask(server, "authorities", async || authorities.x509_authorities().await).await?;
        let Some(old) = states.and_then(|states| states.active) else { return Ok(()) };
        let prepared = self.ask(server, "preparation", async || authorities.prepare_x509().await).await?;
        let Some(next) = prepared.map(|prepared| prepared.id) else { return Ok(()) };
        self.told.prepared.push(next.clone());
        if agent.is_some() && !self.agent_knows_all().await {
            return Ok(());
        }
        let activated =
            self.ask(server, "activation", async || match authorities.activate_x509(&next).await {
                // It was done, although its server could not say so.
                Err(_) if is_active(&authorities, &next).await => Ok(()),
                other => other.map(drop),
            });
        if activated.await?.is_some() {
            self.told.active = Some(next);
            self.ask(server, "taint", async || authorities.taint_x509(&old.id).await).await?;
        }
        Ok(())
    }

    async fn agent_knows_all(&self) -> bool {
        let Ok(bundle) = self.bundle().await else { return false };
        notes(&self.pair.path("agent/agent-data.json"), &self.clock, HOPE, |noted| knows(noted, &bundle))
            .await
    }

    /// An agent of this server: it joins by a new token, unless it has joined before.
    async fn agent(&mut self, server: &mut Process) -> anyhow::Result<Option<Process>> {
        let bundles = BundleClient::new(self.server());
        let Some(bundle) = self.ask(server, "bundle", async || bundles.bundle().await).await? else {
            return Ok(None);
        };
        let file = self.pair.path("bundle.pem");
        std::fs::write(&file, bundle.to_pem())?;
        let mut said = String::new();
        // A fault may cost a token: then the operator makes another.
        for _ in 0..3 {
            let token = if self.told.joined { Some(None) } else { self.token(server).await?.map(Some) };
            let Some(token) = token else { return Ok(None) };
            let mut command = self.pair.agent_command(&["-trustBundle", &file]);
            if let Some(token) = token {
                command.args(["-joinToken", &token]);
            }
            let mut agent = Process::spawn("agent", &mut command);
            let joined = async {
                while !agent.log().contains("the Workload API is served") && agent.ended().is_none() {
                    self.clock.sleep(PAUSE).await;
                }
                agent.ended().is_none()
            };
            let limit = if self.injection.lasting { HOPE } else { PATIENCE };
            match meanwhile(server, &self.clock, self.clock.timeout(limit, joined)).await {
                Some(Ok(true)) => {
                    self.told.joined = true;
                    return Ok(Some(agent));
                }
                Some(Err(_)) if self.injection.lasting => return Ok(None),
                None if self.injection.fault.is_deadly() => return Ok(None),
                None => bail!("the server ended by itself:\n{}", server.log()),
                Some(_) => said = agent.log(),
            }
            ensure!(
                !self.told.joined,
                "the agent has joined, and does not come back:\n{said}\n{}",
                server.log()
            );
            if self.injection.lasting {
                return Ok(None);
            }
        }
        bail!("the agent cannot join:\n{said}\n{}", server.log());
    }

    async fn token(&self, server: &mut Process) -> anyhow::Result<Option<String>> {
        let agents = AgentClient::new(self.server());
        let agent_id = Some(self.id("/node"));
        let request = JoinTokenRequest { ttl: Duration::from_secs(600), token: None, agent_id };
        let token = self.ask(server, "token", async || agents.create_join_token(request.clone()).await);
        Ok(token.await?.map(|token| token.value))
    }

    /// A workload gets its identity, and all that it gets is good.
    async fn hear(
        &mut self,
        server: &mut Process,
        agent: Option<&Process>,
        path: &str,
    ) -> anyhow::Result<()> {
        let Some(agent) = agent else { return Ok(()) };
        let (id, workload) = (self.id(path), WorkloadClient::new(self.channel("agent.sock")));
        let active = self.told.active.clone();
        let heard = async {
            loop {
                let Ok(mut stream) = workload.x509_svids().await else {
                    self.clock.sleep(PAUSE).await;
                    continue;
                };
                while let Some(Ok(context)) = stream.next().await {
                    let svids: Vec<_> = context.credentials.iter().map(|it| it.svid().clone()).collect();
                    for svid in &svids {
                        let verified = svid.verify(&context.bundles, self.clock.now(), Role::Client);
                        verified.with_context(|| format!("{} beside its bundle", svid.id()))?;
                    }
                    if svids.iter().any(|svid| *svid.id() == id) {
                        return anyhow::Ok(svids);
                    }
                }
            }
        };
        let limit = if self.injection.lasting { HOPE } else { PATIENCE };
        let svids = match meanwhile(server, &self.clock, self.clock.timeout(limit, heard)).await {
            Some(Ok(svids)) => svids?,
            Some(Err(_)) if self.injection.lasting => return Ok(()),
            Some(Err(late)) => bail!("{late}: no identity {id}:\n{}\n{}", agent.log(), server.log()),
            None => return Ok(()),
        };
        let audience = Audience::new([AUDIENCE])?;
        let tokens = self.ask(server, "JWT-SVID", async || workload.jwt_svids(&audience, Some(&id)).await);
        let tokens: Vec<_> =
            tokens.await?.unwrap_or_default().iter().map(|it| it.token().to_owned()).collect();
        // What the workload was told, and what anybody may ask the server for.
        if let Some(Ok(bundle)) = meanwhile(server, &self.clock, self.bundle()).await {
            let bundles = BundleSet::from_iter([Arc::new(bundle)]);
            for svid in &svids {
                let verified = svid.verify(&bundles, self.clock.now(), Role::Client);
                verified.with_context(|| {
                    format!("{} under the server's bundle; active: {active:?}", svid.id())
                })?;
            }
            for token in &tokens {
                JwtSvid::verify(token, AUDIENCE, &bundles, self.clock.now()).context("a JWT-SVID")?;
            }
        }
        self.told.svids.extend(svids);
        self.told.tokens.extend(tokens);
        Ok(())
    }

    /// Stops both in order. A server that was not killed has lived on until now, whatever it met.
    async fn end(&mut self, mut server: Process, agent: Option<Process>) -> anyhow::Result<()> {
        if let Some(mut agent) = agent {
            ensure!(agent.ended().is_none(), "the agent ended by itself:\n{}", agent.log());
            stop(&mut agent, &self.clock).await.context("the agent")?;
        }
        let ended = server.ended().is_some();
        ensure!(!ended || self.injection.fault.is_deadly(), "the server ended by itself:\n{}", server.log());
        stop(&mut server, &self.clock).await?;
        let log = server.log();
        ensure!(!log.contains("panicked"), "{log}");
        Ok(())
    }

    async fn bundle(&self) -> Result<Bundle, Status> {
        BundleClient::new(self.server()).bundle().await
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

async fn is_active(authorities: &LocalAuthorityClient, id: &str) -> bool {
    let states = authorities.x509_authorities().await;
    states.is_ok_and(|states| states.active.is_some_and(|active| active.id == id))
}
