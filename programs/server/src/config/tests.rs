//! The configuration file: what is read, and what is refused where.
