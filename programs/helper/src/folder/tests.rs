//! Both layouts, and everything that can be wrong with a folder.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;
use zeroize::Zeroizing;

use super::{Awaited, Folder, Owner, Shelf};
use crate::render::{Rendered, Turn};
use crate::{FileName, Layout, Mode};

const LAYOUTS: [Layout; 2] = [Layout::Generations, Layout::Plain];

fn name(text: &str) -> FileName {
    FileName::parse(text).unwrap()
}

fn file(text: &str, bytes: &str) -> Rendered {
    let bytes = Zeroizing::new(bytes.as_bytes().to_vec());
    Rendered { name: name(text), mode: Mode::of_bits(0o640), turn: Turn::Whole, bytes }
}

/// A pair of this update.
fn pair(update: &str) -> Shelf {
    let key = Rendered { turn: Turn::Key, ..file("key", update) };
    let chain = Rendered { turn: Turn::Chain, ..file("chain", update) };
    Shelf { files: vec![chain, key], awaited: Awaited::default() }
}

fn open(path: &Path, layout: Layout) -> Folder {
    Folder::open(path, layout, Owner::default()).unwrap()
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names = names.collect::<Vec<_>>();
    names.sort();
    names
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).unwrap().is_symlink()
}

#[test]
fn files_stand_under_their_names_with_their_modes() {
    for layout in LAYOUTS {
        let home = TempDir::new().unwrap();
        let mut folder = open(home.path(), layout);
        folder.put(&pair("1")).unwrap();
        folder.put(&pair("2")).unwrap();
        assert_eq!((read(home.path(), "chain"), read(home.path(), "key")), ("2".into(), "2".into()));
        let mode = fs::metadata(home.path().join("key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o640, "{layout:?}");
        assert_eq!(is_link(&home.path().join("key")), layout == Layout::Generations);
        assert!(folder.is_standing(&pair("2")));
        fs::remove_file(home.path().join("key")).unwrap();
        assert!(!folder.is_standing(&pair("2")));
        folder.put(&pair("2")).unwrap();
        assert_eq!(read(home.path(), "key"), "2");
    }
}

#[test]
fn previous_generation_is_kept_and_older_ones_are_not() {
    let home = TempDir::new().unwrap();
    let mut folder = open(home.path(), Layout::Generations);
    for update in ["1", "2", "3", "4"] {
        folder.put(&pair(update)).unwrap();
    }
    assert_eq!(names(home.path()), ["..3", "..4", "..data", "..lock", "chain", "key"]);
    assert_eq!(read(&home.path().join("..3"), "key"), "3");
    assert_eq!(fs::read_link(home.path().join("..data")).unwrap(), Path::new("..4"));
    assert_eq!(fs::read_link(home.path().join("key")).unwrap(), Path::new("..data/key"));
}

#[test]
fn plain_layout_keeps_nothing_beside_the_files() {
    let home = TempDir::new().unwrap();
    let mut folder = open(home.path(), Layout::Plain);
    folder.put(&pair("1")).unwrap();
    folder.put(&pair("2")).unwrap();
    assert_eq!(names(home.path()), ["..lock", "chain", "key"]);
}

#[test]
fn what_a_crash_has_left_is_removed_and_foreign_files_stay() {
    for layout in LAYOUTS {
        let home = TempDir::new().unwrap();
        open(home.path(), layout).put(&pair("1")).unwrap();
        for name in ["foreign", "..foreign", ".key.tmp", "..12x"] {
            fs::write(home.path().join(name), "foreign").unwrap();
        }
        fs::write(home.path().join("..key.tmp"), "half").unwrap();
        symlink("..99", home.path().join("..data.tmp")).unwrap();
        fs::create_dir(home.path().join("..99")).unwrap();
        fs::write(home.path().join("..99/key"), "half").unwrap();
        open(home.path(), layout).put(&pair("2")).unwrap();
        let mut expected = vec!["..12x", "..foreign", "..lock", ".key.tmp", "chain", "foreign", "key"];
        if layout == Layout::Generations {
            expected.extend(["..1", "..100", "..data"]);
        }
        expected.sort();
        assert_eq!(names(home.path()), expected, "{layout:?}");
        assert_eq!(read(home.path(), "key"), "2");
    }
}

#[test]
fn what_stands_in_the_folder_cannot_write_lines_into_logs() {
    let home = TempDir::new().unwrap();
    fs::create_dir(home.path().join("..a\nlevel=error\u{7f}.tmp")).unwrap();
    let error = Folder::open(home.path(), Layout::Plain, Owner::default())
        .and_then(|mut folder| folder.put(&pair("1")))
        .unwrap_err()
        .to_string();
    assert!(error.contains("..a\u{fffd}level=error\u{fffd}.tmp: a folder has that name"), "{error}");
}

#[test]
fn generation_of_the_largest_number_is_followed_by_one_that_is_free() {
    let home = TempDir::new().unwrap();
    fs::create_dir(home.path().join("..18446744073709551615")).unwrap();
    symlink("..18446744073709551615", home.path().join("..data")).unwrap();
    let mut folder = open(home.path(), Layout::Generations);
    for update in ["1", "2", "3"] {
        folder.put(&pair(update)).unwrap();
        assert_eq!((read(home.path(), "chain"), read(home.path(), "key")), (update.into(), update.into()));
    }
    assert_eq!(names(home.path()), ["..2", "..3", "..data", "..lock", "chain", "key"]);
}

#[test]
fn files_of_the_other_layout_are_taken_over() {
    let home = TempDir::new().unwrap();
    open(home.path(), Layout::Plain).put(&pair("1")).unwrap();
    open(home.path(), Layout::Generations).put(&pair("2")).unwrap();
    assert!(is_link(&home.path().join("key")));
    assert_eq!(read(&home.path().join("..1"), "key"), "1", "what stood there is the first generation");
    assert_eq!((read(home.path(), "chain"), read(home.path(), "key")), ("2".into(), "2".into()));
    open(home.path(), Layout::Plain).put(&pair("3")).unwrap();
    assert!(!is_link(&home.path().join("key")));
    assert_eq!(names(home.path()), ["..lock", "chain", "key"]);
    assert_eq!(read(home.path(), "chain"), "3");
}

#[test]
fn what_is_awaited_stays_as_an_earlier_run_has_left_it() {
    for (before, layout) in [
        (Layout::Generations, Layout::Generations),
        (Layout::Plain, Layout::Generations),
        (Layout::Plain, Layout::Plain),
        (Layout::Generations, Layout::Plain),
    ] {
        let home = TempDir::new().unwrap();
        let mut shelf = pair("1");
        shelf.files.push(file("token", "1"));
        open(home.path(), before).put(&shelf).unwrap();
        let mut shelf = pair("2");
        shelf.awaited.names.push(name("token"));
        let mut folder = open(home.path(), layout);
        folder.put(&shelf).unwrap();
        folder.put(&shelf).unwrap();
        assert_eq!((read(home.path(), "token"), read(home.path(), "key")), ("1".into(), "2".into()));
    }
}

#[test]
fn name_that_is_not_written_any_more_goes() {
    let home = TempDir::new().unwrap();
    let mut folder = open(home.path(), Layout::SpiffeDraft);
    let mut shelf = pair("1");
    shelf.files.push(file("other.test.spiffe-trust-bundle.pem", "1"));
    folder.put(&shelf).unwrap();
    folder.put(&pair("2")).unwrap();
    assert!(!names(home.path()).iter().any(|name| name.starts_with("other.test")));
}

#[test]
fn second_helper_is_refused_and_comes_in_when_the_first_has_gone() {
    let home = TempDir::new().unwrap();
    let first = open(home.path(), Layout::Generations);
    let refused = Folder::open(home.path(), Layout::Plain, Owner::default()).unwrap_err().to_string();
    let expected = format!(
        "{} is the folder of another helper (process {}): give each helper a folder of its own, or let one helper write all files",
        home.path().display(),
        std::process::id()
    );
    assert_eq!(refused, expected);
    drop(first);
    open(home.path(), Layout::Plain);
}

#[test]
fn holder_that_says_anything_else_than_a_number_is_shown_and_not_obeyed() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("..lock");
    fs::write(&path, "1\x1b[2J\n").unwrap();
    let theirs = fs::File::open(&path).unwrap();
    theirs.lock().unwrap();
    let refused = Folder::open(home.path(), Layout::Plain, Owner::default()).unwrap_err().to_string();
    assert!(refused.contains("(process 1\\u{1b}[2J)"), "{refused}");
}

#[test]
fn folder_that_is_missing_or_a_file_is_told_with_the_remedy() {
    let home = TempDir::new().unwrap();
    let missing = home.path().join("missing");
    let refused = Folder::open(&missing, Layout::Plain, Owner::default()).unwrap_err().to_string();
    let path = missing.display();
    assert_eq!(refused, format!("cannot open the folder {path}: create the folder {path}"));
    fs::write(&missing, "").unwrap();
    let refused = Folder::open(&missing, Layout::Plain, Owner::default()).unwrap_err().to_string();
    assert_eq!(refused, format!("cannot open the folder {path}: make {path} a folder"));
}

#[test]
fn folder_in_the_place_of_a_name_leaves_the_old_files() {
    for layout in LAYOUTS {
        let home = TempDir::new().unwrap();
        let mut folder = open(home.path(), layout);
        folder.put(&pair("1")).unwrap();
        fs::remove_file(home.path().join("chain")).unwrap();
        fs::create_dir(home.path().join("chain")).unwrap();
        let before = names(home.path());
        let refused = folder.put(&pair("2")).unwrap_err().to_string();
        let chain = home.path().join("chain");
        assert_eq!(
            refused,
            format!("cannot replace {}: a folder has that name: move it away", chain.display())
        );
        assert_eq!((read(home.path(), "key"), names(home.path())), ("1".into(), before));
        fs::remove_dir(chain).unwrap();
        folder.put(&pair("2")).unwrap();
        assert_eq!(read(home.path(), "chain"), "2");
    }
}

#[test]
fn folder_that_was_replaced_while_running_is_found_and_filled() {
    for layout in LAYOUTS {
        let home = TempDir::new().unwrap();
        let path = home.path().join("certs");
        fs::create_dir(&path).unwrap();
        let mut folder = open(&path, layout);
        folder.put(&pair("1")).unwrap();
        fs::rename(&path, home.path().join("old")).unwrap();
        assert!(!folder.is_standing(&pair("1")));
        let lost = folder.put(&pair("2")).unwrap_err().to_string();
        assert_eq!(lost, format!("cannot open the folder {0}: create the folder {0}", path.display()));
        assert_eq!(read(&home.path().join("old"), "key"), "1");
        fs::create_dir(&path).unwrap();
        folder.put(&pair("2")).unwrap();
        assert_eq!(read(&path, "key"), "2");
        assert_eq!(
            read(&home.path().join("old"), "key"),
            "1",
            "nothing follows the folder that was taken away"
        );
    }
}

#[test]
fn files_are_given_to_their_owner_or_the_refusal_says_how() {
    let home = TempDir::new().unwrap();
    let owner = Owner { user: Some(12345), group: Some(23456) };
    let mut folder = Folder::open(home.path(), Layout::Generations, owner).unwrap();
    match folder.put(&pair("1")) {
        Ok(()) => {
            let found = fs::metadata(home.path().join("key")).unwrap();
            assert_eq!((found.uid(), found.gid(), found.mode() & 0o7777), (12345, 23456, 0o640));
        }
        Err(error) => assert!(error.to_string().contains("only root gives files to other users"), "{error}"),
    }
}

#[test]
fn reader_of_a_generation_never_sees_files_of_two_updates() {
    let home = TempDir::new().unwrap();
    let mut folder = open(home.path(), Layout::Generations);
    folder.put(&pair("0")).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = 0;
            while !done.load(Ordering::Relaxed) {
                let generation = fs::read_link(home.path().join("..data")).unwrap();
                let generation = home.path().join(generation);
                // One that was removed meanwhile is two updates old.
                let Ok(chain) = fs::read_to_string(generation.join("chain")) else { continue };
                let Ok(key) = fs::read_to_string(generation.join("key")) else { continue };
                assert_eq!(chain, key);
                seen += 1;
            }
            seen
        });
        for update in 1..300 {
            folder.put(&pair(&update.to_string())).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
    });
}
