//! The pages about the corpora: one row a case, one column a verifier.

mod limbo;
mod svid;
mod table;

pub use limbo::limbo_page;
pub use svid::svid_page;
