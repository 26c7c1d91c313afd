//! The workload attestors: one at least, any of those that this version serves.

mod docker;
mod k8s;

use finial_attest::UnixConfig;
use finial_daemon::hcl::{Block, HclError};

use crate::config::Config;
use crate::config::keys::PLUGINS;

const SERVED: [&str; 4] = ["unix", "docker", "k8s", "systemd"];

pub(super) fn read(plugins: &mut Block, config: &mut Config) -> Result<(), HclError> {
    let found = plugins.take_plugins("WorkloadAttestor")?;
    if found.is_empty() {
        return Err(plugins.error("there is no WorkloadAttestor: add WorkloadAttestor \"unix\" { }"));
    }
    config.unix = None;
    for plugin in found {
        match plugin.name.as_str() {
            "unix" => config.unix = Some(read_unix(plugin.settings)?),
            "docker" => config.docker = Some(docker::read(plugin.settings)?),
            "k8s" => config.k8s = Some(k8s::read(plugin.settings)?),
            "systemd" => {
                plugin.settings.finish()?;
                config.systemd = true;
            }
            _ => return Err(plugin.unserved(PLUGINS, &SERVED)),
        }
    }
    Ok(())
}

fn read_unix(mut settings: Block) -> Result<UnixConfig, HclError> {
    let unix = UnixConfig {
        discover_workload_path: settings.take("discover_workload_path")?.unwrap_or_default(),
        workload_size_limit: settings.take("workload_size_limit")?.unwrap_or_default(),
    };
    settings.finish()?;
    Ok(unix)
}
