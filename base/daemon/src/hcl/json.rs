//! The JSON form of a configuration. It says the same as the HCL form: an object is a block, and a list of objects
//! is a block that is repeated.

use super::lexer::{Kind, Token};
use super::parser::Parser;
use super::value::{Block, Data, Field, HclError, Position, Value};

impl Parser<'_> {
    /// A whole file.
    pub(super) fn json_file(mut self) -> Result<Block, HclError> {
        let at = self.at();
        let fields = self.object()?;
        if self.peek() != &Kind::End {
            return Err(self.unexpected("the end of the file after the closing `}`"));
        }
        Ok(self.block(at, String::new(), fields))
    }

    fn object(&mut self) -> Result<Vec<Field>, HclError> {
        self.descend()?;
        self.expect('{', "`{`")?;
        let mut fields = Vec::new();
        while !self.skip('}')? {
            let (key, at) = self.json_key()?;
            self.expect(':', &format!("`:` after \"{key}\""))?;
            let value = self.json_value(&key)?;
            fields.push(Field { key, at, value });
            self.separator('}')?;
        }
        self.ascend();
        Ok(fields)
    }

    fn json_key(&mut self) -> Result<(String, Position), HclError> {
        if !matches!(self.peek(), Kind::Text(_)) {
            return Err(self.unexpected("a key in quotes"));
        }
        match self.advance()? {
            Token { kind: Kind::Text(key), at } => Ok((key, at)),
            _ => Err(self.unexpected("a key in quotes")),
        }
    }

    fn json_value(&mut self, key: &str) -> Result<Value, HclError> {
        let at = self.at();
        let data = match self.peek() {
            Kind::Symbol('{') => {
                let fields = self.object()?;
                Data::Block(self.block(at, key.to_owned(), fields))
            }
            Kind::Symbol('[') => Data::List(self.array(key)?),
            _ => self.scalar()?,
        };
        Ok(Value { at, data })
    }

    fn array(&mut self, key: &str) -> Result<Vec<Value>, HclError> {
        self.descend()?;
        self.advance()?;
        let mut values = Vec::new();
        while !self.skip(']')? {
            values.push(self.json_value(key)?);
            self.separator(']')?;
        }
        self.ascend();
        Ok(values)
    }

    fn separator(&mut self, end: char) -> Result<(), HclError> {
        if self.skip(',')? || self.peek() == &Kind::Symbol(end) {
            return Ok(());
        }
        Err(self.unexpected(&format!("`,` or `{end}`")))
    }
}
