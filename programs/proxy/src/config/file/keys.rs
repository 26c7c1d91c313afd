//! Taking keys out of blocks, and keeping every fault, so that all of them are told at once.

use std::fmt::Display;
use std::str::FromStr;

use finial_daemon::hcl::{Block, FromHcl, HclError, Value};

/// A block, and what is wrong with it so far.
pub(super) struct Keys {
    /// Of a listener, as its faults name it.
    label: Option<String>,
    block: Block,
    faults: Vec<HclError>,
}

/// A list of texts; one text stands for a list of it alone.
struct Texts(Vec<String>);

impl FromHcl for Texts {
    fn expected() -> String {
        format!("{}, or a list [ ] of such", String::expected())
    }

    fn from_hcl(value: &Value) -> Option<Self> {
        match value.as_list() {
            Some(_) => Vec::from_hcl(value).map(Self),
            None => String::from_hcl(value).map(|text| Self(vec![text])),
        }
    }
}

impl Keys {
    pub(super) fn new(block: Block) -> Self {
        Self { label: None, block, faults: Vec::new() }
    }

    /// A key that may be absent.
    pub(super) fn take<T: FromHcl>(&mut self, key: &'static str) -> Option<T> {
        let taken = self.block.take(key);
        self.keep(taken).flatten()
    }

    /// A key that must be there.
    pub(super) fn require<T: FromHcl>(&mut self, key: &'static str) -> Option<T> {
        let taken = self.block.take(key);
        let taken = self.keep(taken)?;
        if taken.is_none() {
            self.fault(&format!("{key} is missing: add it to this block"));
        }
        taken
    }

    /// A text, or a list of texts; none when the key is absent.
    pub(super) fn texts(&mut self, key: &'static str) -> Vec<String> {
        self.take::<Texts>(key).map(|Texts(texts)| texts).unwrap_or_default()
    }

    /// The same of a key that must be there.
    pub(super) fn texts_required(&mut self, key: &'static str) -> Option<Vec<String>> {
        self.require::<Texts>(key).map(|Texts(texts)| texts)
    }

    /// The same, each read by its type.
    pub(super) fn parsed<T>(&mut self, key: &'static str) -> Vec<T>
    where
        T: FromStr<Err: Display>,
    {
        let texts = self.texts(key);
        texts.iter().filter_map(|text| self.read(key, text.parse())).collect()
    }

    /// What a text means, or what is wrong with it.
    pub(super) fn read<T>(&mut self, key: &str, read: Result<T, impl Display>) -> Option<T> {
        read.map_err(|error| self.faults.push(self.block.error_at(key, &format!("{key}: {error}")))).ok()
    }

    pub(super) fn block(&mut self, key: &'static str) -> Option<Keys> {
        let block = self.block.take_block(key);
        self.keep(block).flatten().map(Self::new)
    }

    pub(super) fn labelled(&mut self, key: &'static str) -> Vec<(String, Keys)> {
        let blocks = self.block.take_labelled(key);
        let blocks = self.keep(blocks).unwrap_or_default();
        let labelled = |(name, block)| {
            let label = Some(format!("{key} \"{name}\""));
            (name, Self { label, ..Self::new(block) })
        };
        blocks.into_iter().map(labelled).collect()
    }

    /// Something is wrong with the whole block.
    pub(super) fn fault(&mut self, problem: &str) {
        let problem = match &self.label {
            Some(label) => format!("{label}: {problem}"),
            None => problem.to_owned(),
        };
        self.faults.push(self.block.error(&problem));
    }

    /// Keeps what is wrong with a block in this one, beside what is wrong with this one.
    pub(super) fn adopt(&mut self, faults: Vec<HclError>) {
        self.faults.extend(faults);
    }

    /// Whether there is nothing wrong so far, and no key is left.
    pub(super) fn is_sound(&self) -> bool {
        self.faults.is_empty() && self.block.remaining().next().is_none()
    }

    /// What is wrong with the block, the keys that nobody has taken among it.
    pub(super) fn faults(self) -> Vec<HclError> {
        let mut faults = self.faults;
        faults.extend(self.block.finish().err());
        faults
    }

    /// The end of the whole file.
    pub(super) fn finish(self) -> Result<(), HclError> {
        match HclError::join(self.faults()) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn keep<T>(&mut self, taken: Result<T, HclError>) -> Option<T> {
        taken.map_err(|error| self.faults.push(error)).ok()
    }
}
