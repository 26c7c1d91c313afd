//! The nouns of SPIFFE and the checks on them
