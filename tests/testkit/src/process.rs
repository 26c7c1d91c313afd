//! Other programs: those that stay, with their log, and those that answer and end.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{Seek, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use tempfile::NamedTempFile;

use crate::poll::{LIMIT, within};

/// A program that stays until it is [ended](Self::kill) or dropped. Only it is ever signalled, by its own id.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: NamedTempFile,
}

impl Process {
    /// Starts it. All it prints goes to its [`log`](Self::log).
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(name: &str, command: &mut Command) -> Self {
        Self::start(name, command, Stdio::null())
    }

    /// As [`spawn`](Self::spawn), for a program that takes commands on its standard input: [`tell`](Self::tell) it.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn_listening(name: &str, command: &mut Command) -> Self {
        Self::start(name, command, Stdio::piped())
    }

    fn start(name: &str, command: &mut Command, input: Stdio) -> Self {
        let log = NamedTempFile::new().expect("a file for the log");
        let output = |file: &NamedTempFile| file.as_file().try_clone().expect("a second handle of the log");
        let child = command
            .stdin(input)
            .stdout(output(&log))
            .stderr(output(&log))
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self { name: name.to_owned(), child, log }
    }

    /// Writes one line to its standard input.
    ///
    /// # Panics
    /// When it does not listen.
    pub fn tell(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("a program that listens");
        writeln!(input, "{line}").unwrap_or_else(|error| panic!("{} does not listen: {error}", self.name));
    }

    /// All it has printed so far, both streams.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log.path()).expect("its log")).into_owned()
    }

    /// Where its [`log`](Self::log) is written.
    pub fn log_path(&self) -> &Path {
        self.log.path()
    }

    /// Asks until there is an answer.
    ///
    /// # Panics
    /// With the log, when the program ends before there is one, or after [`LIMIT`].
    pub fn until<T>(&mut self, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
        let answer = within(LIMIT, || match ask() {
            Some(answer) => Some(Ok(answer)),
            None => self.child.try_wait().expect("its state").map(Err),
        });
        match answer {
            Some(Ok(answer)) => answer,
            Some(Err(status)) => panic!("{} ended with {status} before {what}:\n{}", self.name, self.log()),
            None => panic!("no {what} from {} within {LIMIT:?}:\n{}", self.name, self.log()),
        }
    }

    /// Waits until its log holds `text`.
    ///
    /// # Panics
    /// As [`until`](Self::until).
    pub fn wait_for_log(&mut self, text: &str) {
        let path = self.log.path().to_owned();
        let holds = || String::from_utf8_lossy(&std::fs::read(&path).expect("its log")).contains(text);
        self.until(&format!("{text:?}"), || holds().then_some(()));
    }

    /// Waits until it listens on a port of 127.0.0.1.
    ///
    /// # Panics
    /// As [`until`](Self::until).
    pub fn wait_for_port(&mut self, port: u16) {
        self.until(&format!("listener on port {port}"), || TcpStream::connect(("127.0.0.1", port)).ok());
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// With the log, after [`LIMIT`].
    pub fn wait(&mut self) -> ExitStatus {
        let ended = within(LIMIT, || self.child.try_wait().expect("its state"));
        ended.unwrap_or_else(|| panic!("{} did not end within {LIMIT:?}:\n{}", self.name, self.log()))
    }

    /// How it ended, if it has.
    ///
    /// # Panics
    /// When the operating system does not say.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("its state")
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once (SIGKILL).
    pub fn kill(&mut self) {
        // It may have ended by itself; all that matters is that it has.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a program left that has ended.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl Finished {
    /// What it printed.
    ///
    /// # Panics
    /// With all it said, when its exit status is not 0.
    pub fn expect_success(self) -> String {
        assert!(self.status.success(), "{}:\n{}{}", self.status, self.stdout, self.stderr);
        self.stdout
    }
}

/// Runs a program to its end, without input.
///
/// # Panics
/// When it cannot be started, or takes longer than [`LIMIT`].
pub fn run(command: &mut Command) -> Finished {
    run_with_input(command, "")
}

/// Runs a program to its end, with `input` on its standard input.
///
/// # Panics
/// As [`run`].
pub fn run_with_input(command: &mut Command, input: &str) -> Finished {
    let mut stdin = tempfile::tempfile().expect("a file for the input");
    stdin.write_all(input.as_bytes()).expect("its content");
    stdin.rewind().expect("its beginning");
    // Files instead of pipes, so that nobody has to read while the program runs.
    let [stdout, stderr] = [(); 2].map(|()| tempfile::tempfile().expect("a file for the output"));
    let program = command.get_program().to_string_lossy().into_owned();
    let handle = |file: &File| file.try_clone().expect("a second handle of the output");
    let mut child = command
        .stdin(stdin)
        .stdout(handle(&stdout))
        .stderr(handle(&stderr))
        .spawn()
        .unwrap_or_else(|error| panic!("{program} does not start: {error}"));
    let ended = within(LIMIT, || child.try_wait().expect("its state"));
    if ended.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    let (stdout, stderr) = (content(stdout), content(stderr));
    match ended {
        Some(status) => Finished { status, stdout, stderr },
        None => panic!("{program} did not end within {LIMIT:?}:\n{stdout}{stderr}"),
    }
}

fn content(mut file: File) -> String {
    file.rewind().expect("the beginning of the output");
    std::io::read_to_string(file).unwrap_or_else(|error| format!("[not text: {error}]"))
}
