//! Tokens of HCL 1 to blocks.
//!
//! ```text
//! body  = { key { key } block | key "=" value [ "," ] }     values and blocks may be followed by a comma
//! key   = word | string
//! block = "{" body "}"
//! value = string | number | true | false | block | "[" [ value { "," value } [ "," ] ] "]"
//! ```

use std::sync::Arc;

use super::MAX_DEPTH;
use super::lexer::{Kind, Lexer, Token};
use super::value::{Block, Data, Field, HclError, Position, Value};

/// Reads tokens with one token of look-ahead.
pub(super) struct Parser<'a> {
    lexer: Lexer<'a>,
    file: Arc<str>,
    next: Token,
    depth: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str, file: &str) -> Result<Self, HclError> {
        let file: Arc<str> = Arc::from(file);
        let mut lexer = Lexer::new(text, Arc::clone(&file));
        let next = lexer.next()?;
        Ok(Self { lexer, file, next, depth: 0 })
    }

    /// A whole file.
    pub(super) fn file(mut self) -> Result<Block, HclError> {
        let fields = self.body(&Kind::End)?;
        Ok(self.block(Position { line: 1, column: 1 }, String::new(), fields))
    }

    pub(super) fn peek(&self) -> &Kind {
        &self.next.kind
    }

    pub(super) fn at(&self) -> Position {
        self.next.at
    }

    pub(super) fn advance(&mut self) -> Result<Token, HclError> {
        let next = self.lexer.next()?;
        Ok(std::mem::replace(&mut self.next, next))
    }

    /// Goes past a symbol if it is next.
    pub(super) fn skip(&mut self, symbol: char) -> Result<bool, HclError> {
        let found = self.next.kind == Kind::Symbol(symbol);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    pub(super) fn expect(&mut self, symbol: char, what: &str) -> Result<(), HclError> {
        if self.skip(symbol)? { Ok(()) } else { Err(self.unexpected(what)) }
    }

    /// An error about the token that is next.
    pub(super) fn unexpected(&self, expected: &str) -> HclError {
        let found = match &self.next.kind {
            Kind::Word(word) => format!("`{word}`"),
            Kind::Text(_) => "a string".to_owned(),
            Kind::Number(number) => format!("`{number}`"),
            Kind::Symbol(symbol) => format!("`{symbol}`"),
            Kind::End => "the end of the file".to_owned(),
        };
        self.lexer.error(self.at(), &format!("expected {expected}, found {found}"))
    }

    /// Goes one level down; every level is left by [`ascend`](Self::ascend), or by an error.
    pub(super) fn descend(&mut self) -> Result<(), HclError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.lexer.error(self.at(), &format!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(())
    }

    pub(super) fn ascend(&mut self) {
        self.depth -= 1;
    }

    pub(super) fn block(&self, at: Position, name: String, fields: Vec<Field>) -> Block {
        Block { file: Arc::clone(&self.file), name, at, fields, known: Vec::new() }
    }

    fn body(&mut self, end: &Kind) -> Result<Vec<Field>, HclError> {
        let mut fields = Vec::new();
        while self.peek() != end {
            fields.push(self.field()?);
            self.skip(',')?;
        }
        Ok(fields)
    }

    fn field(&mut self) -> Result<Field, HclError> {
        let (key, at) = self.key()?;
        if self.skip('=')? {
            let value = self.value(&key)?;
            return Ok(Field { key, at, value });
        }
        self.descend()?;
        let value = match self.peek() {
            Kind::Symbol('{') => self.braces(&key)?,
            Kind::Word(_) | Kind::Text(_) => {
                let label = self.labelled(&key)?;
                let at = label.at;
                Value { at, data: Data::Block(self.block(at, key.clone(), vec![label])) }
            }
            _ => return Err(self.unexpected(&format!("`=` or `{{` after `{key}`"))),
        };
        self.ascend();
        Ok(Field { key, at, value })
    }

    /// What follows a key that has labels, beginning with the label.
    fn labelled(&mut self, key: &str) -> Result<Field, HclError> {
        let mut field = self.field()?;
        if let Data::Block(block) = &mut field.value.data {
            block.name = format!("{key} \"{}\"", field.key);
            return Ok(field);
        }
        let problem = format!("expected `{{` after `{key} \"{}\"`", field.key);
        Err(self.lexer.error(field.value.at, &problem))
    }

    fn key(&mut self) -> Result<(String, Position), HclError> {
        if !matches!(self.peek(), Kind::Word(_) | Kind::Text(_)) {
            return Err(self.unexpected("a key"));
        }
        match self.advance()? {
            Token { kind: Kind::Word(key) | Kind::Text(key), at } => Ok((key, at)),
            token => Err(self.lexer.error(token.at, "expected a key")),
        }
    }

    fn braces(&mut self, name: &str) -> Result<Value, HclError> {
        let at = self.at();
        self.expect('{', "`{`")?;
        let fields = self.body(&Kind::Symbol('}'))?;
        self.expect('}', "`}`")?;
        Ok(Value { at, data: Data::Block(self.block(at, name.to_owned(), fields)) })
    }

    fn value(&mut self, key: &str) -> Result<Value, HclError> {
        let at = self.at();
        self.descend()?;
        let value = match self.peek() {
            Kind::Symbol('{') => self.braces(key)?,
            Kind::Symbol('[') => Value { at, data: Data::List(self.list(key)?) },
            _ => Value { at, data: self.scalar()? },
        };
        self.ascend();
        Ok(value)
    }

    fn list(&mut self, key: &str) -> Result<Vec<Value>, HclError> {
        self.advance()?;
        let mut values = Vec::new();
        while !self.skip(']')? {
            values.push(self.value(key)?);
            if !self.skip(',')? && self.peek() != &Kind::Symbol(']') {
                return Err(self.unexpected("`,` or `]` after a value of the list"));
            }
        }
        Ok(values)
    }

    /// A value that holds no others.
    pub(super) fn scalar(&mut self) -> Result<Data, HclError> {
        let data = match self.peek() {
            Kind::Text(text) => Data::Text(text.clone()),
            Kind::Number(number) => Data::Number(number.clone()),
            Kind::Word(word) if word == "true" || word == "false" => Data::Bool(word == "true"),
            Kind::Word(word) if word == "null" => Data::Null,
            Kind::Word(word) => {
                let problem = format!("`{word}` is no value: put text into quotes");
                return Err(self.lexer.error(self.at(), &problem));
            }
            _ => return Err(self.unexpected("a value")),
        };
        self.advance()?;
        Ok(data)
    }
}
