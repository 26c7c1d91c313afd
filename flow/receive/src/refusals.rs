//! What was refused on the way in: counted each time, and told once for as long as it is the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::ReceiveError;

/// Refusals of one reader of files.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    count: Arc<AtomicU64>,
    told: Option<String>,
}

impl Refusals {
    pub(crate) fn counted_by(count: &Arc<AtomicU64>) -> Self {
        Self { count: Arc::clone(count), told: None }
    }

    /// Counts a refusal, and says whether it is to be told: unless it was before.
    pub(crate) fn is_news(&mut self, error: &ReceiveError) -> bool {
        self.count.fetch_add(1, Ordering::Relaxed);
        let text = error.to_string();
        let told = self.told.replace(text);
        told != self.told
    }

    /// The next refusal is told, whatever was told before.
    pub(crate) fn forget(&mut self) {
        self.told = None;
    }
}
