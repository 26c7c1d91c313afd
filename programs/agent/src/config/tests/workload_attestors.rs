//! The workload attestors of `agent.conf`.

mod docker;

use finial_attest::UnixConfig;
use finial_plugin_docker::DockerConfig;

use super::{AGENT, PLUGINS, read};
use crate::Config;

/// The configuration with these workload attestors.
fn text(attestors: &str) -> String {
    AGENT.to_owned() + &PLUGINS.replace("WorkloadAttestor \"unix\" { plugin_data { } }", attestors)
}

/// The configuration with one workload attestor that has these settings.
fn with(attestor: &str, settings: &str) -> String {
    text(&format!("WorkloadAttestor \"{attestor}\" {{ plugin_data {{\n{settings}\n}} }}"))
}

/// Makes sure that the configuration is refused with this problem, at a line among the plugins.
fn refused(text: &str, problem: &str) {
    let refused = Config::from_hcl(text, "agent.conf").unwrap_err().to_string();
    assert!(refused.contains(problem), "{refused}");
    let line = refused.strip_prefix("agent.conf:").and_then(|rest| rest.split(':').next());
    assert!(line.is_some_and(|line| line.parse::<u32>().is_ok_and(|line| line > 5)), "{refused}");
}

#[test]
fn several_attestors_may_be_configured() {
    let kinds = ["unix", "docker", "k8s", "systemd"];
    let config = read(&text(&kinds.map(|kind| format!("WorkloadAttestor \"{kind}\" {{ }}")).join("\n")));
    assert_eq!(config.unix, Some(UnixConfig::default()));
    assert_eq!(config.docker, Some(DockerConfig::default()));
    assert!(config.k8s.is_some() && config.systemd);
}

#[test]
fn only_what_is_configured_attests() {
    let config = read(&text("WorkloadAttestor \"systemd\" { plugin_data { } }"));
    assert_eq!((config.unix, config.docker, config.systemd), (None, None, true));
    assert!(config.k8s.is_none());
}

#[test]
fn bad_attestors_are_refused_by_name_and_line() {
    for (attestors, problem) in [
        ("WorkloadAttestor \"windows\" { }", "is not supported: it is for Windows, use unix"),
        (
            "WorkloadAttestor \"slurm\" { }",
            "WorkloadAttestor \"slurm\" is not supported yet: use \"unix\" or \"docker\" or \"k8s\" or \"systemd\"",
        ),
        ("WorkloadAttestor \"unix\" { }\n WorkloadAttestor \"unix\" { }", "\"unix\"` appears twice"),
        ("WorkloadAttestor \"systemd\" { plugin_data { id = 1 } }", "unknown key \"id\""),
    ] {
        refused(&text(attestors), problem);
    }
}
