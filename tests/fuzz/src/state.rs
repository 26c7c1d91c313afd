//! What programs keep on disk: each file may be torn, or somebody else's.

use std::cell::LazyCell;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use finial_identity::Bundle;
use finial_keys::{DiskKeys, KeyManager};
use tempfile::TempDir;

use crate::authority::trust_domain;

thread_local! {
    static FOLDER: LazyCell<TempDir> = LazyCell::new(|| {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
        folder.unwrap()
    });
}

/// A folder in memory, for what has to be a file.
pub(crate) fn folder() -> PathBuf {
    FOLDER.with(|folder| folder.path().to_owned())
}

/// The server's and the agent's keys: those that are read sign, and nothing is written by reading.
pub(crate) fn keys_file(data: &[u8]) {
    let path = folder().join("keys.json");
    fs::write(&path, data).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let keys = DiskKeys::open(&path).map(|keys| crate::grpc::wait(keys.keys()).unwrap());
    assert_eq!(fs::read(&path).unwrap(), data);
    for key in keys.into_iter().flatten() {
        assert_eq!(key.local().expect("a key of a file is here").public_key(), key.public_key());
    }
}

/// The agent's SVID and bundle: what is read can be written, and reads the same.
pub(crate) fn agent_data(data: &[u8]) {
    let Some(written) = finial_agent::rewritten_agent_data(data, &trust_domain()) else { return };
    let again = finial_agent::rewritten_agent_data(&written, &trust_domain());
    assert_eq!(again.as_ref(), Some(&written));
    let _ = Bundle::parse_pem(trust_domain(), &written);
}

/// The journal of the authorities, with a checksum that fits and without.
pub(crate) fn journal(data: &[u8]) {
    use aws_lc_rs::digest::{SHA256, digest};
    let checked = format!("finial-journal 1 {}\n", hex::encode(digest(&SHA256, data)));
    for bytes in [data, &[checked.as_bytes(), data].concat()] {
        let Some(written) = finial_issue::rewritten_journal(bytes) else { continue };
        assert_eq!(finial_issue::rewritten_journal(&written).as_ref(), Some(&written));
    }
}

/// The folder of a helper, in which anything may stand already: one name a line, and what it is.
///
/// The helper keeps nothing but its files, so their names and where they lead are its state. What it puts there can be
/// read; when it refuses, what could be read before still can; and beside the folder nothing changes.
pub(crate) fn helper_folder(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let home = TempDir::new_in(folder()).unwrap();
    let (beside, inside) = (home.path().join("beside"), home.path().join("inside"));
    for folder in [&beside, &inside] {
        fs::create_dir(folder).unwrap();
    }
    fs::write(beside.join("key"), "theirs").unwrap();
    let mut lines = text.lines();
    let is_plain = lines.next() == Some("plain");
    lines.for_each(|line| stand(&inside, line));
    let read = |name: &str| fs::read(inside.join(name)).ok();
    let before = ["chain", "key"].map(read);
    for update in ["1", "2"] {
        match finial_helper::put_files(&inside, is_plain, &[("chain", update), ("key", update)]) {
            Ok(()) => assert_eq!(["chain", "key"].map(read), [Some(update.into()), Some(update.into())]),
            Err(error) => {
                assert_eq!(["chain", "key"].map(read), before, "{error}");
                assert!(!error.to_string().contains(char::is_control), "{error:?}");
                break;
            }
        }
    }
    assert_eq!(fs::read_dir(&beside).unwrap().count(), 1);
    assert_eq!(fs::read(beside.join("key")).unwrap(), b"theirs");
}

/// `f name`, `d name`, `l name target`: a file, a folder, a link. Nothing leads further than to the folder beside.
fn stand(folder: &Path, line: &str) {
    let mut words = line.splitn(3, ' ');
    let (Some(kind), Some(name), rest) = (words.next(), words.next(), words.next()) else { return };
    let is_name =
        |text: &str| !["", ".", ".."].contains(&text) && text.len() < 256 && !text.contains(['/', '\0']);
    if !is_name(name) {
        return;
    }
    let place = folder.join(name);
    let target = rest.unwrap_or_default();
    let leads =
        target.strip_prefix("../beside/").or_else(|| target.strip_prefix("..data/")).unwrap_or(target);
    // What cannot stand there, since something does, does not.
    let _ = match kind {
        "f" => fs::write(place, target),
        "d" => fs::create_dir(place),
        "l" if is_name(leads) || target == "../beside" => symlink(target, place),
        _ => Ok(()),
    };
}
