//! The gRPC wire and its conversions to the nouns
