//! Whose the files are.

use nix::errno::Errno;
use nix::unistd::{Group, User};

use super::keys::Keys;
use crate::HelperError;
use crate::folder::Owner;

/// To whom files are given after they were written. Only root may give files to other users.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ownership {
    /// The user. Default: whoever runs the helper.
    pub owner: Option<Principal>,
    /// The group. Default: that of whoever runs the helper, or of the folder when that says so (setgid).
    pub group: Option<Principal>,
}

/// A user or a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// By number.
    Number(u32),
    /// By name, which is looked up at the start.
    Name(String),
}

impl Ownership {
    /// Looks the names up.
    ///
    /// # Errors
    /// [`HelperError::NoPrincipal`], [`HelperError::LookUp`].
    pub(crate) fn resolve(&self) -> Result<Owner, HelperError> {
        let user = |name: &str| User::from_name(name).map(|found| found.map(|user| user.uid.as_raw()));
        let group = |name: &str| Group::from_name(name).map(|found| found.map(|group| group.gid.as_raw()));
        Ok(Owner {
            user: number("user", self.owner.as_ref(), user)?,
            group: number("group", self.group.as_ref(), group)?,
        })
    }
}

fn number(
    kind: &'static str,
    principal: Option<&Principal>,
    look_up: impl Fn(&str) -> Result<Option<u32>, Errno>,
) -> Result<Option<u32>, HelperError> {
    match principal {
        None => Ok(None),
        Some(Principal::Number(number)) => Ok(Some(*number)),
        Some(Principal::Name(name)) => {
            let found = look_up(name);
            let found = found.map_err(|errno| HelperError::LookUp {
                kind,
                name: name.clone(),
                cause: errno.into(),
            })?;
            found.map(Some).ok_or_else(|| HelperError::NoPrincipal { kind, name: name.clone() })
        }
    }
}

pub(super) fn read(top: &mut Keys) -> Ownership {
    Ownership { owner: top.text("owner").map(principal), group: top.text("group").map(principal) }
}

fn principal(text: String) -> Principal {
    // The largest number means "nobody in particular" to the system.
    text.parse().ok().filter(|number| *number != u32::MAX).map_or(Principal::Name(text), Principal::Number)
}
