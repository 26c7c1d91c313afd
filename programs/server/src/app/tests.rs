//! The whole server, over both of its listeners.
