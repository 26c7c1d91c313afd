//! Attest: who is asking?
