//! Stories, in one test binary
