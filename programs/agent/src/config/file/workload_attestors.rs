//! The workload attestors: one at least, any of those that this version serves.

mod docker;
mod k8s;

use finial_attest::UnixConfig;
use finial_daemon::hcl::{Block, HclError};

use super::plugins::plugin_data;
use crate::config::Config;

pub(super) fn read(plugins: &mut Block, config: &mut Config) -> Result<(), HclError> {
    let found = plugins.take_labelled(KIND)?;
    if found.is_empty() {
        return Err(plugins.error("there is no WorkloadAttestor: add WorkloadAttestor \"unix\" { }"));
    }
    config.unix = None;
    for (name, block) in found {
        match name.as_str() {
            "unix" => config.unix = Some(read_unix(plugin_data(block)?)?),
            "docker" => config.docker = Some(docker::read(plugin_data(block)?)?),
            "k8s" => config.k8s = Some(k8s::read(plugin_data(block)?)?),
            "systemd" => {
                plugin_data(block)?.finish()?;
                config.systemd = true;
            }
            _ => {
                let problem = format!("{KIND} \"{name}\" is not served by this version: use {SERVED}");
                return Err(block.error(&problem));
            }
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

const KIND: &str = "WorkloadAttestor";
const SERVED: &str = "unix, docker, k8s or systemd";
