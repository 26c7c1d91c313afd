//! Authorities that an administrator adds to the bundle by hand, beside those made here.

use finial_identity::{Bundle, JwtAuthority, X509Authority};

use super::books::Books;
use crate::IssueError;

impl Books<'_> {
    /// Adds authorities to the stored bundle, and gives all of it. What is there already stays as it is; what was
    /// revoked does not come back.
    ///
    /// # Errors
    /// [`IssueError::KeyIdTaken`] when a JWT authority has the ID of another key. Those of the store.
    pub(super) async fn append(
        &mut self,
        x509: Vec<X509Authority>,
        jwt: Vec<JwtAuthority>,
    ) -> Result<Bundle, IssueError> {
        let mut wanted = self.bundle.clone();
        for authority in x509 {
            let is_there =
                wanted.x509_authorities.iter().any(|held| held.certificate() == authority.certificate());
            if !is_there {
                wanted.x509_authorities.push(authority);
            }
        }
        for authority in jwt {
            match wanted.jwt_authorities.iter().find(|held| held.key_id == authority.key_id) {
                None => wanted.jwt_authorities.push(authority),
                Some(held) if held.public_key == authority.public_key => {}
                Some(_) => return Err(IssueError::KeyIdTaken { id: authority.key_id }),
            }
        }
        self.publish_beside(wanted).await?;
        Ok(self.bundle.clone())
    }
}
