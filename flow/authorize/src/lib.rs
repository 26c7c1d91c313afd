//! Authorize: what may they be, or do?
