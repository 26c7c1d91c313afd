//! Provide: hand the identity over
