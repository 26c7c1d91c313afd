//! After stage 5: writes an identity to files for programs that read files, and tells those programs.
//!
//! ```text
//! … receive ──Source, JwtSource──→ deliver ──files──→ folder
//!                                     │
//!                                     └──Delivered──→ hooks ──command, signal, HTTP──→ a program that reads them
//! ```
//!
//! Keys of the configuration, texts and defaults follow spiffe-helper, so that one can take the place of the other;
//! where they differ, docs/divergences.md says so.
//!
//! Files that belong together appear together, and only after they were proven to belong together. What was delivered
//! is a count that only grows: whoever is told of it may be late, and is then told once of the newest.

mod app;
mod check;
mod child;
mod config;
mod deliver;
mod delivered;
mod error;
#[cfg(test)]
mod fixtures;
mod folder;
mod hooks;
mod passwords;
mod render;
mod vitals;

pub use app::{App, EndSignal, build};
pub use check::{Examined, PlannedFile, examine};
pub use config::{
    Config, FileName, HookConfig, JwtOutput, Layout, Mode, Outputs, Overrides, Ownership, Place, PlaceError,
    Principal, ProgramError, Whose, X509Output,
};
pub use deliver::DeliverError;
pub(crate) use delivered::{Delivered, Deliveries};
pub use error::HelperError;
pub use folder::FolderError;
#[cfg(feature = "testing")]
pub use folder::put_files;
pub use render::RenderError;
