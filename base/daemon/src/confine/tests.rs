//! Which folders are found for a file that is replaced. That the kernel enforces them is shown with real processes.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{ConfineError, Confinement, Enforced, links};

/// A folder without links on its path.
fn place() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().canonicalize().unwrap();
    (folder, path)
}

/// Below the place, without doubles; `.` is the place itself.
fn found(place: &Path, file: &str) -> Vec<String> {
    let mut found: Vec<_> = links::folders(&place.join(file))
        .into_iter()
        .map(|folder| match folder.strip_prefix(place) {
            Ok(inside) if inside == Path::new("") => ".".to_owned(),
            Ok(inside) => inside.display().to_string(),
            Err(_) => folder.display().to_string(),
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

#[test]
fn folder_of_a_file_is_found_also_when_the_file_is_not_there_yet() {
    let (_folder, place) = place();
    assert_eq!(found(&place, "tls.crt"), ["."]);
    assert_eq!(found(&place, "later/tls.crt"), ["later"]);
}

#[test]
fn kubernetes_may_swap_its_link_whichever_path_is_written() {
    let (_folder, place) = place();
    fs::create_dir(place.join("..2026")).unwrap();
    fs::write(place.join("..2026/tls.crt"), "").unwrap();
    symlink("..2026", place.join("..data")).unwrap();
    symlink("..data/tls.crt", place.join("tls.crt")).unwrap();
    assert_eq!(found(&place, "tls.crt"), [".", "..2026"]);
    assert_eq!(found(&place, "..data/tls.crt"), [".", "..2026"]);
}

#[test]
fn link_by_an_absolute_path_to_a_neighbour_may_be_swapped() {
    let (_folder, place) = place();
    fs::create_dir(place.join("v1")).unwrap();
    symlink(place.join("v1"), place.join("current")).unwrap();
    assert_eq!(found(&place, "current/tls.crt"), [".", "v1"]);
}

#[test]
fn folder_that_a_link_of_the_file_leads_to_is_found_and_not_what_lies_beside_it() {
    let (_folder, place) = place();
    for folder in ["live/a", "archive/a", "elsewhere/deep"] {
        fs::create_dir_all(place.join(folder)).unwrap();
    }
    symlink("../../archive/a/cert1.pem", place.join("live/a/cert.pem")).unwrap();
    assert_eq!(found(&place, "live/a/cert.pem"), ["archive/a", "live/a"]);
    symlink("../elsewhere/deep", place.join("live/b")).unwrap();
    assert_eq!(found(&place, "live/b/cert.pem"), ["elsewhere/deep"]);
}

#[test]
fn links_in_a_circle_end() {
    let (_folder, place) = place();
    symlink("b", place.join("a")).unwrap();
    symlink("a", place.join("b")).unwrap();
    assert_eq!(found(&place, "a"), ["."]);
}

#[test]
fn socket_in_a_folder_that_is_not_there_yet_gets_the_one_above_it() {
    let (_folder, place) = place();
    let mut later = Confinement::new();
    later.write(&place.join("run/finial"));
    assert_eq!(later, *Confinement::new().write(&place));
}

#[test]
fn process_with_other_threads_is_not_confined_by_half() {
    let (hold, held) = std::sync::mpsc::sync_channel::<()>(0);
    let other = std::thread::spawn(move || held.recv());
    assert!(matches!(Confinement::new().enforce(), Err(ConfineError::Threads { .. })));
    drop(hold);
    let _ = other.join();
}

#[test]
fn what_lies_outside_is_told_beforehand_whatever_links_lead_to_it() {
    let (_folder, place) = place();
    for folder in ["read/deep", "write", "secret"] {
        fs::create_dir_all(place.join(folder)).unwrap();
    }
    symlink(place.join("read"), place.join("link")).unwrap();
    symlink(place.join("secret"), place.join("read/out")).unwrap();
    let mut allowed = Confinement::new();
    allowed.read(place.join("link")).write(&place.join("write")).read(place.join("not there yet"));
    let reach = allowed.reach();
    let lacks = |path: &str, writes: bool| {
        let (mut needs, path) = (Confinement::new(), place.join(path));
        if writes {
            needs.write(&path)
        } else {
            needs.read(&path)
        };
        reach.lacks(&needs).map(Path::to_owned)
    };
    for path in ["read", "read/deep", "link/deep", "read/not there yet", "write"] {
        assert_eq!(lacks(path, false), None, "{path}");
    }
    fs::create_dir(place.join("not there yet")).unwrap();
    for path in ["secret", "link/out", "read/../secret", "not there yet", "."] {
        assert_eq!(lacks(path, false), Some(place.join(path)), "{path}");
    }
    assert_eq!(lacks("write", true), None);
    assert_eq!(lacks("read", true), Some(place.join("read")));
    assert_eq!(reach.lacks(&Confinement::new()), None);
}

/// What a thread of its own can do once it is confined; `None` where the kernel has no Landlock.
fn confined<T: Send + 'static>(
    confinement: Confinement,
    act: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let thread = std::thread::spawn(move || match confinement.restrict_thread().unwrap() {
        Enforced::Not => None,
        Enforced::Partly | Enforced::Fully => Some(act()),
    });
    thread.join().unwrap()
}

fn refused<T: std::fmt::Debug>(tried: std::io::Result<T>) -> bool {
    tried.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

#[test]
fn files_that_were_not_allowed_are_refused_and_those_that_were_are_not() {
    let (_folder, place) = place();
    for folder in ["read", "write", "secret"] {
        fs::create_dir(place.join(folder)).unwrap();
        fs::write(place.join(folder).join("file"), folder).unwrap();
    }
    let mut confinement = Confinement::new();
    confinement.read(place.join("read")).write(&place.join("write"));
    confined(confinement, move || {
        assert_eq!(fs::read_to_string(place.join("read/file")).unwrap(), "read");
        assert!(refused(fs::write(place.join("read/file"), "")));
        assert!(refused(fs::remove_file(place.join("read/file"))));
        fs::write(place.join("write/file"), "again").unwrap();
        UnixListener::bind(place.join("write/socket")).unwrap();
        fs::remove_file(place.join("write/socket")).unwrap();
        assert!(refused(fs::read(place.join("secret/file"))));
        assert!(refused(fs::read_dir(&place)));
        symlink(place.join("secret/file"), place.join("write/link")).unwrap_err();
        // Threads that it starts, and programs that it would, are no way out.
        let secret = place.join("secret/file");
        assert!(std::thread::spawn(move || refused(fs::read(secret))).join().unwrap());
        assert!(refused(std::process::Command::new("/bin/true").status()));
    });
}

#[test]
fn file_that_a_swapped_link_leads_to_is_read_and_one_elsewhere_is_not() {
    let (_folder, place) = place();
    for folder in ["certs/..1", "certs/..2", "elsewhere"] {
        fs::create_dir_all(place.join(folder)).unwrap();
        fs::write(place.join(folder).join("tls.crt"), folder).unwrap();
    }
    let (link, file) = (place.join("certs/..data"), place.join("certs/..data/tls.crt"));
    symlink("..1", &link).unwrap();
    let swap = |target: &str| {
        fs::remove_file(&link).unwrap();
        symlink(target, &link).unwrap();
    };
    let mut confinement = Confinement::new();
    confinement.read_replaced(&file);
    let read = |file: PathBuf, confinement| confined(confinement, move || fs::read_to_string(file));
    for (target, content) in [("..1", Some("certs/..1")), ("..2", Some("certs/..2")), ("../elsewhere", None)]
    {
        swap(target);
        let Some(read) = read(file.clone(), confinement.clone()) else { return };
        assert_eq!(read.ok().as_deref(), content, "{target}");
    }
}

#[test]
fn tcp_ports_that_were_not_allowed_are_refused_and_those_that_were_are_not() {
    let listener = || TcpListener::bind("127.0.0.1:0").unwrap();
    let (allowed, other) = (listener(), listener());
    let port = |listener: &TcpListener| listener.local_addr().unwrap();
    let (allowed, other, free) = (port(&allowed), port(&other), (allowed, other));
    let mut confinement = Confinement::new();
    confinement.connect(allowed.port()).bind(0);
    confined(confinement.clone(), move || {
        TcpStream::connect(allowed).unwrap();
        assert!(refused(TcpStream::connect(other)));
        TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(refused(TcpListener::bind("127.0.0.1:1")));
    });
    confinement.every_port();
    confined(confinement, move || {
        TcpStream::connect(other).unwrap();
    });
    drop(free);
}
