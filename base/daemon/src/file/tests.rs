//! Replacement, failure half-way, and falling back a generation.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::error::Error;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::string::FromUtf8Error;

use crate::alone::{alone, run};

use super::{Generation, MAX_SIZE, read_or_previous, write, write_keeping_previous};

fn text(bytes: &[u8]) -> Result<String, FromUtf8Error> {
    String::from_utf8(bytes.to_vec())
}

fn names(folder: &Path) -> Vec<String> {
    let entries =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn content_and_permissions_are_replaced_and_nothing_is_left_beside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    write(&path, b"one and more", 0o644).unwrap();
    assert_eq!(mode(&path), 0o644);
    write(&path, b"two", 0o600).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two");
    assert_eq!(mode(&path), 0o600);
    assert_eq!(names(folder.path()), ["keys.json"]);
}

#[test]
fn leftover_of_a_crash_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".keys.json.tmp"), "a longer leftover of a crash").unwrap();
    write(folder.path().join("keys.json"), b"new", 0o600).unwrap();
    assert_eq!(fs::read(folder.path().join("keys.json")).unwrap(), b"new");
    assert_eq!(names(folder.path()), ["keys.json"]);
}

#[test]
fn temporary_file_that_is_a_link_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let victim = folder.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    std::os::unix::fs::symlink(&victim, folder.path().join(".keys.json.tmp")).unwrap();
    write(folder.path().join("keys.json"), b"new", 0o600).unwrap_err();
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
}

#[test]
fn writers_at_the_same_time_leave_one_whole_content() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle.pem");
    std::thread::scope(|scope| {
        for letter in b'a'..=b'h' {
            let path = &path;
            scope.spawn(move || (0..20).for_each(|_| write(path, &[letter; 5000], 0o600).unwrap()));
        }
    });
    let content = fs::read(&path).unwrap();
    assert_eq!(content.len(), 5000);
    assert!(content.iter().all(|byte| *byte == content[0]));
    assert_eq!(names(folder.path()), ["bundle.pem"]);
}

#[test]
fn previous_generation_is_kept_with_the_same_permissions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    for content in ["one", "two", "three"] {
        write_keeping_previous(&path, content.as_bytes(), 0o600).unwrap();
    }
    assert_eq!(fs::read(&path).unwrap(), b"three");
    assert_eq!(fs::read(folder.path().join("keys.json.prev")).unwrap(), b"two");
    assert_eq!(mode(&folder.path().join("keys.json.prev")), 0o600);
    assert_eq!(names(folder.path()), ["keys.json", "keys.json.prev"]);
}

#[test]
fn file_that_the_parser_refuses_falls_back_a_generation_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    write_keeping_previous(&path, b"good", 0o600).unwrap();
    let (value, generation) = read_or_previous(&path, text).unwrap().unwrap();
    assert!(value == "good" && matches!(generation, Generation::Current));
    write_keeping_previous(&path, b"\xff torn", 0o600).unwrap();
    let (value, generation) = read_or_previous(&path, text).unwrap().unwrap();
    assert_eq!(value, "good");
    let Generation::Previous(reason) = generation else { panic!("the torn file was used") };
    assert_eq!(reason.kind(), ErrorKind::InvalidData);
    assert!(reason.to_string().contains("keys.json"), "{reason}");
    assert_eq!(fs::read(&path).unwrap(), b"\xff torn", "nothing is overwritten by reading");
}

#[test]
fn without_a_good_generation_the_error_is_that_of_the_file_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    fs::write(&path, b"\xff").unwrap();
    let error = read_or_previous(&path, text).unwrap_err();
    let expected =
        format!("cannot read {}: restore it from a backup, or move it away to begin anew", path.display());
    assert_eq!(error.to_string(), expected);
    assert!(error.source().unwrap().to_string().contains("utf-8"), "the cause is the source");
}

#[test]
fn missing_file_is_none_even_when_an_earlier_generation_exists() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    assert!(read_or_previous(&path, text).unwrap().is_none());
    write_keeping_previous(&path, b"one", 0o600).unwrap();
    write_keeping_previous(&path, b"two", 0o600).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(read_or_previous(&path, text).unwrap().is_none());
}

#[test]
fn errors_name_the_path_the_remedy_and_the_kind() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, absent) = (folder.path().join("plain"), folder.path().join("absent"));
    fs::write(&plain, "a file, not a folder").unwrap();
    fs::create_dir(folder.path().join("taken")).unwrap();
    let cases: [(_, _, &[ErrorKind]); 3] = [
        (plain.join("keys.json"), format!("make {} a folder", plain.display()), &[ErrorKind::NotADirectory]),
        (absent.join("keys.json"), format!("create the folder {}", absent.display()), &[ErrorKind::NotFound]),
        (folder.path().join("taken"), "move the folder".to_owned(), &[ErrorKind::IsADirectory]),
    ];
    for (path, remedy, kinds) in cases {
        let error = write(&path, b"x", 0o600).unwrap_err();
        assert!(kinds.contains(&error.kind()), "{error:?}");
        let message = error.to_string();
        assert!(message.starts_with(&format!("cannot write {}: ", path.display())), "{message}");
        assert!(message.contains(&remedy), "{message}");
    }
    assert_eq!(names(folder.path()), ["plain", "taken"], "failed writes leave nothing behind");
}

/// A limit on the size of files stands in for a full disk: the write fails half-way.
#[test]
fn full_disk_leaves_the_old_content_untouched() {
    alone("file::tests::full_disk_leaves_the_old_content_untouched", || run(fill_the_disk()));
}

async fn fill_the_disk() {
    use rustix::process::{Resource, Rlimit, Signal, setrlimit};
    use tokio::signal::unix::{SignalKind, signal};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    write(&path, b"old", 0o600).unwrap();
    // Beyond the limit the kernel sends SIGXFSZ, which ends the process unless a handler takes it.
    let _handler = signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).unwrap();
    setrlimit(Resource::Fsize, Rlimit { current: Some(4096), maximum: Some(4096) }).unwrap();
    let error = write_keeping_previous(&path, &[7; 10_000], 0o600).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FileTooLarge);
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(names(folder.path()), ["keys.json", "keys.json.prev"], "the torn temporary file is gone");
}

#[test]
fn a_file_beyond_the_limit_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    fs::File::create(&path).unwrap().set_len(MAX_SIZE + 1).unwrap();
    let read = read_or_previous(&path, |_| -> Result<(), FromUtf8Error> { panic!("it was read") });
    let error = read.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::FileTooLarge);
    assert!(error.to_string().starts_with("cannot read "), "{error}");
}
