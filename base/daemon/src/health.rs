//! The block `health_checks { }`, and the two pages that tell an orchestrator whether to wait, or to start this program
//! afresh: per part of the program, as SPIRE has them.

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::hcl::{Block, HclError, Key};
use crate::pages::{Page, Pages};
use crate::{Clock, Tasks};

/// Where health is told. The names in the file are SPIRE's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthConfig {
    /// A name or an address; `localhost`.
    pub bind_address: String,
    /// With 0 the operating system chooses; 80.
    pub bind_port: u16,
    /// Whether the program lives; `/live`.
    pub live_path: String,
    /// Whether it can serve; `/ready`.
    pub ready_path: String,
}

/// The keys of the block.
pub const KEYS: &[Key] = &[
    Key::works("health_checks", ""),
    Key::works("health_checks.bind_address", "localhost"),
    Key::works("health_checks.bind_port", "80"),
    Key::works("health_checks.listener_enabled", "false"),
    Key::works("health_checks.live_path", "/live"),
    Key::works("health_checks.ready_path", "/ready"),
];

/// How one part of a program is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// What is wrong so that only a new start may help: by the key that it is told under.
    pub dead: Option<(&'static str, String)>,
    /// What is wrong so that nobody should ask for anything now.
    pub unready: Option<(&'static str, String)>,
}

/// Every part of a program that can be asked how it is.
#[derive(Clone, Default)]
pub struct Checks {
    parts: Vec<(&'static str, Arc<Check>)>,
}

type Check = dyn Fn() -> Condition + Send + Sync;

impl Default for HealthConfig {
    fn default() -> Self {
        Self {
            bind_address: "localhost".to_owned(),
            bind_port: 80,
            live_path: "/live".to_owned(),
            ready_path: "/ready".to_owned(),
        }
    }
}

impl HealthConfig {
    /// Binds the port.
    ///
    /// # Errors
    /// The operating system's.
    pub async fn bind(&self) -> io::Result<Pages> {
        Pages::bind((self.bind_address.as_str(), self.bind_port)).await
    }

    /// Takes the block `health_checks { }` of a configuration; `None` without one, or when `listener_enabled` is not true.
    ///
    /// # Errors
    /// By line and column.
    pub fn take(top: &mut Block) -> Result<Option<Self>, HclError> {
        let Some(mut block) = top.take_block("health_checks")? else { return Ok(None) };
        let defaults = Self::default();
        let is_enabled = block.take("listener_enabled")?.unwrap_or(false);
        let config = Self {
            bind_address: block.take("bind_address")?.unwrap_or(defaults.bind_address),
            bind_port: block.take("bind_port")?.unwrap_or(defaults.bind_port),
            live_path: path(&mut block, "live_path")?.unwrap_or(defaults.live_path),
            ready_path: path(&mut block, "ready_path")?.unwrap_or(defaults.ready_path),
        };
        if config.live_path == config.ready_path {
            return Err(
                block.error_at("ready_path", "live_path and ready_path are the same: choose another for one")
            );
        }
        block.finish()?;
        Ok(is_enabled.then_some(config))
    }
}

fn path(block: &mut Block, key: &'static str) -> Result<Option<String>, HclError> {
    match block.take::<String>(key)? {
        Some(path) if !path.starts_with('/') => {
            Err(block.error_at(key, &format!("{key} must begin with a slash: `/{path}`")))
        }
        path => Ok(path),
    }
}

impl Condition {
    /// All is well.
    pub fn well() -> Self {
        Self::default()
    }

    /// The part lives, and cannot serve now.
    pub fn unready(key: &'static str, problem: impl fmt::Display) -> Self {
        Self { dead: None, unready: Some((key, problem.to_string())) }
    }
}

impl Checks {
    /// Adds a part. `check` must not wait.
    pub fn add(&mut self, part: &'static str, check: impl Fn() -> Condition + Send + Sync + 'static) {
        self.parts.push((part, Arc::new(check)));
    }

    /// Answers on `pages` until the tasks are drained.
    pub fn serve(self, pages: Pages, config: HealthConfig, clock: &Clock, tasks: &Tasks) {
        pages.serve("health", move |path| self.page(&config, path), clock, tasks);
    }

    fn page(&self, config: &HealthConfig, path: &str) -> Page {
        let is_live = path == config.live_path;
        if !is_live && path != config.ready_path {
            return Page::not_found();
        }
        let (mut told, mut is_well) = (Map::new(), true);
        for (part, check) in &self.parts {
            let condition = check();
            let problem = if is_live { condition.dead } else { condition.dead.or(condition.unready) };
            is_well &= problem.is_none();
            let details = problem.map(|(key, problem)| (key.to_owned(), Value::String(problem)));
            told.insert((*part).to_owned(), Value::Object(details.into_iter().collect()));
        }
        let code = if is_well { 200 } else { 500 };
        Page { code, kind: Page::JSON, body: Value::Object(told).to_string() }
    }
}

impl fmt::Debug for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.parts.iter().map(|(part, _)| part)).finish()
    }
}
