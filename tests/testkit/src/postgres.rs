//! PostgreSQL in a temporary folder, with TLS by SVID and whatever doors a test opens.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::{Finished, Process, free_port, run, until};

/// PostgreSQL refuses to run as root, so that it is this user then: `nobody`.
const NOBODY: u32 = 65534;

const RELOADED: &str = "received SIGHUP, reloading configuration files";

/// A running server on a port of 127.0.0.1. It ends, and its folder goes, when this is dropped.
#[derive(Debug)]
pub struct Postgres {
    // Before the folder, so that the program ends first.
    process: Process,
    folder: TempDir,
    programs: PathBuf,
    port: u16,
}

impl Postgres {
    /// Where Debian keeps the programs of its newest version, if it is installed.
    pub fn programs() -> Option<PathBuf> {
        let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
        let programs = versions.map(|version| version.path().join("bin"));
        programs.filter(|programs| programs.join("postgres").is_file()).max()
    }

    /// Starts one with the files `svid.0.pem`, `svid.0.key` and `bundle.0.pem` of a folder, and these lines in its pg_hba.conf
    /// and pg_ident.conf. Its administrator, `postgres`, comes by a Unix socket.
    ///
    /// # Panics
    /// With its log, when it does not start.
    pub fn start(programs: &Path, svid: &Path, doors: &str, maps: &str) -> Self {
        // In /tmp whatever TMPDIR says: the path of a Unix socket has at most 107 bytes.
        let folder =
            tempfile::Builder::new().prefix("finial.").tempdir_in("/tmp").expect("a temporary folder");
        let (path, port) = (folder.path(), free_port());
        give(path);
        let mut initdb = server_command(&programs.join("initdb"), path);
        initdb.args([
            "-D",
            "data",
            "-U",
            "postgres",
            "-A",
            "reject",
            "--locale=C",
            "-E",
            "UTF8",
            "--no-sync",
        ]);
        run(&mut initdb).expect_success();
        write(&path.join("data/pg_hba.conf"), &format!("local all postgres trust\n{doors}\n"));
        write(&path.join("data/pg_ident.conf"), maps);
        copy_svid(svid, path);
        let settings = format!("{SETTINGS}port = {port}\nunix_socket_directories = '{}'\n", path.display());
        write(&path.join("data/postgresql.conf"), &settings);
        let mut command = server_command(&programs.join("postgres"), path);
        command.args(["-D", "data"]);
        let process = Process::spawn("postgres", &mut command);
        let mut server = Self { process, folder, programs: programs.to_owned(), port };
        let mut ready = server.client("pg_isready");
        server.process.until("PostgreSQL", || run(&mut ready).status.success().then_some(()));
        server
    }

    /// The port of 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where all of it lies, and where its Unix socket is: its user's own.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its user, when that is not the one of this test.
    pub fn user() -> Option<&'static str> {
        is_root().then_some("nobody")
    }

    /// A program that comes with PostgreSQL, as the administrator over the Unix socket unless it is told otherwise.
    pub fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.env("PGHOST", self.folder.path()).env("PGPORT", self.port.to_string());
        command.env("PGUSER", "postgres").env("PGDATABASE", "postgres").current_dir(self.folder.path());
        command
    }

    /// What the administrator gets for a query.
    ///
    /// # Panics
    /// With what PostgreSQL says.
    pub fn ask(&self, query: &str) -> String {
        self.query(query).expect_success().trim().to_owned()
    }

    fn query(&self, query: &str) -> Finished {
        run(self.client("psql").args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", query]))
    }

    /// Replaces certificate, key and bundle by those of a folder, and waits until new connections see them.
    ///
    /// # Panics
    /// With the log, when PostgreSQL does not take them.
    pub fn present(&self, svid: &Path) {
        copy_svid(svid, self.folder.path());
        self.reload();
    }

    /// Has it read its files again, and waits until it has.
    ///
    /// # Panics
    /// With the log, when it keeps what it had.
    pub fn reload(&self) {
        let times = |log: &str| log.matches(RELOADED).count();
        let before = self.process.log();
        self.ask("SELECT pg_reload_conf()");
        let after = until("reload", || Some(self.process.log()).filter(|log| times(log) > times(&before)));
        assert!(!after[before.len()..].contains("was not reloaded"), "{after}");
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

impl Drop for Postgres {
    /// In good order, so that no shared memory is left behind.
    fn drop(&mut self) {
        let mut stop = server_command(&self.programs.join("pg_ctl"), self.folder.path());
        let stopped = run(stop.args(["-D", "data", "-m", "immediate", "stop"]));
        if !stopped.status.success() {
            self.process.kill();
        }
    }
}

const SETTINGS: &str = "\
listen_addresses = '127.0.0.1'
ssl = on
ssl_cert_file = 'svid.pem'
ssl_key_file = 'svid.key'
ssl_ca_file = 'bundle.pem'
fsync = off
shared_buffers = 16MB
";

/// A program of the server's own user.
fn server_command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// Each file is there as a whole; nobody looks at them before a reload.
fn copy_svid(svid: &Path, folder: &Path) {
    for (from, to) in [("svid.0.pem", "svid.pem"), ("svid.0.key", "svid.key"), ("bundle.0.pem", "bundle.pem")]
    {
        let content = std::fs::read_to_string(svid.join(from)).expect("a part of the SVID");
        write(&folder.join("data").join(to), &content);
    }
}

/// A file that only the server's user reads.
fn write(path: &Path, content: &str) {
    std::fs::write(path, content).expect("a file of PostgreSQL");
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).expect("its mode");
    give(path);
}

fn give(path: &Path) {
    if is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).expect("another owner");
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").expect("the owner of this process").uid() == 0
}
