//! `finial proxy run`: any number of proxies, from a configuration file.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use finial_daemon::{
    Clock, descriptors,
    log::{Format, Level, Output},
};
use finial_proxy::ProxyFile;

use super::{Landlock, terminated_after_reloads};
use crate::{logging::Logging, runtime::block_on};

#[derive(Args)]
pub(crate) struct RunFile {
    /// The file, in the format of server.conf; SIGHUP and SIGUSR1 read it again without dropping a connection
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    landlock: Landlock,
    #[command(flatten)]
    logging: Logging,
}

impl RunFile {
    /// Confines the process, which must have no other threads yet, and runs the proxies until SIGINT or SIGTERM.
    pub(crate) fn run(self) -> Result<()> {
        let _level = self.logging.begin(Level::Info, Format::Text, Output::Stdout)?;
        tracing::info!("starting finial proxy with the listeners of {}", self.config.display());
        let reach = self.landlock.confine(ProxyFile::read(&self.config)?.confinement(&self.config));
        descriptors::raise_limit().context("raise the limit of open files")?;
        block_on(async {
            let app = finial_proxy::build_file(&self.config, reach, &Clock::system()).await?;
            let until = terminated_after_reloads(app.reloader());
            app.run(until).await?;
            Ok(())
        })
    }
}
