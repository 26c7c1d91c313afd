//! The settings of the `docker` workload attestor, and a refusal by name of those that SPIRE has and this version has not.

use finial_daemon::hcl::{Block, HclError};
use finial_plugin_docker::{DockerConfig, IdPatterns};

use crate::config::keys::PLUGINS;

pub(super) fn read(mut settings: Block) -> Result<DockerConfig, HclError> {
    let mut docker = DockerConfig::default();
    if let Some(socket) = settings.take_parsed("docker_socket_path")? {
        docker.docker_socket = socket;
    }
    if let Some(socket) = settings.take_parsed("podman_socket_path")? {
        docker.podman_socket = socket;
    }
    docker.podman_socket_template = settings.take_parsed("podman_socket_path_template")?;
    docker.api_version = settings.take_parsed("docker_version")?;
    docker.id_patterns = read_id_patterns(&mut settings)?;
    settings.take_unserved(PLUGINS, "plugins.WorkloadAttestor.docker")?;
    settings.finish()?;
    Ok(docker)
}

/// SPIRE's rule: patterns are for those who have switched the locator off.
fn read_id_patterns(settings: &mut Block) -> Result<Option<IdPatterns>, HclError> {
    let patterns = settings.take::<Vec<String>>(MATCHERS)?.filter(|patterns| !patterns.is_empty());
    let uses_locator = settings.take::<bool>("use_new_container_locator")?.unwrap_or(true);
    let Some(patterns) = patterns else { return Ok(None) };
    if uses_locator {
        let problem = "container_id_cgroup_matchers are used only with use_new_container_locator = false: \
                       remove them, or set it";
        return Err(settings.error_at(MATCHERS, problem));
    }
    let patterns = IdPatterns::parse(patterns.iter().map(String::as_str));
    patterns.map(Some).map_err(|problem| settings.error_at(MATCHERS, &format!("{MATCHERS}: {problem}")))
}

const MATCHERS: &str = "container_id_cgroup_matchers";
