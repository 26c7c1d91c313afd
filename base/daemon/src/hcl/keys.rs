//! Tables of the keys that an ancestor's configuration may hold, and what becomes of each here.

#[cfg(test)]
mod tests;

use super::value::{Block, Data, Field, HclError, Position, Value};

/// One key of a configuration, by its whole path: `server.bind_port`, `plugins.KeyManager.disk.keys_path`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The names of the blocks around it, their labels, and its own name, with dots between.
    pub path: &'static str,
    /// What it is when it is left out, as the file would have it; empty when there is no such value.
    pub default: &'static str,
    /// What becomes of it.
    pub state: KeyState,
}

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// It does what it does in the ancestor.
    Works,
    /// It works, but for this.
    Differs(&'static str),
    /// It is read and checked, and there is nothing for it to do, for this reason. The program says so when it starts.
    NoEffect(&'static str),
    /// It is refused unless its value asks for nothing. What to do instead.
    NotYet(&'static str),
    /// It is refused, and will be. What to do instead.
    Never(&'static str),
    /// The ancestor does not have it. What it is for.
    Ours(&'static str),
}

impl Key {
    /// A key in this state that has this default.
    pub const fn new(path: &'static str, default: &'static str, state: KeyState) -> Self {
        Self { path, default, state }
    }

    /// A key that does what it does in the ancestor.
    pub const fn works(path: &'static str, default: &'static str) -> Self {
        Self::new(path, default, KeyState::Works)
    }

    /// A key that is refused unless it says `default`, or nothing. The remedy is to remove it.
    pub const fn not_yet(path: &'static str, default: &'static str) -> Self {
        Self::new(path, default, KeyState::NotYet("remove it"))
    }

    /// Its own name.
    pub fn name(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }

    /// The path of the block it is in; empty at the top level.
    pub fn block(&self) -> &'static str {
        self.path.rsplit_once('.').map_or("", |(block, _)| block)
    }

    /// What an operator is told who asks for it: why it is refused, or why it is passed over; `None` when it works.
    pub fn objection(&self) -> Option<String> {
        let name = self.name();
        match self.state {
            KeyState::NotYet(remedy) => Some(format!("{name} is not supported yet: {remedy}")),
            KeyState::Never(remedy) => Some(format!("{name} is not supported: {remedy}")),
            KeyState::NoEffect(reason) => Some(format!("{name} has no effect: {reason}")),
            KeyState::Works | KeyState::Differs(_) | KeyState::Ours(_) => None,
        }
    }

    /// Whether a value for it asks for nothing that is not so without it.
    fn is_moot(&self, value: &Value) -> bool {
        match &value.data {
            Data::Null => true,
            Data::Text(text) => text.is_empty() || text == self.default,
            Data::Number(number) => number == self.default,
            Data::Bool(on) => *on == (self.default == "true"),
            Data::List(items) => items.is_empty(),
            // An empty block may switch something on.
            Data::Block(block) => block.fields.is_empty() && self.default == "{}",
        }
    }
}

impl Block {
    /// Takes the keys of this block that `table` knows and that do nothing in this version. `path` is the block's. Gives
    /// a sentence for each that was passed over, with its place.
    ///
    /// # Errors
    /// One line for each that is refused.
    pub fn take_unserved(&mut self, table: &[Key], path: &str) -> Result<Vec<String>, HclError> {
        let (mut problems, mut notes) = (Vec::new(), Vec::new());
        for key in table.iter().filter(|key| key.block() == path) {
            let Some(objection) = key.objection() else { continue };
            for field in self.take_fields(key.name()).into_iter().filter(|field| !key.is_moot(&field.value)) {
                match key.state {
                    KeyState::NoEffect(_) => notes.push(self.place(field.at, &objection)),
                    _ => problems.push((field.at, objection.clone())),
                }
            }
        }
        problems.sort();
        if problems.is_empty() { Ok(notes) } else { Err(HclError::all(&self.file, problems)) }
    }

    /// Drops the keys that have not been taken, where the ancestor does not look at them: a sentence for each.
    pub fn pass_over(&mut self) -> Vec<String> {
        let fields = std::mem::take(&mut self.fields);
        let told =
            |field: &Field| self.place(field.at, &format!("{}; it has no effect", self.unknown(&field.key)));
        fields.iter().map(told).collect()
    }

    fn place(&self, at: Position, sentence: &str) -> String {
        format!("{}:{at}: {sentence}", self.file)
    }
}
