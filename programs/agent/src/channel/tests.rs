//! Servers that are there, and servers that are not.
