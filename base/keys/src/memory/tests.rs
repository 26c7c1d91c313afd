//! The battery, in memory.

use super::MemoryKeys;
use crate::battery;

#[tokio::test]
async fn memory_keys_pass_the_battery() {
    battery::run(&MemoryKeys::new()).await;
}
