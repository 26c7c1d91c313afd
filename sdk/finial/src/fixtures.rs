//! The parts that tests share.
