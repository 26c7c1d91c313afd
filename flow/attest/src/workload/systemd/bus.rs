//! The connection to the system bus: kept, and made anew when it has broken.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zbus::connection::{Builder, Connection};

use super::manager::{Manager, Unit};
use crate::{AttestError, PinnedProcess};

/// The system bus.
pub(super) struct Bus {
    address: Option<String>,
    kept: Mutex<Option<Manager>>,
}

impl Bus {
    pub(super) fn system() -> Self {
        Self { address: None, kept: Mutex::default() }
    }

    /// A bus at this address.
    #[cfg(test)]
    pub(super) fn at(address: &str) -> Self {
        Self { address: Some(address.to_owned()), kept: Mutex::default() }
    }

    /// A bus that was connected before.
    #[cfg(test)]
    pub(super) fn connected(address: &str, manager: Manager) -> Self {
        Self { address: Some(address.to_owned()), kept: Mutex::new(Some(manager)) }
    }

    /// The unit of a process; none when it belongs to none.
    pub(super) async fn unit(&self, process: &PinnedProcess) -> Result<Option<Unit>, AttestError> {
        let kept = self.kept().clone();
        if let Some(manager) = kept {
            match manager.unit(process).await {
                Err(AttestError::SystemBus { .. }) => self.forget(),
                answer => return answer,
            }
        }
        let manager = self.connect().await?;
        let answer = manager.unit(process).await;
        if !matches!(answer, Err(AttestError::SystemBus { .. })) {
            *self.kept() = Some(manager);
        }
        answer
    }

    /// Begins with a new connection next time.
    pub(super) fn forget(&self) {
        *self.kept() = None;
    }

    async fn connect(&self) -> Result<Manager, AttestError> {
        let builder = match &self.address {
            Some(address) => Builder::address(address.as_str()),
            None => Builder::system(),
        };
        let connected: zbus::Result<Connection> = builder.build().await;
        connected.map(Manager::new).map_err(|source| AttestError::SystemBus { source: source.into() })
    }

    fn kept(&self) -> MutexGuard<'_, Option<Manager>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").field("address", &self.address).finish_non_exhaustive()
    }
}
