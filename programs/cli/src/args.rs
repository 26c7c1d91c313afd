//! Go's way of writing flags: `-name value`, `-name=value`, and one dash where others use two.

pub(crate) mod file;

use std::collections::VecDeque;
use std::ffi::OsString;

use self::file::{FileError, Files};

/// Turns `-spiffeID x` into `--spiffeID x`, so that a script written for SPIRE runs unchanged.
///
/// Single letters (`-h`), numbers (`-5`) and all that follows `--` are left alone. A flag that is no value may have blanks
/// before it: they are what a shell makes of `\` at the end of a line, when the line break was lost on the way.
pub(crate) fn with_two_dashes(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let (mut literal, mut after_flag) = (false, false);
    let convert = |arg: OsString| {
        literal |= arg == "--";
        if literal {
            return arg;
        }
        let arg = if after_flag { arg } else { without_blanks_before_a_flag(arg) };
        after_flag = arg.to_string_lossy().starts_with('-');
        if !is_long_flag_with_one_dash(&arg) {
            return arg;
        }
        let mut long = OsString::from("-");
        long.push(arg);
        long
    };
    args.into_iter().map(convert).collect()
}

/// Puts the lines of each `@file` in its place, up to `--`: for the commands whose ancestor takes such files.
pub(crate) fn with_files(args: impl IntoIterator<Item = OsString>) -> Result<Vec<OsString>, FileError> {
    let (mut left, mut files) = (args.into_iter().collect::<VecDeque<_>>(), Files::default());
    let mut expanded = Vec::new();
    while let Some(arg) = left.pop_front() {
        if arg == "--" {
            expanded.push(arg);
            expanded.extend(left);
            break;
        }
        match Files::named(&arg) {
            Some(path) => files.read(path)?.into_iter().rev().for_each(|line| left.push_front(line)),
            None => expanded.push(arg),
        }
    }
    Ok(expanded)
}

/// ` -dns` becomes `-dns`.
fn without_blanks_before_a_flag(arg: OsString) -> OsString {
    let flag = arg.to_str().map(|text| text.trim_start_matches(' '));
    match flag.filter(|flag| flag.starts_with('-') && !flag.contains(' ')) {
        Some(flag) => flag.into(),
        None => arg,
    }
}

fn is_long_flag_with_one_dash(arg: &OsString) -> bool {
    let Some(text) = arg.to_str() else { return false };
    let Some(name) = text.strip_prefix('-') else { return false };
    let name = name.split('=').next().unwrap_or_default();
    name.len() > 1 && name.starts_with(|first: char| first.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests;
