//! Tests of the systemd attestor, against a service manager that answers what it is told to.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use finial_daemon::Tasks;
use futures_util::StreamExt;
use tokio::net::UnixListener;
use zbus::wire::{ObjectPath, Variant};
use zbus::{Connection, MessageStream, connection};

use super::manager::Manager;
use super::*;
use crate::testing::Peer;

/// What the manager says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    /// Knows the process, as systemd 255 does.
    New,
    /// Knows it by its id only.
    Old,
    /// As that, and the bus lets nobody but root ask what it does not know.
    OldAndStrict,
    /// Knows no unit of it.
    NoUnit,
    /// Has a unit that comes from no file.
    NoFile,
    /// Gives a number for a name.
    Lies,
    /// Is not on the bus.
    Absent,
    Hangs,
}

/// A service manager and the connection to it.
struct Systemd {
    manager: Manager,
    calls: Arc<Mutex<Vec<String>>>,
    tasks: Tasks,
}

impl Systemd {
    async fn start(mood: Mood) -> Self {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let server = connection::Builder::unix_stream(theirs).server(zbus::Guid::generate()).p2p();
        let client = connection::Builder::unix_stream(ours).p2p();
        let (server, client) = tokio::join!(server.build(), client.build());
        let (tasks, calls) = (Tasks::new(Clock::system()), Arc::default());
        tasks.spawn("systemd", answer(server.unwrap(), mood, Arc::clone(&calls)));
        Self { manager: Manager::new(client.unwrap()), calls, tasks }
    }

    fn attestor(&self, clock: Clock) -> SystemdAttestor {
        SystemdAttestor { bus: Bus::connected("unix:path=/nowhere/bus", self.manager.clone()), clock }
    }

    fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

async fn answer(server: Connection, mood: Mood, calls: Arc<Mutex<Vec<String>>>) {
    let mut messages = MessageStream::from(&server);
    let unit = ObjectPath::try_from("/org/freedesktop/systemd1/unit/web_2eservice").unwrap();
    while let Some(Ok(message)) = messages.next().await {
        let header = message.header();
        let member = header.member().unwrap().as_str().to_owned();
        calls.lock().unwrap().push(member.clone());
        let fails = |name: &'static str| server.reply_error(&header, name, &"");
        let done = match (member.as_str(), mood) {
            (_, Mood::Hangs) => continue,
            (_, Mood::Absent) => fails("org.freedesktop.DBus.Error.ServiceUnknown").await,
            ("GetUnitByPIDFD", Mood::Old) => fails("org.freedesktop.DBus.Error.UnknownMethod").await,
            ("GetUnitByPIDFD", Mood::OldAndStrict) => fails("org.freedesktop.DBus.Error.AccessDenied").await,
            (_, Mood::NoUnit) => fails("org.freedesktop.systemd1.NoUnitForPID").await,
            ("GetUnitByPIDFD", _) => {
                assert!(message.body().deserialize::<zbus::OwnedFd>().is_ok());
                server.reply(&header, &(&unit, "web.service", vec![0u8; 16])).await
            }
            ("GetUnitByPID", _) => server.reply(&header, &unit).await,
            ("Get", Mood::Lies) => server.reply(&header, &Variant::from(7u32)).await,
            ("Get", _) => {
                let body = message.body();
                let (interface, property): (&str, &str) = body.deserialize().unwrap();
                assert_eq!(interface, "org.freedesktop.systemd1.Unit");
                let value = match (property, mood) {
                    ("Id", _) => "web.service",
                    ("FragmentPath", Mood::NoFile) => "",
                    ("FragmentPath", _) => "/lib/systemd/system/web.service",
                    other => panic!("{other:?}"),
                };
                server.reply(&header, &Variant::from(value)).await
            }
            other => panic!("{other:?}"),
        };
        done.unwrap();
    }
}

async fn attest(systemd: &Systemd) -> Result<Vec<String>, AttestError> {
    let selectors = systemd.attestor(Clock::system()).attest(&Peer::connect().pin()).await?;
    Ok(selectors.iter().map(ToString::to_string).collect())
}

const FOUND: [&str; 2] = ["systemd:id:web.service", "systemd:fragment_path:/lib/systemd/system/web.service"];

#[tokio::test]
async fn unit_is_found_by_pidfd() {
    let systemd = Systemd::start(Mood::New).await;
    assert_eq!(attest(&systemd).await.unwrap(), FOUND);
    assert_eq!(systemd.calls(), ["GetUnitByPIDFD", "Get", "Get"]);
}

#[tokio::test]
async fn older_systemd_is_asked_by_process_id_and_remembered_to_be_old() {
    for mood in [Mood::Old, Mood::OldAndStrict] {
        let systemd = Systemd::start(mood).await;
        for _ in 0..2 {
            assert_eq!(attest(&systemd).await.unwrap(), FOUND);
        }
        assert_eq!(
            systemd.calls(),
            ["GetUnitByPIDFD", "GetUnitByPID", "Get", "Get", "GetUnitByPID", "Get", "Get"]
        );
    }
}

#[tokio::test]
async fn process_of_no_unit_has_no_selectors() {
    assert_eq!(attest(&Systemd::start(Mood::NoUnit).await).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn unit_that_comes_from_no_file_has_no_path() {
    assert_eq!(attest(&Systemd::start(Mood::NoFile).await).await.unwrap(), FOUND[..1]);
}

#[tokio::test]
async fn answer_of_another_type_is_refused() {
    let systemd = Systemd::start(Mood::Lies).await;
    let refused = systemd.manager.unit(&Peer::connect().pin()).await.unwrap_err();
    assert!(matches!(refused, AttestError::SystemBus { .. }), "{refused}");
}

#[tokio::test]
async fn systemd_that_is_not_on_the_bus_fails_with_its_name() {
    let refused = attest(&Systemd::start(Mood::Absent).await).await.unwrap_err();
    assert!(refused.to_string().starts_with("systemd gave no answer over the system bus"), "{refused}");
}

#[tokio::test]
async fn bus_that_is_not_there_fails_with_its_name() {
    let attestor = SystemdAttestor { bus: Bus::at("unix:path=/nowhere/bus"), clock: Clock::system() };
    let refused = attestor.attest(&Peer::connect().pin()).await.unwrap_err();
    assert!(refused.to_string().starts_with("systemd gave no answer over the system bus"), "{refused}");
}

#[tokio::test]
async fn broken_connection_is_made_anew() {
    let systemd = Systemd::start(Mood::New).await;
    let attestor = systemd.attestor(Clock::system());
    assert!(attestor.attest(&Peer::connect().pin()).await.is_ok());
    systemd.tasks.stop(Duration::ZERO).await;
    let refused = attestor.attest(&Peer::connect().pin()).await.unwrap_err();
    // The address leads nowhere: a new connection was tried.
    assert!(std::error::Error::source(&refused).unwrap().to_string().contains("No such file"), "{refused:?}");
}

#[tokio::test]
async fn systemd_that_hangs_is_left_after_its_time() {
    let systemd = Systemd::start(Mood::Hangs).await;
    let (clock, hand) = Clock::manual(SystemTime::UNIX_EPOCH);
    let attestor = systemd.attestor(clock);
    let process = Peer::connect().pin();
    let passes = async {
        hand.sleepers(1).await;
        hand.step(LIMIT);
    };
    let (answer, ()) = tokio::join!(attestor.attest(&process), passes);
    assert_eq!(answer.unwrap_err().to_string(), "no answer within 5s");
}

#[tokio::test]
async fn bus_that_accepts_and_says_nothing_is_left_after_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("bus");
    let _listener = UnixListener::bind(&socket).unwrap();
    let (clock, hand) = Clock::manual(SystemTime::UNIX_EPOCH);
    let attestor = SystemdAttestor { bus: Bus::at(&format!("unix:path={}", socket.display())), clock };
    let process = Peer::connect().pin();
    let passes = async {
        hand.sleepers(1).await;
        hand.step(LIMIT);
    };
    let (answer, ()) = tokio::join!(attestor.attest(&process), passes);
    assert_eq!(answer.unwrap_err().to_string(), "no answer within 5s");
}
