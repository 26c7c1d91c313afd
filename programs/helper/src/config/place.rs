//! Where one file goes, and who may read it.

use std::fmt;
use std::path::Path;

use finial_daemon::hcl::{FromHcl, Value};

/// A file in the folder: its name and its permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The name.
    pub name: FileName,
    /// The permissions, whatever the umask.
    pub mode: Mode,
}

/// The name of a file, without a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(String);

/// Permissions of a file, 0001 to 0777.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode(u32);

/// A name or permissions that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// The name leads out of the folder, or into another.
    #[error("`{}` is no file name: all files are in cert_dir, give the name alone", .0.escape_debug())]
    Name(String),
    /// The name is one of those that the helper gives.
    #[error("`{}` begins with two dots, as what the helper keeps beside the files does: choose another name", .0.escape_debug())]
    Reserved(String),
    /// The name is too long for a file system.
    #[error("a file name has at most {MAX_NAME} bytes, `{}` has more", .0.escape_debug())]
    Long(String),
}

/// The longest name in bytes: a file system takes 255, some of which are needed for the name of a temporary file.
const MAX_NAME: usize = 245;

impl FileName {
    /// # Errors
    /// [`PlaceError`] with the rule that the name breaks.
    pub fn parse(name: &str) -> Result<Self, PlaceError> {
        let alone = Path::new(name).file_name().is_some_and(|alone| alone == name);
        if !alone || name.contains('\0') {
            return Err(PlaceError::Name(name.to_owned()));
        }
        if name.starts_with("..") {
            return Err(PlaceError::Reserved(name.to_owned()));
        }
        if name.len() > MAX_NAME {
            return Err(PlaceError::Long(name.to_owned()));
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Mode {
    /// Everybody may read.
    pub const PUBLIC: Self = Self(0o644);
    /// Only the owner may read.
    pub const SECRET: Self = Self(0o600);

    #[cfg(test)]
    pub(crate) const fn of_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The bits.
    pub fn bits(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

/// Permissions as a file writes them: `0444`, with or without quotes. Without the zero it would be a decimal number to
/// spiffe-helper, which nobody means.
pub(super) struct WrittenMode(pub(super) Result<Option<Mode>, ModeFault>);

pub(super) enum ModeFault {
    Negative,
    Decimal(String),
    Range(String),
}

impl FromHcl for WrittenMode {
    fn expected() -> String {
        "permissions in octal, such as 0444".to_owned()
    }

    fn from_hcl(value: &Value) -> Option<Self> {
        let text = value.as_text()?;
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (radix, digits) = match digits.as_bytes() {
            [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
            [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
            [b'0', _, ..] => (8, &digits[1..]),
            _ => (10, digits),
        };
        let number = u32::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with('+'))?;
        Some(Self(match number {
            0 => Ok(None),
            _ if text.starts_with('-') => Err(ModeFault::Negative),
            _ if radix == 10 => Err(ModeFault::Decimal(text.to_owned())),
            1..=0o777 => Ok(Some(Mode(number))),
            _ => Err(ModeFault::Range(text.to_owned())),
        }))
    }
}
