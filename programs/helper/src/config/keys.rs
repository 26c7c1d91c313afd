//! Taking keys out of blocks, and keeping every fault, so that all of them are told at once.

use finial_daemon::hcl::{Block, FromHcl, HclError};

/// A block, what is wrong with it so far, and what its writer should know.
pub(super) struct Keys {
    block: Block,
    faults: Vec<HclError>,
    warnings: Vec<String>,
}

impl Keys {
    pub(super) fn new(block: Block) -> Self {
        Self { block, faults: Vec::new(), warnings: Vec::new() }
    }

    /// A key that may be absent.
    pub(super) fn take<T: FromHcl>(&mut self, key: &'static str) -> Option<T> {
        let taken = self.block.take(key);
        self.keep(taken).flatten()
    }

    /// A text that may be absent; an empty one is as none, as it is in Go.
    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        self.take::<String>(key).filter(|text| !text.is_empty())
    }

    /// A text that its type reads.
    pub(super) fn read<T, E: std::fmt::Display>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(key)?;
        read(&text).map_err(|error| self.fault_at(key, &format!("{key}: {error}"))).ok()
    }

    /// All blocks called `key`: repeated ones, and those of a list.
    pub(super) fn blocks(&mut self, key: &'static str) -> Vec<Keys> {
        let blocks = self.block.take_blocks(key);
        self.keep(blocks).unwrap_or_default().into_iter().map(Self::new).collect()
    }

    /// Lets an older spelling of a key count, with a warning.
    pub(super) fn rename(&mut self, old: &str, new: &str) {
        let renamed = self.block.rename(old, new);
        if self.keep(renamed) == Some(true) {
            self.warnings.push(format!("{old} will be deprecated, should be used as {new}"));
        }
    }

    /// What a part of the program reads by itself.
    pub(super) fn with<T>(&mut self, take: impl FnOnce(&mut Block) -> Result<T, HclError>) -> Option<T> {
        let taken = take(&mut self.block);
        self.keep(taken)
    }

    /// Something is wrong with the value of a key.
    pub(super) fn fault_at(&mut self, key: &str, problem: &str) {
        self.faults.push(self.block.error_at(key, problem));
    }

    /// Something is wrong with the whole block.
    pub(super) fn fault(&mut self, problem: &str) {
        self.faults.push(self.block.error(problem));
    }

    /// The writer of the file should know.
    pub(super) fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    /// Whether nothing is wrong so far.
    pub(super) fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    /// Keeps what is wrong with a block in this one; a key that nobody took is `unknown`.
    pub(super) fn adopt(&mut self, inner: Keys, unknown: &str) {
        self.faults.extend(inner.faults);
        self.faults.extend(inner.block.finish_as(unknown).err());
        self.warnings.extend(inner.warnings);
    }

    /// The end of the whole file: its warnings, unless something is wrong.
    pub(super) fn finish(mut self, unknown: &str) -> Result<Vec<String>, HclError> {
        self.faults.extend(self.block.finish_as(unknown).err());
        match HclError::join(self.faults) {
            Some(error) => Err(error),
            None => Ok(self.warnings),
        }
    }

    fn keep<T>(&mut self, taken: Result<T, HclError>) -> Option<T> {
        taken.map_err(|error| self.faults.push(error)).ok()
    }
}
