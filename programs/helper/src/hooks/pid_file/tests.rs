//! What may stand in such a file, and who gets the signal.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::process::{Child, Command, Stdio};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;

use super::send;
use crate::config::SignalName;

const TERM: SignalName = SignalName(Signal::TERM);

fn sleeper() -> Child {
    Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap()
}

fn sent(content: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    fs::write(&file, content).unwrap();
    send(&file, TERM).map_err(|error| error.to_string())
}

#[test]
fn the_process_on_the_first_line_is_signalled() {
    use std::os::unix::process::ExitStatusExt;

    for content in
        [|id| format!("{id}"), |id| format!(" {id} \n"), |id| format!("{id}\n/var/lib/postgresql\n5432\n")]
    {
        let mut child = sleeper();
        let content: String = content(child.id());
        sent(content.as_bytes()).unwrap_or_else(|error| panic!("{content:?}: {error}"));
        assert_eq!(child.wait().unwrap().signal(), Some(Signal::TERM.as_raw()));
    }
}

#[test]
fn what_is_no_process_of_its_own_is_refused() {
    let own = std::process::id().to_string();
    for (content, error) in [
        (&b""[..], "it is empty"),
        (b" \n\n", "it is empty"),
        (b"0", "`0` on its first line is no process id"),
        (b"-1", "`-1` on its first line is no process id"),
        (b"+7", "`+7` on its first line is no process id"),
        (b"12x", "`12x` on its first line is no process id"),
        (b"1 2", "`1 2` on its first line is no process id"),
        (b"99999999999", "`99999999999` on its first line is no process id"),
        (b"2147483647", "there is no process 2147483647: the program has ended, or its file is old"),
        ("٣".as_bytes(), "`٣` on its first line is no process id"),
        (b"\xff\x00", "`\u{fffd}\\0` on its first line is no process id"),
        (&[b'9'; 1 << 16], &format!("`{}` on its first line is no process id", "9".repeat(40))),
        (own.as_bytes(), "it names this helper itself"),
    ] {
        assert_eq!(sent(content).unwrap_err(), error, "{content:?}");
    }
}

#[test]
fn process_that_has_ended_is_gone() {
    let mut child = sleeper();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(sent(child.id().to_string().as_bytes()).unwrap_err().starts_with("there is no process"));
}

#[test]
fn what_is_no_file_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pid");
    assert_eq!(send(&path, TERM).unwrap_err().to_string(), "it cannot be read");
    assert_eq!(send(folder.path(), TERM).unwrap_err().to_string(), "it is no regular file");
    mknodat(CWD, &path, FileType::Fifo, Mode::from_bits_truncate(0o600), 0).unwrap();
    assert_eq!(send(&path, TERM).unwrap_err().to_string(), "it is no regular file");
}
