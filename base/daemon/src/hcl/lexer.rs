//! Text to tokens, each with its place. HCL 1 and JSON share them.

use std::iter::Peekable;
use std::str::Chars;
use std::sync::Arc;

use super::value::{HclError, Position};

/// One word of the language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A bare word: a key, `true`, `false`, `null`.
    Word(String),
    /// A quoted string or heredoc, its escapes resolved.
    Text(String),
    /// A number, as it was written.
    Number(String),
    /// One of `{ } [ ] = , :`.
    Symbol(char),
    /// The end of the file.
    End,
}

/// A word and where it begins.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) at: Position,
}

/// Reads tokens one at a time.
pub(super) struct Lexer<'a> {
    rest: Peekable<Chars<'a>>,
    at: Position,
    file: Arc<str>,
    is_json: bool,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str, file: Arc<str>) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // In JSON a `${` is text like any other.
        let is_json = text.trim_start().starts_with('{');
        Self { rest: text.chars().peekable(), at: Position { line: 1, column: 1 }, file, is_json }
    }

    /// The next token; [`Kind::End`] for ever after the last.
    pub(super) fn next(&mut self) -> Result<Token, HclError> {
        self.skip_space_and_comments()?;
        let at = self.at;
        let kind = match self.peek() {
            None => Kind::End,
            Some(c @ ('{' | '}' | '[' | ']' | '=' | ',' | ':')) => {
                self.advance();
                Kind::Symbol(c)
            }
            Some('"') => Kind::Text(self.string(at)?),
            Some('<') => Kind::Text(self.heredoc(at)?),
            Some(c) if c.is_ascii_digit() || matches!(c, '-' | '.') => Kind::Number(self.number(at)?),
            Some(c) if c.is_alphabetic() || c == '_' => Kind::Word(self.take_while(is_word)),
            Some(c) => return Err(self.error(at, &format!("unexpected character `{}`", c.escape_debug()))),
        };
        Ok(Token { kind, at })
    }

    pub(super) fn error(&self, at: Position, problem: &str) -> HclError {
        HclError::one(&self.file, at, problem)
    }

    fn peek(&mut self) -> Option<char> {
        self.rest.peek().copied()
    }

    fn advance(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        if c == '\n' {
            self.at = Position { line: self.at.line + 1, column: 1 };
        } else {
            self.at.column += 1;
        }
        Some(c)
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(c) = self.peek().filter(|c| wanted(*c)) {
            taken.push(c);
            self.advance();
        }
        taken
    }

    fn skip_space_and_comments(&mut self) -> Result<(), HclError> {
        loop {
            let at = self.at;
            match self.peek() {
                Some(' ' | '\t' | '\r' | '\n') => {
                    self.advance();
                }
                Some('#') => {
                    self.take_while(|c| c != '\n');
                }
                Some('/') => {
                    self.advance();
                    match self.advance() {
                        Some('/') => {
                            self.take_while(|c| c != '\n');
                        }
                        Some('*') => self.skip_block_comment(at)?,
                        _ => {
                            return Err(
                                self.error(at, "unexpected character `/`: a comment begins with // or /*")
                            );
                        }
                    }
                }
                _ => return Ok(()),
            }
        }
    }

    fn skip_block_comment(&mut self, begin: Position) -> Result<(), HclError> {
        while let Some(c) = self.advance() {
            if c == '*' && self.peek() == Some('/') {
                self.advance();
                return Ok(());
            }
        }
        Err(self.error(begin, "the comment is not closed: end it with */"))
    }

    fn number(&mut self, at: Position) -> Result<String, HclError> {
        let mut number = String::new();
        loop {
            number.push_str(&self.take_while(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_'));
            let exponent = number.ends_with(['e', 'E']) && !number.contains(['x', 'X']);
            match self.peek() {
                Some(sign @ ('+' | '-')) if exponent || number.is_empty() => {
                    self.advance();
                    number.push(sign);
                }
                _ => break,
            }
        }
        if is_number(&number) {
            return Ok(number);
        }
        if is_bad_octal(&number) {
            let problem = format!("`{number}` is no octal number: leave out the leading zero");
            return Err(self.error(at, &problem));
        }
        Err(self.error(at, &format!("`{number}` is no number: put text into quotes")))
    }

    fn string(&mut self, begin: Position) -> Result<String, HclError> {
        self.advance();
        let mut text = String::new();
        loop {
            let at = self.at;
            match self.advance() {
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.escape(at)?),
                Some('$') if !self.is_json && self.peek() == Some('{') => {
                    text.push('$');
                    self.interpolation(at, &mut text)?;
                }
                Some(c) if c != '\n' => text.push(c),
                _ => {
                    return Err(
                        self.error(begin, "the string is not closed: end it with \" on the same line")
                    );
                }
            }
        }
    }

    /// `${…}` is taken as it is written, to the brace that closes it: quotes and line breaks in it end nothing.
    fn interpolation(&mut self, begin: Position, text: &mut String) -> Result<(), HclError> {
        let mut open = 0;
        while let Some(c) = self.advance() {
            text.push(c);
            match c {
                '{' => open += 1,
                '}' if open == 1 => return Ok(()),
                '}' => open -= 1,
                _ => {}
            }
        }
        Err(self.error(begin, "the ${ in this string is not closed: end it with }, or write \\x24 for the $"))
    }

    fn escape(&mut self, at: Position) -> Result<char, HclError> {
        let unknown =
            |c: char| format!("unknown escape `\\{}`: write \\\\ for a backslash", c.escape_debug());
        Ok(match self.advance() {
            Some(c @ ('"' | '\\' | '/' | '\'')) => c,
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('a') => '\u{7}',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('v') => '\u{b}',
            Some(c @ '0'..='7') => self.octal(at, c)?,
            Some('x') => self.code_point(at, 2)?,
            Some('u') => self.code_point(at, 4)?,
            Some('U') => self.code_point(at, 8)?,
            Some(c) => return Err(self.error(at, &unknown(c))),
            None => return Err(self.error(at, "the string is not closed: end it with \"")),
        })
    }

    fn code_point(&mut self, at: Position, digits: usize) -> Result<char, HclError> {
        let mut code = self.hex(at, digits)?;
        if (0xd800..0xdc00).contains(&code) && self.peek() == Some('\\') {
            // JSON writes what is beyond 16 bits as two escapes.
            self.advance();
            let low = if self.advance() == Some('u') { self.hex(at, 4)? } else { 0 };
            if (0xdc00..0xe000).contains(&low) {
                code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            }
        }
        char::from_u32(code)
            .ok_or_else(|| self.error(at, &format!("the escape names no character: {code:x}")))
    }

    /// Three digits, of which `first` was read.
    fn octal(&mut self, at: Position, first: char) -> Result<char, HclError> {
        let digits = [Some(first), self.advance(), self.advance()].map(|c| c.and_then(|c| c.to_digit(8)));
        let code = digits.into_iter().try_fold(0, |code, digit| digit.map(|digit| code << 3 | digit));
        code.and_then(char::from_u32).ok_or_else(|| self.error(at, "the escape needs 3 octal digits"))
    }

    fn hex(&mut self, at: Position, digits: usize) -> Result<u32, HclError> {
        let mut code = 0;
        for _ in 0..digits {
            let Some(digit) = self.advance().and_then(|c| c.to_digit(16)) else {
                return Err(self.error(at, &format!("the escape needs {digits} hexadecimal digits")));
            };
            code = code << 4 | digit;
        }
        Ok(code)
    }

    /// `<<EOF`, lines, and a line with only `EOF`. With `<<-EOF`, the indentation of that last line is taken off
    /// every line, when all of them have it.
    fn heredoc(&mut self, begin: Position) -> Result<String, HclError> {
        self.advance();
        if self.advance() != Some('<') {
            return Err(self.error(begin, "unexpected character `<`: a heredoc begins with <<EOF"));
        }
        let indented = self.peek() == Some('-');
        if indented {
            self.advance();
        }
        let marker = self.line();
        let marker = marker.trim_end_matches('\r').to_owned();
        if marker.is_empty() || !marker.chars().all(is_word) {
            return Err(self.error(begin, "the heredoc has no marker: write <<EOF and begin a new line"));
        }
        let mut lines = Vec::new();
        loop {
            if self.peek().is_none() {
                let problem =
                    format!("the heredoc is not closed: end it with a line that says only {marker}");
                return Err(self.error(begin, &problem));
            }
            let line = self.line();
            if line.trim() == marker {
                let indentation = &line[..line.len() - line.trim_start().len()];
                let indentation = if indented { indentation } else { "" };
                return Ok(joined(&lines, indentation));
            }
            lines.push(line);
        }
    }

    fn line(&mut self) -> String {
        let line = self.take_while(|c| c != '\n');
        self.advance();
        line
    }
}

fn joined(lines: &[String], indentation: &str) -> String {
    let common = lines.iter().all(|line| line.is_empty() || line.starts_with(indentation));
    let indentation = if common { indentation } else { "" };
    lines.iter().map(|line| format!("{}\n", line.strip_prefix(indentation).unwrap_or(line))).collect()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let hex = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    if let Some(hex) = hex {
        return !hex.is_empty() && hex.chars().all(|c| c.is_ascii_hexdigit());
    }
    let begins = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    begins && !is_bad_octal(text) && digits.parse::<f64>().is_ok_and(f64::is_finite)
}

/// A leading zero makes a whole number octal.
fn is_bad_octal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.starts_with('0') && digits.chars().all(|c| c.is_ascii_digit()) && digits.contains(['8', '9'])
}
