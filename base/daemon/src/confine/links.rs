//! Where a file may be found after it was replaced.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// As the kernel's own limit on links in one path.
const LINKS: usize = 40;

/// The folder of a file, that of the file which its links lead to, and those in which a link leads to a neighbour.
pub(super) fn folders(file: &Path) -> Vec<PathBuf> {
    let Ok(file) = std::path::absolute(file) else { return Vec::new() };
    let (mut found, mut path, mut links) = (Vec::new(), PathBuf::from("/"), 0);
    let mut ahead = names(&file);
    while let Some(name) = ahead.pop() {
        if name == ".." {
            path.pop();
            continue;
        }
        let Ok(target) = fs::read_link(path.join(&name)) else {
            path.push(name);
            continue;
        };
        links += 1;
        if links > LINKS {
            return found;
        }
        let target = path.join(target);
        let is_last = ahead.is_empty();
        // The link may lead to another neighbour next. In the root it never does: what stands there is the system's.
        if is_last || (parent(&target) == path && path != Path::new("/")) {
            found.push(path.clone());
        }
        ahead.extend(names(&target));
        path = PathBuf::from("/");
    }
    found.push(parent(&path));
    found
}

fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(path).to_owned()
}

/// Without the root, the last one first.
fn names(path: &Path) -> Vec<std::ffi::OsString> {
    let named = |component: Component<'_>| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
    };
    path.components().rev().filter_map(named).collect()
}
