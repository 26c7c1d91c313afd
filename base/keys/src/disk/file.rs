//! The file of keys and its previous generation: which one to trust, and how to replace it without losing either.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use finial_daemon::file;
use zeroize::Zeroizing;

use super::format;
use crate::KeysError;
use crate::local::Generation;

/// Where the keys are written.
#[derive(Debug)]
pub(super) struct KeyFile {
    path: PathBuf,
    damaged: bool,
}

/// What was found at one path.
enum Found {
    Keys(Generation),
    Damaged(String),
    Nothing,
}

impl KeyFile {
    /// Reads the current generation, or else the previous one.
    pub(super) fn open(path: PathBuf) -> Result<(Self, Generation), KeysError> {
        let previous = with_suffix(&path, ".prev");
        let problem = match read(&path)? {
            Found::Keys(keys) => return Ok((Self { path, damaged: false }, keys)),
            Found::Damaged(problem) => Some(problem),
            Found::Nothing => None,
        };
        match (problem, read(&previous)?) {
            (None, Found::Nothing) => Ok((Self { path, damaged: false }, Generation::new())),
            (problem, Found::Keys(keys)) => {
                let damaged = problem.is_some();
                let problem = problem.unwrap_or_else(|| "it is missing".to_owned());
                tracing::error!(
                    path = %path.display(), previous = %previous.display(), problem,
                    "The key file cannot be used. The previous generation of keys is used instead.",
                );
                Ok((Self { path, damaged }, keys))
            }
            (Some(problem), Found::Nothing) => Err(KeysError::Corrupt { damaged: vec![(path, problem)] }),
            (problem, Found::Damaged(before)) => {
                let current = problem.map(|problem| (path, problem));
                Err(KeysError::Corrupt { damaged: current.into_iter().chain([(previous, before)]).collect() })
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes `generation` the current one. A damaged file is set aside first, and the good generation before it stays.
    pub(super) fn write(&mut self, generation: &Generation) -> Result<(), KeysError> {
        let text = format::encode(generation);
        let written = if self.damaged {
            set_aside(&self.path).and_then(|()| file::write(&self.path, &text, 0o600))
        } else {
            file::write_keeping_previous(&self.path, &text, 0o600)
        };
        written.map_err(|source| KeysError::Write { path: self.path.clone(), source })?;
        self.damaged = false;
        Ok(())
    }
}

fn read(path: &Path) -> Result<Found, KeysError> {
    let failed = |source| KeysError::Read { path: path.to_owned(), source };
    let mut file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(failed(error)),
    };
    let metadata = file.metadata().map_err(failed)?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeysError::Exposed { path: path.to_owned(), mode });
    }
    if metadata.len() > MAX_SIZE {
        return Ok(Found::Damaged(format!("it has {} bytes, and {MAX_SIZE} are the limit", metadata.len())));
    }
    let mut text = Zeroizing::new(Vec::with_capacity(metadata.len() as usize + 1));
    file.by_ref().take(MAX_SIZE).read_to_end(&mut text).map_err(failed)?;
    Ok(match format::decode(&text) {
        Ok(keys) => Found::Keys(keys),
        Err(problem) => Found::Damaged(problem.to_string()),
    })
}

/// Keeps what is at `path` as the first free `<path>.corrupt-N` too, so that replacing it loses nothing.
fn set_aside(path: &Path) -> io::Result<()> {
    for n in 1.. {
        let aside = with_suffix(path, &format!(".corrupt-{n}"));
        match fs::hard_link(path, &aside) {
            Ok(()) => {
                tracing::warn!(path = %aside.display(), "The damaged key file was set aside.");
                break;
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Enough for thousands of keys.
const MAX_SIZE: u64 = 4 << 20;
