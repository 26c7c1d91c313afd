//! The server's half of the stage: telling agents that there is something new.

pub(crate) mod changes;
