//! Taking known keys out of a block, by type; what is left over is an error.

use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::value::{Block, Data, Field, HclError, Value};
use crate::go;

/// A type that a key can be taken as: `String`, `PathBuf`, `bool`, integers, `Duration`, and `Vec` of these.
pub trait FromHcl: Sized {
    /// What is expected, to be read after "must be": `a whole number from 0 to 65535`.
    fn expected() -> String;

    /// `None` when the value is not what is expected.
    fn from_hcl(value: &Value) -> Option<Self>;
}

impl Block {
    /// Takes a key; `None` when it is absent or null. The key counts as known from now on.
    ///
    /// # Errors
    /// When the key appears twice, or its value is not of the type.
    pub fn take<T: FromHcl>(&mut self, key: &'static str) -> Result<Option<T>, HclError> {
        let Some(value) = self.take_value(key)? else { return Ok(None) };
        match T::from_hcl(&value) {
            Some(taken) => Ok(Some(taken)),
            None => Err(self.mismatch(key, &value, &T::expected())),
        }
    }

    /// The same for keys whose ancestor takes an empty text for none: `log_file = ""`.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn take_unless_empty<T: FromHcl>(&mut self, key: &'static str) -> Result<Option<T>, HclError> {
        let is_empty = |field: &Field| field.key == key && field.value.as_text() == Some("");
        if self.fields.iter().filter(|field| field.key == key).all(is_empty) {
            self.take_value(key).map(|_| None)
        } else {
            self.take(key)
        }
    }

    /// What [`take`](Self::take) would give, and the key stays.
    ///
    /// # Errors
    /// When the value is not of the type.
    pub fn peek<T: FromHcl>(&self, key: &str) -> Result<Option<T>, HclError> {
        let is_given = |field: &&Field| field.key == key && !matches!(field.value.data, Data::Null);
        let Some(field) = self.fields.iter().find(is_given) else { return Ok(None) };
        match T::from_hcl(&field.value) {
            Some(taken) => Ok(Some(taken)),
            None => Err(self.mismatch(key, &field.value, &T::expected())),
        }
    }

    /// Takes a key whose text is parsed by the type itself, such as a trust domain.
    ///
    /// # Errors
    /// As [`take`](Self::take), and what the type's parser says.
    pub fn take_parsed<T>(&mut self, key: &'static str) -> Result<Option<T>, HclError>
    where
        T: FromStr<Err: Display>,
    {
        let Some(value) = self.take_value(key)? else { return Ok(None) };
        self.parsed(key, &value).map(Some)
    }

    /// Takes a list of texts, each parsed by the type itself; empty when the key is absent.
    ///
    /// # Errors
    /// As [`take_parsed`](Self::take_parsed), at the item at fault.
    pub fn take_parsed_list<T>(&mut self, key: &'static str) -> Result<Vec<T>, HclError>
    where
        T: FromStr<Err: Display>,
    {
        let Some(value) = self.take_value(key)? else { return Ok(Vec::new()) };
        let items = value.as_list().ok_or_else(|| self.mismatch(key, &value, &Vec::<String>::expected()))?;
        items.iter().map(|item| self.parsed(key, item)).collect()
    }

    /// Takes a block that may appear once: `server { }`.
    ///
    /// # Errors
    /// When the key appears twice, or is no block.
    pub fn take_block(&mut self, key: &'static str) -> Result<Option<Block>, HclError> {
        let mut blocks = self.take_blocks(key)?;
        if let [first, second, ..] = blocks.as_slice() {
            let problem = format!("`{key}` appears twice, first at {}: keep one of the blocks", first.at);
            return Err(second.error(&problem));
        }
        Ok(blocks.pop())
    }

    /// Takes all blocks called `key`: repeated blocks, `key = { }`, and `key = [{ }, { }]`.
    ///
    /// # Errors
    /// When one is no block.
    pub fn take_blocks(&mut self, key: &'static str) -> Result<Vec<Block>, HclError> {
        let mut blocks = Vec::new();
        for field in self.take_fields(key) {
            self.collect_blocks(field, &mut blocks)?;
        }
        Ok(blocks)
    }

    /// Takes all labelled blocks called `key`, each with its label: `NodeAttestor "join_token" { }`, and in the
    /// JSON form `"NodeAttestor": { "join_token": { } }`.
    ///
    /// # Errors
    /// When one has no label or is no block; when a label appears twice.
    pub fn take_labelled(&mut self, key: &'static str) -> Result<Vec<(String, Block)>, HclError> {
        let mut labelled: Vec<(String, Block)> = Vec::new();
        for outer in self.take_blocks(key)? {
            for field in outer.fields {
                let (label, at) = (field.key.clone(), field.at);
                let mut blocks = Vec::new();
                self.collect_blocks(field, &mut blocks)?;
                for mut block in blocks {
                    if let Some((_, first)) = labelled.iter().find(|(known, _)| *known == label) {
                        let problem = format!("`{key} \"{label}\"` appears twice, first at {}", first.at);
                        return Err(HclError::one(
                            &self.file,
                            at,
                            &format!("{problem}: keep one of the blocks"),
                        ));
                    }
                    block.at = at;
                    block.name = format!("{key} \"{label}\"");
                    labelled.push((label.clone(), block));
                }
            }
        }
        Ok(labelled)
    }

    /// An error that points at a key, for checks that need more than a type.
    pub fn error_at(&self, key: &str, problem: &str) -> HclError {
        let taken = self.known.iter().rev().find_map(|(known, at)| at.filter(|_| *known == key));
        let at = taken.or_else(|| self.fields.iter().find(|field| field.key == key).map(|field| field.at));
        HclError::one(&self.file, at.unwrap_or(self.at), problem)
    }

    /// Refuses every key that has not been taken, naming for each the nearest known one.
    ///
    /// # Errors
    /// One line for each unknown key.
    pub fn finish(self) -> Result<(), HclError> {
        if self.fields.is_empty() {
            return Ok(());
        }
        let problems = self.fields.iter().map(|field| (field.at, self.unknown(&field.key))).collect();
        Err(HclError::all(&self.file, problems))
    }

    /// The same in the words of a program's ancestor: `wording`, a colon, the key, and the nearest known one.
    ///
    /// # Errors
    /// One line for each unknown key.
    pub fn finish_as(self, wording: &str) -> Result<(), HclError> {
        if self.fields.is_empty() {
            return Ok(());
        }
        let told = |key: &str| format!("{wording}: {key}{}", self.remedy(key));
        let problems = self.fields.iter().map(|field| (field.at, told(&field.key))).collect();
        Err(HclError::all(&self.file, problems))
    }

    /// Lets a key that is spelled `old` count as `new`, for keys that were renamed. True when it did.
    ///
    /// # Errors
    /// When both are there.
    pub fn rename(&mut self, old: &str, new: &str) -> Result<bool, HclError> {
        let is_there = self.fields.iter().any(|field| field.key == new);
        let Some(at) = self.fields.iter().position(|field| field.key == old) else { return Ok(false) };
        if is_there {
            let problem = format!("use of {old} and {new} found, use only {new}");
            return Err(HclError::one(&self.file, self.fields.remove(at).at, &problem));
        }
        new.clone_into(&mut self.fields[at].key);
        Ok(true)
    }

    pub(super) fn unknown(&self, key: &str) -> String {
        let place = if self.name.is_empty() { "at the top level" } else { &format!("in {}", self.name) };
        format!("unknown key \"{key}\" {place}{}", self.remedy(key))
    }

    fn remedy(&self, key: &str) -> String {
        match self.nearest(key) {
            Some(known) => format!(" (did you mean \"{known}\"?)"),
            None => ": remove it, or check the spelling".to_owned(),
        }
    }

    fn nearest(&self, key: &str) -> Option<&'static str> {
        let distances = self.known.iter().map(|(known, _)| (strsim::osa_distance(known, key), *known));
        let near = |known: &str| (known.len() / 3).clamp(1, 4);
        distances.filter(|(distance, known)| *distance <= near(known)).min().map(|(_, known)| known)
    }

    pub(super) fn take_fields(&mut self, key: &'static str) -> Vec<Field> {
        let (taken, left) = std::mem::take(&mut self.fields).into_iter().partition(|field| field.key == key);
        self.fields = left;
        let taken: Vec<Field> = taken;
        self.known.push((key, taken.first().map(|field| field.at)));
        taken
    }

    pub(super) fn take_value(&mut self, key: &'static str) -> Result<Option<Value>, HclError> {
        let mut fields = self.take_fields(key);
        if let [first, second, ..] = fields.as_slice() {
            let problem = format!("`{key}` appears twice, first at {}: keep one of the lines", first.at);
            return Err(HclError::one(&self.file, second.at, &problem));
        }
        Ok(fields.pop().map(|field| field.value).filter(|value| !matches!(value.data, Data::Null)))
    }

    fn collect_blocks(&self, field: Field, blocks: &mut Vec<Block>) -> Result<(), HclError> {
        let values = match field.value.data {
            Data::Null => return Ok(()),
            Data::List(values) => values,
            data => vec![Value { at: field.at, data }],
        };
        for value in values {
            match value.data {
                Data::Block(block) => blocks.push(Block { at: value.at, ..block }),
                _ => return Err(self.mismatch(&field.key, &value, "a block { }")),
            }
        }
        Ok(())
    }

    fn parsed<T>(&self, key: &str, value: &Value) -> Result<T, HclError>
    where
        T: FromStr<Err: Display>,
    {
        let text = value.as_text().ok_or_else(|| self.mismatch(key, value, &String::expected()))?;
        text.parse().map_err(|error| HclError::one(&self.file, value.at, &format!("{key}: {error}")))
    }

    fn mismatch(&self, key: &str, value: &Value, expected: &str) -> HclError {
        let problem = format!("{key} must be {expected}, not {}", value.description());
        HclError::one(&self.file, value.at, &problem)
    }
}

