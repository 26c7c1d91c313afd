//! Tests of the pipe.
