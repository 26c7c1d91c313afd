//! The flags of `finial proxy` that confine it.

use clap::Args;
use finial_daemon::confine::Enforced;
use finial_proxy::Config;

#[derive(Args)]
pub(crate) struct Landlock {
    /// Do not confine the proxy, by Landlock, to the files and TCP ports that its flags name
    #[arg(long = "disable-landlock")]
    disabled: bool,
}

impl Landlock {
    /// Confines this process to what the configuration needs, before there are threads. What is not enforced is told,
    /// and the proxy goes on, as ghostunnel does.
    pub(crate) fn confine(&self, config: &Config) {
        if self.disabled {
            return;
        }
        tracing::info!("setting up landlock rules to limit process privileges");
        match config.confinement().enforce() {
            Ok(Enforced::Fully | Enforced::Partly) => {}
            Ok(Enforced::Not) => tracing::warn!("warning: unable to set up landlock: this kernel has none"),
            Err(error) => tracing::warn!("warning: unable to set up landlock: {error}"),
        }
    }
}
