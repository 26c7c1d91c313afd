//! SPIRE's configuration format: HCL 1 and its JSON form, read with positions, and taken key by key.
//!
//! A program takes the keys that it knows, and [`Block::finish`] refuses the rest by name, line and column:
//!
//! ```
//! use finial_daemon::hcl;
//!
//! let text = "server {\n  bind_port = \"8081\"\n  trust_domian = \"example.org\"\n}";
//! let mut file = hcl::parse(text, "server.conf")?;
//! let mut server = file.take_block("server")?.ok_or_else(|| file.error("there is no server { } block"))?;
//! file.finish()?;
//!
//! let port: Option<u16> = server.take("bind_port")?;
//! let trust_domain: Option<String> = server.take("trust_domain")?;
//! assert_eq!((port, trust_domain), (Some(8081), None));
//! assert_eq!(
//!     server.finish().unwrap_err().to_string(),
//!     "server.conf:3:3: unknown key \"trust_domian\" in server (did you mean \"trust_domain\"?)",
//! );
//! # Ok::<(), hcl::HclError>(())
//! ```

mod decode;
mod environment;
mod json;
mod keys;
mod lexer;
mod parser;
mod plugin;
mod value;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use decode::FromHcl;
pub use environment::expand_env;
pub use keys::{Key, KeyState};
pub use plugin::Plugin;
pub use value::{Block, HclError, Position, Value};

/// The largest text that is read, in bytes.
const MAX_SIZE: usize = 1 << 20;
/// How deep blocks, labels and lists may nest.
const MAX_DEPTH: usize = 32;

/// Reads a configuration file. `file` names it in errors. The JSON form is taken when the first character that is
/// no white space is `{`.
///
/// # Errors
/// Names file, line, column and remedy. Refused are also more than 1 MiB, and nesting deeper than 32 levels.
pub fn parse(text: &str, file: &str) -> Result<Block, HclError> {
    if text.len() > MAX_SIZE {
        let problem = format!("a configuration has at most {MAX_SIZE} bytes, this has {}", text.len());
        return Err(HclError::one(&Arc::from(file), Position { line: 1, column: 1 }, &problem));
    }
    let parser = parser::Parser::new(text, file)?;
    if parser.peek() == &lexer::Kind::Symbol('{') { parser.json_file() } else { parser.file() }
}
