//! PostgreSQL by SVID, under load, while both sides are given one SVID after the other and the authority is replaced:
//! nobody notices. A helper writes PostgreSQL's files and has it reload them. The load is ours, from a pool and by single
//! connections, and pgbench's with a connection for each transaction.
//!
//! Some rotations in `make test`; 100 and 3 new authorities with `FINIAL_SOAK=1`, as `make soak` sets.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};
use std::time::Duration;

use finial_identity::X509Svid;
use finial_postgres::tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use finial_postgres::tokio_postgres::{Config, Error};
use finial_postgres::{Client, Connector, Pool, PoolSettings, pool};
use finial_testkit::{Postgres, Process, finial, run, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Handle;

use super::{BY_COMMON_NAME, Ground};

/// Rotations and new authorities: (in `make test`, in `make soak`).
const ROTATIONS: (usize, usize) = (6, 100);
const AUTHORITIES: (usize, usize) = (1, 3);
/// Transactions of each kind of load from one rotation to the next, at least.
const BETWEEN: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotations_under_load_fail_no_connection_and_no_transaction() {
    let Some(ground) = Ground::new(BY_COMMON_NAME, "").await else { return };
    run(ground.postgres.client("pgbench").args(["-i", "-q"])).expect_success();
    ground.postgres.ask("GRANT ALL ON ALL TABLES IN SCHEMA public TO app");
    let soak = std::env::var_os("FINIAL_SOAK").is_some();
    let pick = |(test, soaking)| if soak { soaking } else { test };
    let (rotations, authorities) = (pick(ROTATIONS), pick(AUTHORITIES));

    let mut helper = helper(&ground);

    let load = Arc::new(Load::new(&ground));
    let settings = PoolSettings { max_size: 4, renew_after: Some(Duration::ZERO), ..PoolSettings::default() };
    let pool = pool(&ground.connector(), &ground.config(), settings, &ground.tasks);
    for _ in 0..4 {
        let (load, pool) = (Arc::clone(&load), pool.clone());
        ground.tasks.spawn_session("pool", async move { load.use_pool(&pool).await });
    }
    let (single, connector, config) = (Arc::clone(&load), ground.connector(), ground.config());
    ground.tasks.spawn_session("connections", async move { single.use_connector(&connector, &config).await });

    std::thread::scope(|scope| {
        let _over = Over(&load);
        scope.spawn(|| load.pgbench(&ground));
        let mut rotated = Rotated::default();
        for rotation in 1..=rotations {
            rotated.both(&ground, &load);
            if rotation % (rotations / authorities) == 0 {
                rotated.authority(&ground, &load);
            }
        }
    });
    let failures = std::mem::take(&mut *load.failures.lock().expect("failures"));
    assert!(failures.is_empty(), "{} failures: {failures:#?}\n{}", failures.len(), ground.postgres.log());
    let [pooled, single, benches] = load.done.each_ref().map(|done| done.load(Ordering::Relaxed));
    println!(
        "rotations: {rotations}, new authorities: {authorities}; no failure in {pooled} transactions of the pool, {single} \
         single connections, {benches} connections of pgbench"
    );
    assert_eq!(ground.source.refused(), 0);
    helper.kill();
    assert!(!helper.log().contains("ERROR"), "{}", helper.log());
}

/// What the seed of this scenario runs beside PostgreSQL; its files are taken into use.
fn helper(ground: &Ground) -> Process {
    let (folder, port) = (ground.postgres.folder(), ground.postgres.port());
    let (certs, file) = (folder.join("certs"), ground.dev.folder().join("helper.conf"));
    std::fs::create_dir(&certs).expect("a folder");
    std::fs::set_permissions(&certs, PermissionsExt::from_mode(0o755)).expect("its mode");
    let owner = Postgres::user().map(|user| format!("owner = \"{user}\"")).unwrap_or_default();
    let text = CONFIGURATION
        .replace("{agent}", &ground.dev.agent_socket().display().to_string())
        .replace("{psql}", &ground.postgres.client("psql").get_program().to_string_lossy())
        .replace("{folder}", &folder.display().to_string())
        .replace("{port}", &port.to_string());
    std::fs::write(&file, text + &owner).expect("a configuration");
    let mut helper = Process::spawn("helper", Command::new(finial()).args(["helper", "-config"]).arg(&file));
    helper.until("files", || certs.join("svid_bundle.pem").exists().then_some(()));
    for (setting, name) in [("cert", "svid.pem"), ("key", "svid.key"), ("ca", "svid_bundle.pem")] {
        let path = certs.join(name);
        ground.postgres.ask(&format!("ALTER SYSTEM SET ssl_{setting}_file = '{}'", path.display()));
    }
    ground.postgres.reload();
    helper
}

const CONFIGURATION: &str = r#"
agent_address = "{agent}"
cmd = "{psql}"
cmd_args = "-h {folder} -p {port} -U postgres -c \"SELECT pg_reload_conf();\""
cert_dir = "{folder}/certs"
renewSignal = ""
svid_file_name = "svid.pem"
svid_key_file_name = "svid.key"
svid_bundle_file_name = "svid_bundle.pem"
"#;

/// The serial number of the SVID that PostgreSQL shows, by the connector alone.
fn shown(ground: &Ground) -> String {
    let shown = async {
        let mut stream = TcpStream::connect(("127.0.0.1", ground.postgres.port())).await.expect("a server");
        // SSLRequest (PostgreSQL 15 §55.7).
        stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).await.expect("a question");
        assert_eq!(stream.read_u8().await.expect("an answer"), b'S');
        let handshake = MakeTlsConnect::<TcpStream>::make_tls_connect(&mut ground.connector(), "localhost");
        let stream = handshake.expect("a handshake to come").connect(stream).await.expect("a secured stream");
        let chain = stream.stream().get_ref().1.peer_certificates().expect("a certificate").to_vec();
        X509Svid::from_chain(chain).expect("an SVID").serial_number().to_owned()
    };
    tokio::task::block_in_place(|| Handle::current().block_on(shown))
}

