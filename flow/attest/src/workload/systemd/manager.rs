//! The four questions to `org.freedesktop.systemd1` (systemd's D-Bus interface) and one to the bus itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use zbus::wire::{DynamicType, OwnedObjectPath, OwnedVariant};
use zbus::{Connection, Error, Fd, Message, fdo};

use crate::{AttestError, PinnedProcess};

/// systemd, at the other end of a connection.
#[derive(Clone)]
pub(super) struct Manager {
    connection: Connection,
    /// Whether it has shown that it is older than 255 and has no `GetUnitByPIDFD`.
    is_old: Arc<AtomicBool>,
}

/// A unit, by its properties `Id` and `FragmentPath`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) id: String,
    /// Empty when it comes from no file.
    pub(super) fragment_path: String,
}

impl Manager {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, is_old: Arc::default() }
    }

    /// The unit of a process; none when it belongs to none.
    pub(super) async fn unit(&self, process: &PinnedProcess) -> Result<Option<Unit>, AttestError> {
        let found = match self.is_old.load(Ordering::Relaxed) {
            true => self.by_pid(process).await,
            false => self.by_pidfd(process).await,
        };
        match found {
            Ok(path) => self.properties(path).await.map(Some),
            Err(Failure::Zbus(Error::MethodError(name, ..))) if name.as_str() == NO_UNIT => Ok(None),
            Err(Failure::Zbus(error)) => Err(broken(error)),
            Err(Failure::Attest(error)) => Err(error),
        }
    }

    async fn by_pidfd(&self, process: &PinnedProcess) -> Result<OwnedObjectPath, Failure> {
        match self.ask("GetUnitByPIDFD", &Fd::from(process.pidfd())).await {
            Ok(answer) => Ok(answer.body().deserialize::<(OwnedObjectPath, String, Vec<u8>)>()?.0),
            // The bus of an older systemd lets root ask what nobody answers, and stops everybody else.
            Err(Error::FDO(error))
                if matches!(*error, fdo::Error::UnknownMethod(_) | fdo::Error::AccessDenied(_)) =>
            {
                self.is_old.store(true, Ordering::Relaxed);
                self.by_pid(process).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The process stays pinned while systemd looks: its id can mean no other.
    async fn by_pid(&self, process: &PinnedProcess) -> Result<OwnedObjectPath, Failure> {
        self.check_numbers().await?;
        let pid = u32::try_from(process.pid()).unwrap_or_default();
        let answer = self.ask("GetUnitByPID", &pid).await?;
        process.still_the_same().map_err(AttestError::from)?;
        Ok(answer.body().deserialize::<OwnedObjectPath>()?)
    }

    /// Makes sure that the bus, and so systemd, counts processes as `/proc` does here.
    async fn check_numbers(&self) -> Result<(), Failure> {
        // A connection without a bus between has no name, and nobody to ask.
        let Some(name) = self.connection.unique_name() else { return Ok(()) };
        let asked = name.as_str();
        let answer =
            self.connection.call_method(Some(BUS), BUS_PATH, Some(BUS), "GetConnectionUnixProcessID", &asked);
        let theirs: u32 = answer.await?.body().deserialize()?;
        let ours = std::process::id();
        if theirs == ours { Ok(()) } else { Err(AttestError::OtherPidNamespace { ours, theirs }.into()) }
    }

    async fn properties(&self, unit: OwnedObjectPath) -> Result<Unit, AttestError> {
        let id = self.property(&unit, "Id").await?;
        Ok(Unit { id, fragment_path: self.property(&unit, "FragmentPath").await? })
    }

    async fn property(&self, unit: &OwnedObjectPath, name: &str) -> Result<String, AttestError> {
        let asked = (UNIT, name);
        let answer =
            self.connection.call_method(Some(SYSTEMD), unit.as_str(), Some(PROPERTIES), "Get", &asked);
        let read = |answer: Message| String::try_from(answer.body().deserialize::<OwnedVariant>()?);
        answer.await.and_then(read).map_err(broken)
    }

    async fn ask(&self, method: &str, argument: &(impl Serialize + DynamicType)) -> zbus::Result<Message> {
        self.connection
            .call_method(Some(SYSTEMD), "/org/freedesktop/systemd1", Some(MANAGER), method, argument)
            .await
    }
}

/// Why there is no unit.
enum Failure {
    Zbus(Error),
    Attest(AttestError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Zbus(error)
    }
}

impl From<AttestError> for Failure {
    fn from(error: AttestError) -> Self {
        Self::Attest(error)
    }
}

fn broken(source: Error) -> AttestError {
    AttestError::SystemBus { source: source.into() }
}

const BUS: &str = "org.freedesktop.DBus";
const BUS_PATH: &str = "/org/freedesktop/DBus";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const SYSTEMD: &str = "org.freedesktop.systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const UNIT: &str = "org.freedesktop.systemd1.Unit";
const NO_UNIT: &str = "org.freedesktop.systemd1.NoUnitForPID";
