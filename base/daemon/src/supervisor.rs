//! What a supervisor such as systemd is told of a program: sd_notify(3), by datagrams to the socket it has named.

#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::Clock;

const SOCKET: &str = "NOTIFY_SOCKET";
const WATCHDOG: &str = "WATCHDOG_USEC";
const WATCHED: &str = "WATCHDOG_PID";

/// Tells a supervisor how the program is, for units with `Type=notify` or `notify-reload`. Without one it tells nobody,
/// at no cost. Clones tell the same one.
#[derive(Clone, Debug, Default)]
pub struct Supervisor {
    socket: Option<Arc<Socket>>,
    /// How often it wants a sign of life.
    watchdog: Option<Duration>,
}

/// Sent to by address each time: the supervisor may bind it anew.
#[derive(Debug)]
struct Socket {
    own: UnixDatagram,
    address: SocketAddr,
}

impl Supervisor {
    /// The one that the environment names: `NOTIFY_SOCKET`, a path or `@` and an abstract name, and `WATCHDOG_USEC` if it
    /// is for this process. A socket that cannot be used is logged, and is as none.
    pub fn from_env() -> Self {
        Self::named(&|name| std::env::var_os(name), std::process::id())
    }

    fn named(variable: &dyn Fn(&str) -> Option<OsString>, process: u32) -> Self {
        let Some(name) = variable(SOCKET).filter(|name| !name.is_empty()) else { return Self::default() };
        let number = |name| variable(name).and_then(|text| text.to_str()?.parse::<u64>().ok());
        let is_watched = variable(WATCHED).is_none() || number(WATCHED) == Some(u64::from(process));
        let watchdog = number(WATCHDOG).filter(|micros| *micros > 0 && is_watched);
        match Socket::new(&name) {
            Ok(socket) => {
                Self { socket: Some(Arc::new(socket)), watchdog: watchdog.map(Duration::from_micros) }
            }
            Err(error) => {
                tracing::warn!(%error, socket = %name.display(), "the supervisor cannot be told of this program");
                Self::default()
            }
        }
    }

    /// The program has started, or has read its files again, and serves; `status` says more to people.
    pub fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={}", one_line(status)));
    }

    /// How the program is, said to people; nothing else changes.
    pub fn status(&self, status: &str) {
        self.tell(&format!("STATUS={}", one_line(status)));
    }

    /// The program begins to read its files again. [`ready`](Self::ready) follows.
    pub fn reloading(&self, status: &str) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}\nSTATUS={}", one_line(status)));
    }

    /// The program takes no more work, and ends when what it has is done.
    pub fn stopping(&self, status: &str) {
        self.tell(&format!("STOPPING=1\nSTATUS={}", one_line(status)));
    }

    /// Gives signs of life for as long as it is polled, twice as often as they are wanted. Never resolves.
    pub async fn keep_alive(&self, clock: &Clock) {
        let Some(interval) = self.watchdog else { return std::future::pending().await };
        loop {
            self.tell("WATCHDOG=1");
            clock.sleep(interval / 2).await;
        }
    }

    fn tell(&self, message: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.own.send_to_addr(message.as_bytes(), &socket.address) {
            tracing::debug!(%error, "the supervisor was not told of this program");
        }
    }
}

/// A second line would be an assignment of its own.
fn one_line(status: &str) -> String {
    status.replace(char::is_control, " ")
}

impl Socket {
    fn new(name: &OsStr) -> io::Result<Self> {
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(name)?,
            _ => return Err(io::Error::other("it is neither an absolute path nor @ and a name")),
        };
        let own = UnixDatagram::unbound()?;
        // A supervisor that does not read must not stop the program.
        own.set_nonblocking(true)?;
        Ok(Self { own, address })
    }
}
