//! What the guard decides, and records.
