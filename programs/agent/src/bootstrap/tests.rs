//! Places of a bundle, good and bad.
