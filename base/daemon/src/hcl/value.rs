//! What a configuration holds once it has been read.

use std::fmt;
use std::sync::Arc;

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
    file: Arc<str>,
    problems: Vec<(Position, String)>,
}

/// The right side of a key.
#[derive(Clone)]
pub struct Value {
    pub(super) at: Position,
    pub(super) data: Data,
}

#[derive(Clone)]
pub(super) enum Data {
    Text(String),
    /// As it was written.
    Number(String),
    Bool(bool),
    Null,
    List(Vec<Value>),
    Block(Block),
}

/// The keys between two braces, or of a whole file. Labels are blocks within blocks, as HCL 1 has it:
/// `NodeAttestor "join_token" { }` is a block `NodeAttestor` whose one key is `join_token`.
#[derive(Clone)]
pub struct Block {
    pub(super) file: Arc<str>,
    /// What errors call it; empty for a whole file.
    pub(super) name: String,
    pub(super) at: Position,
    pub(super) fields: Vec<Field>,
    /// What has been asked for, and where it stood.
    pub(super) known: Vec<(&'static str, Option<Position>)>,
}

#[derive(Clone)]
pub(super) struct Field {
    pub(super) key: String,
    pub(super) at: Position,
    pub(super) value: Value,
}

impl Value {
    /// Where it begins.
    pub fn position(&self) -> Position {
        self.at
    }

    /// The text of a string, or a number as it was written: SPIRE's files write ports either way.
    pub fn as_text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) | Data::Number(text) => Some(text),
            _ => None,
        }
    }

    /// The values of a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        match &self.data {
            Data::List(values) => Some(values),
            _ => None,
        }
    }

    /// A truth value, or one as text or number: `true`, `false`, `1` and `0`, in any case.
    pub fn as_bool(&self) -> Option<bool> {
        if let Data::Bool(value) = &self.data {
            return Some(*value);
        }
        match self.as_text()?.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        }
    }

    /// What stands there, to be read after "not".
    pub(super) fn description(&self) -> String {
        match &self.data {
            Data::Text(text) => format!("`{}`", shortened(text)),
            Data::Number(text) => text.clone(),
            Data::Bool(value) => value.to_string(),
            Data::Null => "null".to_owned(),
            Data::List(_) => "a list".to_owned(),
            Data::Block(_) => "a block".to_owned(),
        }
    }
}

impl Block {
    /// Where the block begins.
    pub fn position(&self) -> Position {
        self.at
    }

    /// The keys that have not been taken, in the order of the file.
    pub fn remaining(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|field| field.key.as_str())
    }

    /// An error that points at this block.
    pub fn error(&self, problem: &str) -> HclError {
        HclError::one(&self.file, self.at, problem)
    }
}

impl HclError {
    /// All that was found wrong, in the order of the file; `None` when that is nothing. They are of one file.
    pub fn join(errors: impl IntoIterator<Item = HclError>) -> Option<HclError> {
        errors.into_iter().reduce(|mut all, error| {
            all.problems.extend(error.problems);
            all.problems.sort();
            all
        })
    }

    pub(super) fn one(file: &Arc<str>, at: Position, problem: &str) -> Self {
        Self::all(file, vec![(at, problem.to_owned())])
    }

    pub(super) fn all(file: &Arc<str>, problems: Vec<(Position, String)>) -> Self {
        Self { file: Arc::clone(file), problems }
    }
}

impl fmt::Display for HclError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (count, (at, problem)) in self.problems.iter().enumerate() {
            let line_break = if count == 0 { "" } else { "\n" };
            write!(f, "{line_break}{}:{at}: {problem}", self.file)?;
        }
        Ok(())
    }
}

impl std::error::Error for HclError {}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Without the values, among which may be secrets.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({})", self.at)
    }
}

/// The keys without their values, among which may be secrets.
impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.remaining()).finish()
    }
}

fn shortened(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut short: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}
