//! The flags of `finial proxy` that confine it.

use clap::Args;
use finial_daemon::confine::{Confinement, Enforced, Reach};

#[derive(Args)]
pub(crate) struct Landlock {
    /// Do not confine the proxy, by Landlock, to the files and TCP ports that its flags or its file name
    #[arg(long = "disable-landlock")]
    disabled: bool,
}

impl Landlock {
    /// Confines this process to what it needs, before there are threads, and gives what it then reaches. What is not
    /// enforced is told, and the proxy goes on, as ghostunnel does.
    pub(crate) fn confine(&self, needs: Confinement) -> Option<Reach> {
        if self.disabled {
            return None;
        }
        tracing::info!("setting up landlock rules to limit process privileges");
        let reach = needs.reach();
        match needs.enforce() {
            Ok(Enforced::Fully | Enforced::Partly) => return Some(reach),
            Ok(Enforced::Not) => tracing::warn!("warning: unable to set up landlock: this kernel has none"),
            Err(error) => tracing::warn!("warning: unable to set up landlock: {error}"),
        }
        None
    }
}
