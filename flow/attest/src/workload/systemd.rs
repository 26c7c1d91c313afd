//! The `systemd` attestor: the unit of the service manager that a process belongs to.

mod bus;
mod manager;
#[cfg(test)]
mod tests;

use std::time::Duration;

use async_trait::async_trait;
use finial_daemon::Clock;
use finial_identity::Selector;

use self::bus::Bus;
use super::WorkloadAttestor;
use crate::{AttestError, PinnedProcess};

/// Attests by what the system's service manager knows, asked over the system bus of D-Bus.
///
/// Selectors: `systemd:id:nginx.service`, `systemd:fragment_path:/lib/systemd/system/nginx.service`. A process of no unit
/// has none; a unit that comes from no file has no path.
///
/// systemd 255 and later is asked by pidfd. Before that it is asked by process id, which only means something when the
/// bus counts processes as this program does; whether it does is checked.
#[derive(Debug)]
pub struct SystemdAttestor {
    bus: Bus,
    clock: Clock,
}

impl SystemdAttestor {
    /// An attestor that asks the system bus, at `DBUS_SYSTEM_BUS_ADDRESS` or where it usually is.
    pub fn new(clock: Clock) -> Self {
        Self { bus: Bus::system(), clock }
    }
}

#[async_trait]
impl WorkloadAttestor for SystemdAttestor {
    fn kind(&self) -> &str {
        KIND
    }

    async fn attest(&self, process: &PinnedProcess) -> Result<Vec<Selector>, AttestError> {
        let answer = self.clock.timeout(LIMIT, self.bus.unit(process)).await;
        // What did not answer in time may never do so again.
        let unit = answer.unwrap_or_else(|late| {
            self.bus.forget();
            Err(late.into())
        })?;
        let Some(unit) = unit else { return Ok(Vec::new()) };
        let path = Some(unit.fragment_path).filter(|path| !path.is_empty());
        let values = [Some(format!("id:{}", unit.id)), path.map(|path| format!("fragment_path:{path}"))];
        // Has a type and, with the name, a value: never refused.
        Ok(values.into_iter().flatten().filter_map(|value| Selector::new(KIND, value).ok()).collect())
    }
}

const KIND: &str = "systemd";
/// How long all questions about one process may take.
const LIMIT: Duration = Duration::from_secs(5);
