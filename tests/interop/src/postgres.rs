//! PostgreSQL, which knows workloads by their SVIDs: from Rust through finial-postgres, and through libpq by psql and
//! pgbench.

mod binding;
mod doors;
mod rotations;
mod trust;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use finial_daemon::{Clock, Tasks};
use finial_identity::ForeignChain;
use finial_postgres::tokio_postgres::{Client, Config};
use finial_postgres::{Connector, Error, Server};
use finial_receive::{Endpoint, Source};
use finial_testkit::{Dev, Finished, LIMIT, Postgres, finial, run, until};

use crate::peers::peer;

const APP: &str = "spiffe://example.org/app";
const DATABASE: &str = "spiffe://example.org/database";
const NODE: &str = "spiffe://example.org/dev/node";
/// The holder of an SVID is the user of its common name.
const BY_COMMON_NAME: &str = "hostssl all all 127.0.0.1/32 cert";

/// A trust domain in which PostgreSQL is [`DATABASE`] and this test is [`APP`].
struct Ground {
    // Before the trust domain, which the source follows.
    tasks: Tasks,
    source: Source,
    postgres: Postgres,
    dev: Dev,
}

impl Ground {
    /// PostgreSQL with these doors and maps; the user `app` is there. `None` after saying that it is not installed.
    async fn new(doors: &str, maps: &str) -> Option<Self> {
        let programs = peer("postgres", Postgres::programs())?;
        let dev = Dev::start();
        // The files are written by the command line, and this test is another program.
        create(&dev, "database", DATABASE, &finial(), &["db.example.org", "localhost"]);
        create(&dev, "app", APP, &std::env::current_exe().expect("this test"), &["app"]);
        let postgres = Postgres::start(&programs, &database_svid(&dev), doors, maps);
        postgres.ask("CREATE ROLE app LOGIN; CREATE ROLE other LOGIN");
        let clock = Clock::system();
        let tasks = Tasks::new(clock.clone());
        let endpoint = Endpoint::parse(&dev.endpoint()).expect("a socket");
        let source = Source::from_workload_api(&endpoint, &clock, &tasks);
        clock.timeout(LIMIT, source.ready()).await.expect("in time").expect("an identity");
        Some(Self { tasks, source, postgres, dev })
    }

    fn connector(&self) -> Connector {
        Connector::new(&self.source, Server::id(DATABASE.parse().expect("an ID")))
    }

    fn config(&self) -> Config {
        let mut config = Config::new();
        config.host("localhost").hostaddr([127, 0, 0, 1].into()).port(self.postgres.port());
        config.user("app").dbname("postgres");
        config
    }

    /// Connects, with the work of the connection as a task.
    async fn connect(&self, connector: &Connector, config: &Config) -> Result<Client, Error> {
        let (client, connection) = connector.connect(config).await?;
        self.tasks.spawn_session("connection", async move { drop(connection.await) });
        Ok(client)
    }

    async fn refusal(&self, connector: &Connector, config: &Config) -> Error {
        self.connect(connector, config).await.expect_err("a refusal")
    }

    /// Gives the entry other DNS names, and so its holder another SVID.
    fn rename(&self, entry: &str, names: &[&str]) {
        let program = if entry == "app" { std::env::current_exe().expect("this test") } else { finial() };
        let id = if entry == "app" { APP } else { DATABASE };
        self.dev.cli(&args("update", entry, id, &selector(&program), names)).expect_success();
    }

    /// The common name of our SVID at the moment.
    fn common_name(&self) -> Option<String> {
        let credential = self.source.credential().expect("an identity");
        let names = ForeignChain::from_chain(credential.svid().chain().to_vec()).expect("a chain");
        names.common_name().map(str::to_owned)
    }

    /// How many connections the user `app` has.
    fn sessions(&self) -> usize {
        let count = self.postgres.ask("SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'");
        count.parse().expect("a number")
    }

    /// The SVID of this test as files of libpq, in a new folder.
    fn libpq(&self, name: &str) -> Libpq {
        let folder = self.dev.folder().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let context = self.source.context().expect("an identity");
        let credential = context.credential().expect("a credential");
        let bundle = context.bundles().bundle(&credential.svid().id().trust_domain()).expect("a bundle");
        for (file, content) in [
            ("svid.pem", credential.svid().to_pem()),
            ("svid.key", credential.key().to_pem().to_string()),
            ("bundle.pem", bundle.to_pem()),
        ] {
            let file = folder.join(file);
            std::fs::write(&file, content).expect("a file");
            std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("its mode");
        }
        Libpq { folder }
    }

    /// What psql says to a query, as `app` with these settings of libpq.
    fn psql(&self, settings: &str, query: &str) -> Finished {
        let target = format!("hostaddr=127.0.0.1 user=app {settings}");
        run(self.postgres.client("psql").args(["-X", "-A", "-t", "-c", query, &target]))
    }
}

/// Files that libpq reads.
struct Libpq {
    folder: PathBuf,
}

impl Libpq {
    /// The settings that verify the server by the bundle.
    fn trust(&self) -> String {
        format!("host=localhost sslmode=verify-full sslrootcert={}", self.folder.join("bundle.pem").display())
    }

    /// The same, and the SVID to present.
    fn settings(&self) -> String {
        let (svid, key) = (self.folder.join("svid.pem"), self.folder.join("svid.key"));
        format!("{} sslcert={} sslkey={}", self.trust(), svid.display(), key.display())
    }
}

/// Registers a program by its path.
fn create(dev: &Dev, entry: &str, id: &str, program: &Path, names: &[&str]) {
    dev.cli(&args("create", entry, id, &selector(program), names)).expect_success();
}

fn selector(program: &Path) -> String {
    format!("unix:path:{}", program.canonicalize().expect("a program").display())
}

fn args<'a>(
    verb: &'a str,
    entry: &'a str,
    id: &'a str,
    selector: &'a str,
    names: &[&'a str],
) -> Vec<&'a str> {
    let mut args = vec!["entry", verb, "-entryID", entry, "-parentID", NODE, "-spiffeID", id];
    args.extend(["-selector", selector]);
    names.iter().for_each(|name| args.extend(["-dns", *name]));
    args
}

/// Waits for the SVID of PostgreSQL, and writes it to files.
fn database_svid(dev: &Dev) -> PathBuf {
    until("identity of PostgreSQL", || {
        dev.cli(&["api", "fetch", "x509"]).stdout.contains(DATABASE).then_some(())
    });
    dev.write_svid()
}
