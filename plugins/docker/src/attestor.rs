//! The `docker` attestor: which engine is asked about which container, how often, and what comes of it.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Once;
use std::time::Duration;

use async_trait::async_trait;
use finial_attest::{AttestError, Container, PinnedProcess, WorkloadAttestor};
use finial_daemon::Clock;
use finial_identity::Selector;
use tokio::sync::Semaphore;

use crate::config::DockerConfig;
use crate::engine::{Engine, Inspection};
use crate::error::DockerError;
use crate::memory::Memory;

/// The type of the selectors.
pub(crate) const KIND: &str = "docker";

/// Attests by what Docker or Podman knows about the container of a process.
///
/// Selectors: `docker:label:com.example.name:web`, `docker:env:STAGE=prod`, `docker:image_id:nginx:1.27`,
/// `docker:image_config_digest:sha256:<hex>`. A process in no container has none, and no engine is asked about it; nor
/// has one whose container the engine does not know.
pub struct DockerAttestor {
    config: DockerConfig,
    clock: Clock,
    memory: Memory,
    questions: Semaphore,
}

impl DockerAttestor {
    /// An attestor with these settings. Engines need not be running yet.
    pub fn new(config: DockerConfig, clock: Clock) -> Self {
        let memory = Memory::new(clock.clone());
        Self { config, clock, memory, questions: Semaphore::new(MAX_QUESTIONS) }
    }

    fn container(&self, process: &PinnedProcess) -> Result<Option<Container>, AttestError> {
        match &self.config.id_patterns {
            Some(patterns) => Container::matching(process, |path| patterns.find(path)),
            None => Container::of(process),
        }
    }

    /// The engine that made a container, if it is one to be believed.
    fn engine(&self, container: &Container) -> Option<Engine> {
        let config = &self.config;
        match (container.is_podman, container.owner) {
            (false, None) => Some(Engine { socket: config.docker_socket.clone(), owner: None }),
            (true, None) => Some(Engine { socket: config.podman_socket.clone(), owner: None }),
            (true, Some(uid)) => match &config.podman_socket_template {
                Some(template) => Some(Engine { socket: template.of(uid), owner: Some(uid) }),
                None => {
                    tell_once(&TOLD_OF_PODMAN, uid);
                    None
                }
            },
            // A user's own Docker. The administrator's knows nothing of it, and a control group of a user may bear
            // the name of any container.
            (false, Some(_)) => None,
        }
    }

    async fn selectors(&self, container: &Container) -> Result<Vec<Selector>, DockerError> {
        let Some(engine) = self.engine(container) else { return Ok(Vec::new()) };
        if let Some(known) = self.memory.recall(&engine, &container.id) {
            return Ok(known);
        }
        let _turn = self.questions.acquire().await;
        if let Some(known) = self.memory.recall(&engine, &container.id) {
            return Ok(known);
        }
        let Some(inspection) = self.inspect(&engine, container).await? else { return Ok(Vec::new()) };
        let selectors = inspection.selectors();
        self.memory.remember(engine, container.id.clone(), selectors.clone());
        Ok(selectors)
    }

    /// Asks again for a while about a container that the engine does not know: it may just have begun. Not about one
    /// of a pod, which is usually another engine's.
    async fn inspect(
        &self,
        engine: &Engine,
        container: &Container,
    ) -> Result<Option<Inspection>, DockerError> {
        let mut tries = if container.pod_uid.is_some() { 1 } else { TRIES };
        loop {
            let found = engine.inspect(&container.id, self.config.api_version.as_ref(), &self.clock).await?;
            tries -= 1;
            if found.is_some() || tries == 0 {
                return Ok(found);
            }
            self.clock.sleep(PAUSE).await;
        }
    }
}

#[async_trait]
impl WorkloadAttestor for DockerAttestor {
    fn kind(&self) -> &str {
        KIND
    }

    async fn attest(&self, process: &PinnedProcess) -> Result<Vec<Selector>, AttestError> {
        match self.container(process)? {
            Some(container) => Ok(self.selectors(&container).await?),
            None => Ok(Vec::new()),
        }
    }
}

impl fmt::Debug for DockerAttestor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DockerAttestor").field("config", &self.config).finish_non_exhaustive()
    }
}

fn tell_once(told: &Once, uid: u32) {
    told.call_once(|| {
        tracing::info!(
            uid,
            "A caller is in a container of the Podman of user {uid}, which is not asked: set \
             podman_socket_path_template to believe what users' engines say about their containers"
        );
    });
}

static TOLD_OF_PODMAN: Once = Once::new();

/// How many questions are under way at a time, to all engines together.
const MAX_QUESTIONS: usize = 32;
/// How often an engine is asked about a container that it does not know.
const TRIES: usize = 4;
/// And how long is waited in between.
const PAUSE: Duration = Duration::from_millis(250);
