//! State that is not what it was: folders that cannot be written, files that are damaged, lost, open to others, somebody
//! else's, or of another version. Each is taken up or refused, with a word about it, and what is refused is untouched.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, ensure};
use finial_daemon::Clock;
use finial_testkit::{Fault, Faults, Pair, Process, run};
use tempfile::TempDir;

use crate::cells;
use crate::faults::{meanwhile, stop};

const DATABASE: &str = "datastore.sqlite3";
const KEYS: &str = "keys.json";
const DATA: &str = "agent-data.json";

/// Whose state it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    Server,
    Agent,
}

/// What is to come of it, with the words that are to be said.
enum Outcome {
    Serves(&'static [&'static str]),
    Refuses(&'static [&'static str]),
}

struct Cell {
    program: Program,
    name: &'static str,
    change: fn(&Path),
    fault: Option<Fault>,
    outcome: Outcome,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.program, self.name)
    }
}

fn server(name: &'static str, change: fn(&Path), outcome: Outcome) -> Cell {
    Cell { program: Program::Server, name, change, fault: None, outcome }
}

fn agent(name: &'static str, change: fn(&Path), outcome: Outcome) -> Cell {
    Cell { program: Program::Agent, name, change, fault: None, outcome }
}

fn remove(folder: &Path, names: &[&str]) {
    for name in names {
        fs::remove_file(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

fn damage(folder: &Path, names: &[&str]) {
    names.iter().for_each(|name| fs::write(folder.join(name), "{ torn").unwrap());
}

fn into_folder(folder: &Path, name: &str) {
    let _ = fs::remove_file(folder.join(name));
    fs::create_dir(folder.join(name)).unwrap();
}

fn open_to_others(file: &Path) {
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
}

/// Runs a statement of SQL in a file, as somebody else.
fn sql(file: &Path, statements: &str) {
    let script = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.executescript(sys.argv[2])";
    run(Command::new("python3").args(["-c", script]).arg(file).arg(statements)).expect_success();
}

fn replace_database(folder: &Path, statements: &str) {
    remove(folder, &[DATABASE]);
    sql(&folder.join(DATABASE), statements);
}

#[rustfmt::skip]
fn cells() -> Vec<Cell> {
    use Outcome::{Refuses, Serves};
    let mut cells = vec![
        server("nothing is wrong", |_| {}, Serves(&["the server is ready"])),
        server("the folder is a file", |it| { fs::remove_dir_all(it).unwrap(); fs::write(it, "").unwrap(); }, Refuses(&["data folder"])),
        server("all of it is lost", |it| fs::remove_dir_all(it).unwrap(), Serves(&["authority activated"])),
        server("keys that others may read", |it| open_to_others(&it.join(KEYS)), Refuses(&["keys.json", "chmod 600"])),
        server("keys are lost, and the ones before them", |it| remove(it, &[KEYS, "keys.json.prev"]), Serves(&["has lost its key"])),
        server("keys are lost", |it| remove(it, &[KEYS]), Serves(&["keys.json", "previous generation"])),
        server("keys are torn", |it| damage(it, &[KEYS]), Serves(&["keys.json", "previous generation"])),
        server("keys are empty", |it| fs::write(it.join(KEYS), "").unwrap(), Serves(&["keys.json", "previous generation"])),
        server("keys are torn, and the ones before them", |it| damage(it, &[KEYS, "keys.json.prev"]), Refuses(&["keys.json", "damaged", "backup"])),
        server("keys are a folder", |it| into_folder(it, KEYS), Refuses(&["keys.json"])),
        server("keys are another server's", |it| foreign(it, "other", KEYS), Serves(&["has lost its key"])),
        server("keys are an agent's", |it| foreign(it, "agent", KEYS), Serves(&["has lost its key"])),
        server("a temporary file was left behind", |it| fs::write(it.join(".keys.json.tmp"), "{ torn").unwrap(), Serves(&[])),
        server("database is lost", |it| remove(it, &[DATABASE]), Serves(&["authority activated"])),
        server("database is empty", |it| fs::write(it.join(DATABASE), "").unwrap(), Serves(&["authority activated"])),
        server("database is torn", |it| damage(it, &[DATABASE]), Refuses(&[DATABASE, "damaged", "backup"])),
        server("database is a folder", |it| into_folder(it, DATABASE), Refuses(&[DATABASE])),
        server("database of a first start that was cut short", |it| replace_database(it, "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, checksum BLOB NOT NULL, execution_time BIGINT NOT NULL)"), Serves(&["authority activated"])),
        server("database is SPIRE's own", |it| replace_database(it, "PRAGMA journal_mode = WAL; CREATE TABLE registered_entries (id INTEGER); CREATE TABLE attested_node_entries (id INTEGER)"), Refuses(&[DATABASE, "SPIRE"])),
        server("database is another program's", |it| replace_database(it, "CREATE TABLE songs (id INTEGER)"), Refuses(&[DATABASE, "another program"])),
        server("database is of a later version", |it| sql(&it.join(DATABASE), "INSERT INTO _sqlx_migrations VALUES (9999, 'later', CURRENT_TIMESTAMP, TRUE, x'00', 0)"), Refuses(&[DATABASE, "run the version that wrote it"])),
        server("database was changed by somebody else", |it| sql(&it.join(DATABASE), "UPDATE _sqlx_migrations SET checksum = x'00'"), Refuses(&[DATABASE])),
        server("a journal of a later version", |it| sql(&it.join(DATABASE), "UPDATE journal SET bytes = CAST('finial-journal 9 x' || char(10) || '{}' AS BLOB)"), Refuses(&["journal", "version"])),
        server("a journal that is torn", |it| sql(&it.join(DATABASE), "UPDATE journal SET bytes = x'7b'"), Serves(&["journal of the authorities is damaged"])),
        server("an entry that is torn", |it| sql(&it.join(DATABASE), "UPDATE entries SET selectors = '['"), Refuses(&["damaged at entry"])),
        server("state of another trust domain", foreign_domain, Refuses(&["spiffe://example.org", "spiffe://other.example"])),

        agent("nothing is wrong", |_| {}, Serves(&["the agent goes on"])),
        agent("the folder is a file", |it| { fs::remove_dir_all(it).unwrap(); fs::write(it, "").unwrap(); }, Refuses(&["create the folder"])),
        agent("all of it is lost", |it| fs::remove_dir_all(it).unwrap(), Refuses(&["token generate"])),
        agent("keys that others may read", |it| open_to_others(&it.join(KEYS)), Refuses(&["keys.json", "chmod 600"])),
        agent("keys are lost", |it| { let _ = fs::remove_file(it.join("keys.json.prev")); remove(it, &[KEYS]); }, Refuses(&["key of the stored SVID", "token generate"])),
        agent("keys are torn", |it| { let _ = fs::remove_file(it.join("keys.json.prev")); damage(it, &[KEYS]); }, Refuses(&["keys.json", "damaged", "backup"])),
        agent("keys are a folder", |it| into_folder(it, KEYS), Refuses(&["keys.json"])),
        agent("keys are a server's", |it| foreign(it, "server", KEYS), Refuses(&["key of the stored SVID", "token generate"])),
        agent("identity is lost", |it| remove(it, &[DATA]), Refuses(&["token generate"])),
        agent("identity is torn", |it| damage(it, &[DATA]), Serves(&["the stored identity is damaged"])),
        agent("identity is empty", |it| fs::write(it.join(DATA), "").unwrap(), Serves(&["the stored identity is damaged"])),
        agent("identity is torn, and the one before it", |it| damage(it, &[DATA, "agent-data.json.prev"]), Refuses(&["agent-data.json", "backup"])),
        agent("identity is a folder", |it| into_folder(it, DATA), Refuses(&["agent-data.json", "move the folder of that name away"])),
        agent("a temporary file was left behind", |it| fs::write(it.join(".agent-data.json.tmp"), "{ torn").unwrap(), Serves(&[])),
    ];
    for (fault, text) in [(Fault::Full, "the disk is full"), (Fault::Broken, "the disk takes no writes"), (Fault::ReadOnly, "the folder is read-only")] {
        cells.push(Cell { fault: Some(fault), ..server(text, |_| {}, Refuses(&["cannot start"])) });
        cells.push(Cell { fault: Some(fault), ..agent(text, |_| {}, Serves(&["the agent goes on"])) });
    }
    cells
}

/// The state of a server with an entry and of its agent, both stopped in order; and the keys of another server.
fn template() -> &'static Path {
    static TEMPLATE: OnceLock<TempDir> = OnceLock::new();
    TEMPLATE
        .get_or_init(|| {
            let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::system());
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            for name in ["other", "own"] {
                let pair = Pair::new();
                let mut server = pair.server();
                if name == "other" {
                    runtime.block_on(stop(&mut server, &clock)).unwrap();
                    copy(Path::new(&pair.path("server")), &folder.path().join("other"));
                    continue;
                }
                let mut agent = pair.join();
                for process in [&mut agent, &mut server] {
                    runtime.block_on(stop(process, &clock)).unwrap();
                }
                for name in ["server", "agent"] {
                    copy(Path::new(&pair.path(name)), &folder.path().join(name));
                }
            }
            folder
        })
        .path()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// Puts somebody else's file in the place of this one, and of the one before it.
fn foreign(folder: &Path, whose: &str, name: &str) {
    fs::copy(template().join(whose).join(name), folder.join(name)).unwrap();
    let _ = fs::remove_file(folder.join(format!("{name}.prev")));
}

/// The configuration says so, which the test has to change: see `command`.
fn foreign_domain(folder: &Path) {
    fs::write(folder.with_file_name("other-domain"), "").unwrap();
}

/// All files of a folder. What says that it is locked is none of its state.
fn content(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = fs::read_dir(folder).into_iter().flatten().map(|file| file.unwrap().path());
    let files = files.filter(|file| !file.display().to_string().ends_with(".lock"));
    files.map(|file| (file.clone(), fs::read(&file).unwrap_or_default())).collect()
}

fn command(cell: &Cell, pair: &Pair) -> Command {
    if cell.program == Program::Agent {
        return pair.agent_command(&["-trustBundle", &pair.path("none.pem")]);
    }
    let command = pair.server_command("", "NodeAttestor \"join_token\" {}");
    if Path::new(&pair.path("other-domain")).exists() {
        let config = pair.path("server.conf");
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&config, text.replace("\"example.org\"", "\"other.example\"")).unwrap();
    }
    command
}

async fn tell(cell: &Cell) -> anyhow::Result<()> {
    let (pair, clock) = (Pair::new(), Clock::system());
    let name = if cell.program == Program::Server { "server" } else { "agent" };
    let folder = PathBuf::from(pair.path(name));
    copy(&template().join(name), &folder);
    (cell.change)(&folder);
    let before = content(&folder);
    let mut command = command(cell, &pair);
    let faults = cell.fault.map(|fault| Faults::new(&folder, fault, 1..=u64::MAX));
    if let Some(faults) = &faults {
        faults.strike(&mut command);
    }
    let mut process = Process::spawn(name, &mut command);
    let ready =
        if cell.program == Program::Server { "the server is ready" } else { "the Workload API is served" };
    let (log, limit) = (process.log_path().to_owned(), std::time::Duration::from_secs(20));
    let serving = async {
        while !fs::read_to_string(&log).unwrap_or_default().contains(ready) {
            clock.sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let serves = meanwhile(&mut process, &clock, clock.timeout(limit, serving)).await;
    let log = process.log();
    ensure!(!log.contains("panicked"), "{log}");
    let says = |words: &[&str]| words.iter().all(|word| log.contains(word));
    match (&cell.outcome, serves) {
        (Outcome::Serves(words), Some(Ok(()))) => {
            ensure!(says(words), "it does not say {words:?}:\n{log}");
            if cell.program == Program::Server {
                let answer = pair.cli(&["bundle", "show"]);
                ensure!(answer.status.success(), "{answer:?}\n{log}");
            }
            stop(&mut process, &clock).await
        }
        (Outcome::Refuses(words), None) => {
            let status = process.ended().context("its end")?;
            ensure!(status.code() == Some(1), "it ended with {status}:\n{log}");
            ensure!(says(words), "it does not say {words:?}:\n{log}");
            ensure!(content(&folder) == before, "it was refused, and changed:\n{log}");
            Ok(())
        }
        (Outcome::Serves(_), None) => anyhow::bail!("it does not start:\n{log}"),
        (_, Some(_)) => anyhow::bail!("it starts all the same, or hangs:\n{log}"),
    }
}

#[test]
fn state_that_is_not_what_it_was_is_taken_up_or_refused_and_never_damaged() {
    template();
    cells::all(&cells(), tell);
}
