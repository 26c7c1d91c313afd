//! Whose the files are.

use super::keys::Keys;

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

pub(super) fn read(top: &mut Keys) -> Ownership {
    Ownership { owner: top.text("owner").map(principal), group: top.text("group").map(principal) }
}

fn principal(text: String) -> Principal {
    // The largest number means "nobody in particular" to the system.
    text.parse().ok().filter(|number| *number != u32::MAX).map_or(Principal::Name(text), Principal::Number)
}
