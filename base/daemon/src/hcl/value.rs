//! What a configuration holds once it has been read.

use std::fmt;

/// A place in a file; both count from 1, columns in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// Everything wrong with a configuration that could be told at once; one line each, as `file:line:column: problem`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HclError {
    problems: Vec<String>,
}

/// The right side of a key.
#[derive(Clone, Debug)]
pub struct Value {}

/// The keys between two braces, or of a whole file.
#[derive(Clone, Debug)]
pub struct Block {
    file: String,
}

impl Block {
    pub(super) fn empty(file: &str) -> Self {
        Self { file: file.to_owned() }
    }
}

impl fmt::Display for HclError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("\n"))
    }
}

impl std::error::Error for HclError {}

impl HclError {
    pub(super) fn one(file: &str, at: Position, problem: &str) -> Self {
        Self { problems: vec![format!("{file}:{}:{}: {problem}", at.line, at.column)] }
    }
}

impl Block {
    /// The labels after the name: `NodeAttestor "join_token" { }` has one.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }

    /// Where the block begins.
    pub fn position(&self) -> Position {
        Position::default()
    }

    /// The keys that have not been taken, in the order of the file.
    pub fn remaining(&self) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }

    /// An error that points at this block.
    pub fn error(&self, problem: &str) -> HclError {
        HclError::one(&self.file, self.position(), problem)
    }
}
