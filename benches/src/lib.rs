//! Speed, as ratios against a primitive in the same run
