//! `cmd_args`: the arguments of a program in one text, split as the ancestor does, or as a list.

#[cfg(test)]
mod tests;

use finial_daemon::hcl::{FromHcl, Value};

/// The arguments of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Arguments(pub(super) Vec<String>);

/// A text that cannot be split.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SplitError {
    #[error(
        "there is a bare \" in the argument `{0}`: put all of it in quotes, with two of them (\"\") for each of its own"
    )]
    Bare(String),
    #[error("an argument in quotes is followed by `{0}`: separate arguments by a space")]
    Followed(char),
    #[error("the last quote is never closed: add a \" at its end")]
    Open,
    #[error("there is a line break outside of quotes: write one line")]
    Break,
}

/// As the ancestor's reader of comma-separated values does with a space for the comma: an argument in double quotes
/// may hold spaces, and `""` for a quote. Single quotes and backslashes mean nothing. Two spaces in a row have an empty
/// argument between them.
pub(super) fn split(text: &str) -> Result<Vec<String>, SplitError> {
    let mut rest = text.trim_start_matches(['\n', '\r']);
    rest = rest.strip_suffix('\n').unwrap_or(rest);
    rest = rest.strip_suffix('\r').unwrap_or(rest);
    let mut arguments = Vec::new();
    if rest.is_empty() {
        return Ok(arguments);
    }
    loop {
        let (argument, after) = match rest.strip_prefix('"') {
            Some(quoted) => in_quotes(quoted)?,
            None => bare(rest)?,
        };
        arguments.push(argument);
        match after {
            Some(after) => rest = after,
            None => return Ok(arguments),
        }
    }
}

/// An argument, and what follows the space behind it.
type Split<'a> = (String, Option<&'a str>);

fn bare(text: &str) -> Result<Split<'_>, SplitError> {
    let (argument, after) = match text.split_once(' ') {
        Some((argument, after)) => (argument, Some(after)),
        None => (text, None),
    };
    if argument.contains('"') {
        return Err(SplitError::Bare(argument.to_owned()));
    }
    if argument.contains('\n') {
        return Err(SplitError::Break);
    }
    Ok((argument.to_owned(), after))
}

fn in_quotes(text: &str) -> Result<Split<'_>, SplitError> {
    let (mut argument, mut rest) = (String::new(), text);
    loop {
        let (part, after) = rest.split_once('"').ok_or(SplitError::Open)?;
        argument.push_str(part);
        match after.chars().next() {
            None => return Ok((argument, None)),
            Some('"') => argument.push('"'),
            Some(' ') => return Ok((argument, Some(&after[1..]))),
            Some('\n' | '\r') => return Err(SplitError::Break),
            Some(other) => return Err(SplitError::Followed(other)),
        }
        rest = &after[1..];
    }
}

/// What stands in a file, split or not.
#[derive(Debug)]
pub(super) enum Written {
    Text(String),
    List(Vec<String>),
}

impl FromHcl for Written {
    fn expected() -> String {
        "a text in quotes, or a list [ ] of such".to_owned()
    }

    fn from_hcl(value: &Value) -> Option<Self> {
        match value.as_list() {
            Some(_) => Vec::from_hcl(value).map(Self::List),
            None => String::from_hcl(value).map(Self::Text),
        }
    }
}

impl TryFrom<Written> for Arguments {
    type Error = SplitError;

    fn try_from(written: Written) -> Result<Self, SplitError> {
        match written {
            Written::Text(text) => split(&text).map(Self),
            Written::List(list) => Ok(Self(list)),
        }
    }
}
