//! What signs now.

use std::time::SystemTime;

use crate::jwt::JwtSigner;
use crate::x509::X509Signer;

/// The active authorities, X.509 and JWT, with their keys; replaced as one when either changes.
#[derive(Debug)]
pub struct ActiveAuthorities {
    pub(crate) x509: X509Signer,
    pub(crate) jwt: JwtSigner,
}

impl ActiveAuthorities {
    /// The authority ID of the active X.509 authority.
    pub fn x509_authority_id(&self) -> &str {
        self.x509.id()
    }

    /// When the active X.509 authority expires.
    pub fn x509_expires_at(&self) -> SystemTime {
        self.x509.not_after()
    }

    /// The authority ID (`kid`) of the active JWT authority.
    pub fn jwt_authority_id(&self) -> &str {
        self.jwt.id()
    }

    /// When the active JWT authority expires.
    pub fn jwt_expires_at(&self) -> SystemTime {
        self.jwt.not_after()
    }
}