impl FromHcl for String {
    fn expected() -> String {
        "a text in quotes".to_owned()
    }

    fn from_hcl(value: &Value) -> Option<Self> {
        value.as_text().map(str::to_owned)
    }
}

impl FromHcl for PathBuf {
    fn expected() -> String {
        "a path in quotes".to_owned()
    }

    fn from_hcl(value: &Value) -> Option<Self> {
        value.as_text().filter(|text| !text.is_empty()).map(Self::from)
    }
}

impl FromHcl for Block {
    fn expected() -> String {
        "a block { }".to_owned()
    }

    fn from_hcl(value: &Value) -> Option<Self> {
        match &value.data {
            Data::Block(block) => Some(block.clone()),
            _ => None,
        }
    }
}

impl FromHcl for bool {
    fn expected() -> String {
        "true or false".to_owned()
    }

    fn from_hcl(value: &Value) -> Option<Self> {
        value.as_bool()
    }
}

impl FromHcl for Duration {
    fn expected() -> String {
        "a duration in quotes, such as \"90s\" or \"1h30m\"".to_owned()
    }

    fn from_hcl(value: &Value) -> Option<Self> {
        value.as_text().and_then(|text| go::parse_duration(text).ok())
    }
}

impl<T: FromHcl> FromHcl for Vec<T> {
    fn expected() -> String {
        format!("a list [ ], each item {}", T::expected())
    }

    fn from_hcl(value: &Value) -> Option<Self> {
        value.as_list()?.iter().map(T::from_hcl).collect()
    }
}

/// Integers, written plainly, in hexadecimal, in octal with a leading zero, or any of them in quotes.
macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl FromHcl for $integer {
            fn expected() -> String {
                format!("a whole number from {} to {}", Self::MIN, Self::MAX)
            }

            fn from_hcl(value: &Value) -> Option<Self> {
                integer(value.as_text()?)?.try_into().ok()
            }
        }
    )*};
}

integers!(u8, u16, u32, u64, usize, i32, i64);

fn integer(text: &str) -> Option<i128> {
    let (digits, sign) = text.strip_prefix('-').map_or((text, 1), |digits| (digits, -1));
    let hex = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let (digits, radix) = match (hex, digits.strip_prefix('0').filter(|octal| !octal.is_empty())) {
        (Some(hex), _) => (hex, 16),
        (None, Some(octal)) => (octal, 8),
        (None, None) => (digits, 10),
    };
    // What is parsed below may begin with a sign, too.
    if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    i128::from_str_radix(digits, radix).ok().map(|magnitude| sign * magnitude)
}