/// Ends the load, also when a rotation panics.
struct Over<'a>(&'a Load);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Release);
    }
}

/// Those who use the database all the time, and what went wrong for them.
struct Load {
    /// Where pgbench connects to, with the newest files.
    target: RwLock<String>,
    over: AtomicBool,
    /// Transactions: from the pool, by single connections, by pgbench.
    done: [AtomicUsize; 3],
    failures: Mutex<Vec<String>>,
}

impl Load {
    fn new(ground: &Ground) -> Self {
        let target = RwLock::new(target(ground, 0));
        Self { target, over: AtomicBool::new(false), done: Default::default(), failures: Mutex::default() }
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    fn note(&self, kind: usize, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => drop(self.done[kind].fetch_add(1, Ordering::Relaxed)),
            Err(failure) => self.failures.lock().expect("failures").push(failure),
        }
    }

    /// Waits until everybody has done something more, and nothing was done wrong.
    fn goes_on(&self) {
        let done = || self.done.each_ref().map(|done| done.load(Ordering::Relaxed));
        let before = done();
        until("transactions of everybody", || {
            let failed = !self.failures.lock().expect("failures").is_empty();
            let more = done().iter().zip(before).all(|(now, before)| *now >= before + BETWEEN);
            (failed || more).then_some(())
        });
    }

    async fn use_pool(&self, pool: &Pool) {
        while !self.is_over() {
            let outcome = match pool.get().await {
                Ok(mut client) => transaction(&mut client).await.map_err(|error| format!("{error:?}")),
                Err(error) => Err(format!("{error:?}")),
            };
            self.note(0, outcome);
        }
    }

    async fn use_connector(&self, connector: &Connector, config: &Config) {
        while !self.is_over() {
            let outcome = match connector.connect(config).await {
                Ok((client, connection)) => {
                    let query = async {
                        let answer = client.simple_query("SELECT 1").await.map(drop);
                        drop(client);
                        answer
                    };
                    let (answer, ended) = tokio::join!(query, connection);
                    answer.and(ended).map_err(|error| format!("{error:?}"))
                }
                Err(error) => Err(format!("{error:?}")),
            };
            self.note(1, outcome);
        }
    }

    /// Short runs, each with files that nobody changes any more: libpq reads certificate and key one after the other.
    fn pgbench(&self, ground: &Ground) {
        while !self.is_over() {
            let target = self.target.read().expect("a target").clone();
            let mut pgbench = ground.postgres.client("pgbench");
            let ended = run(pgbench.args(["-C", "-n", "-c", "2", "-t", "5", &target]));
            let is_clean = ended.status.success() && ended.stdout.contains("failed transactions: 0 ");
            let outcome = if is_clean { Ok(()) } else { Err(format!("{}{}", ended.stdout, ended.stderr)) };
            (0..10).for_each(|_| self.note(2, outcome.clone()));
        }
    }
}

async fn transaction(client: &mut Client) -> Result<(), Error> {
    let (update, count) = (
        client.prepare_cached("UPDATE pgbench_tellers SET tbalance = tbalance + 1 WHERE tid = 1").await?,
        client.prepare_cached("SELECT count(*) FROM pgbench_tellers").await?,
    );
    let transaction = client.transaction().await?;
    transaction.execute(&update, &[]).await?;
    transaction.query_one(&count, &[]).await?;
    transaction.commit().await
}

/// How often both sides have been given another SVID.
#[derive(Default)]
struct Rotated(usize);

impl Rotated {
    /// Gives workload and server another SVID each, and goes on when nobody uses an older one.
    fn both(&mut self, ground: &Ground, load: &Load) {
        self.0 += 1;
        let name = format!("r{}", self.0);
        let (ours, theirs) = (own(ground), shown(ground));
        ground.rename("database", &["db.example.org", "localhost", &name]);
        ground.rename("app", &["app", &name]);
        until("another SVID of PostgreSQL", || (shown(ground) != theirs).then_some(()));
        until("another SVID of ours", || (own(ground) != ours).then_some(()));
        self.settle(ground, load);
    }

    /// Lets pgbench have what we have, and waits until no connection is of an older SVID.
    fn settle(&self, ground: &Ground, load: &Load) {
        *load.target.write().expect("a target") = target(ground, self.0);
        let older = format!(
            "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
             WHERE usename = 'app' AND client_serial <> {}",
            own(ground)
        );
        until("end of older connections", || (ground.postgres.ask(&older) == "0").then_some(()));
        load.goes_on();
    }

    /// Replaces the authority; between its steps everybody gets an SVID, and PostgreSQL the bundle with it.
    fn authority(&mut self, ground: &Ground, load: &Load) {
        ground.dev.rotate_ca_slowly(|_| self.both(ground, load));
        load.goes_on();
    }
}

/// Where pgbench connects to with our newest SVID, in files of their own.
fn target(ground: &Ground, rotation: usize) -> String {
    let (libpq, port) = (ground.libpq(&format!("libpq.{rotation}")), ground.postgres.port());
    format!("{} hostaddr=127.0.0.1 port={port} user=app dbname=postgres", libpq.settings())
}

/// The serial number of our SVID.
fn own(ground: &Ground) -> String {
    ground.source.credential().expect("an identity").svid().serial_number().to_owned()
}
