//! Go's way of writing flags: `-name value`, `-name=value`, and one dash where others use two.

use std::ffi::OsString;

/// Turns `-spiffeID x` into `--spiffeID x`, so that a script written for SPIRE runs unchanged.
///
/// Single letters (`-h`), numbers (`-5`) and all that follows `--` are left alone.
pub(crate) fn with_two_dashes(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut literal = false;
    let convert = |arg: OsString| {
        literal |= arg == "--";
        if literal || !is_long_flag_with_one_dash(&arg) {
            return arg;
        }
        let mut long = OsString::from("-");
        long.push(arg);
        long
    };
    args.into_iter().map(convert).collect()
}

fn is_long_flag_with_one_dash(arg: &OsString) -> bool {
    let Some(text) = arg.to_str() else { return false };
    let Some(name) = text.strip_prefix('-') else { return false };
    let name = name.split('=').next().unwrap_or_default();
    name.len() > 1 && name.starts_with(|first: char| first.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests;
