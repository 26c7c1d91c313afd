//! `finial agent run` and `validate`.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use finial_agent::{Config, TrustBundle};
use finial_daemon::{Clock, log::Output, umask};
use finial_identity::TrustDomain;

use crate::{
    logging::Logging,
    output,
    server::{read_file, terminated},
};

/// Where SPIRE's agent looks for its configuration.
const DEFAULT_CONFIG: &str = "conf/agent/agent.conf";

/// What may come from the file, from flags, or from both: flags win.
#[derive(Args)]
struct Settings {
    /// Configuration file, as SPIRE's [default: conf/agent/agent.conf, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Replace $VARIABLES in the configuration file
    #[arg(long = "expandEnv", visible_alias = "expand-env", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = clap::ArgAction::Set)]
    expand_env: bool,
    /// Trust domain of the server
    #[arg(long = "trustDomain", visible_alias = "trust-domain", value_name = "NAME")]
    trust_domain: Option<String>,
    /// Name or address of the server
    #[arg(long = "serverAddress", visible_alias = "server-address", value_name = "HOST")]
    server_address: Option<String>,
    /// Port of the server
    #[arg(long = "serverPort", visible_alias = "server-port", value_name = "PORT")]
    server_port: Option<u16>,
    /// Folder for the agent's own identity and keys
    #[arg(long = "dataDir", visible_alias = "data-dir", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Token from `finial token generate`, with which the agent attests once
    #[arg(long = "joinToken", visible_alias = "join-token", value_name = "TOKEN", hide_env_values = true)]
    join_token: Option<String>,
    /// File with the server's CA certificates, from `finial bundle show`
    #[arg(long = "trustBundle", visible_alias = "trust-bundle", value_name = "FILE")]
    trust_bundle: Option<PathBuf>,
    /// Path of the Workload API's Unix socket
    #[arg(long = "socketPath", visible_alias = "socket-path", value_name = "PATH")]
    socket_path: Option<PathBuf>,
    #[command(flatten)]
    logging: Logging,
}

#[derive(Args)]
pub(crate) struct Run {
    #[command(flatten)]
    settings: Settings,
}

impl Run {
    pub(crate) async fn run(self) -> Result<()> {
        umask::restrict();
        let config = self.settings.read()?;
        let _level = self.settings.logging.begin(
            config.log_level,
            config.log_format,
            config.log_file.clone().map_or(Output::Stdout, Output::File),
        )?;
        let app = finial_agent::build(config, &Clock::system()).await.context("the agent cannot start")?;
        app.run(terminated()).await
    }
}

#[derive(Args)]
pub(crate) struct Validate {
    #[command(flatten)]
    settings: Settings,
}

impl Validate {
    pub(crate) fn run(self) -> Result<()> {
        self.settings.read()?;
        output::print("SPIRE agent configuration file is valid.\n");
        Ok(())
    }
}

impl Settings {
    fn read(&self) -> Result<Config> {
        let mut config = match read_file(self.config.as_ref(), DEFAULT_CONFIG, self.expand_env)? {
            Some((text, file)) => Config::from_hcl(&text, &file)?,
            None => {
                let (Some(domain), Some(address), Some(port), Some(folder)) =
                    (&self.trust_domain, &self.server_address, self.server_port, &self.data_dir)
                else {
                    bail!(
                        "give -config FILE, or all of -trustDomain, -serverAddress, -serverPort and -dataDir"
                    );
                };
                Config::new(TrustDomain::parse(domain).context("-trustDomain")?, address, port, folder)
            }
        };
        if let Some(trust_domain) = &self.trust_domain {
            config.trust_domain = TrustDomain::parse(trust_domain).context("-trustDomain")?;
        }
        if let Some(address) = &self.server_address {
            config.server_address.clone_from(address);
        }
        if let Some(port) = self.server_port {
            config.server_port = port;
        }
        if let Some(folder) = &self.data_dir {
            config.move_to(folder);
        }
        if let Some(token) = &self.join_token {
            config.join_token = Some(token.clone());
        }
        if let Some(file) = &self.trust_bundle {
            config.trust_bundle = TrustBundle::File(file.clone());
        }
        if let Some(path) = &self.socket_path {
            config.socket_path.clone_from(path);
        }
        Ok(config)
    }
}
