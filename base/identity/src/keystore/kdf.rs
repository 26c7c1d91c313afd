//! How PKCS#12 makes keys of a password (RFC 7292, appendix B).

use aws_lc_rs::digest;
use zeroize::Zeroizing;

/// A password in the two forms in which it is hashed.
pub(super) struct Secret {
    /// UTF-16, big-endian, with two zero bytes at its end: for what PKCS#12 defines itself.
    wide: Zeroizing<Vec<u8>>,
    /// UTF-8: for PBES2.
    pub(super) narrow: Zeroizing<Vec<u8>>,
}

impl Secret {
    /// All forms that a writer may have given this password; an empty one may have no end either.
    pub(super) fn forms(password: &str) -> Vec<Self> {
        let form = |wide: Vec<u8>| Self {
            wide: Zeroizing::new(wide),
            narrow: Zeroizing::new(password.as_bytes().to_vec()),
        };
        let wide = password.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect();
        let mut forms = vec![form(wide)];
        if password.is_empty() {
            forms.push(form(Vec::new()));
        }
        forms
    }
}

/// What the bytes are for.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    Key = 1,
    Vector = 2,
    Mac = 3,
}

#[derive(Clone, Copy)]
pub(super) enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }

    /// Of its digests, in bytes.
    pub(super) fn length(self) -> usize {
        self.algorithm().output_len()
    }
}

/// So many bytes. The letters are the standard's.
pub(super) fn derive(
    hash: Hash,
    purpose: Purpose,
    secret: &Secret,
    (salt, iterations): (&[u8], u32),
    length: usize,
) -> Zeroizing<Vec<u8>> {
    let v = hash.algorithm().block_len();
    let mut i = Zeroizing::new(filled(salt, v));
    i.extend(filled(&secret.wide, v));
    let d = vec![purpose as u8; v];
    let mut made = Zeroizing::new(Vec::with_capacity(length + hash.length()));
    while made.len() < length {
        let mut a = digest::digest(hash.algorithm(), &[&d[..], &i].concat());
        for _ in 1..iterations {
            a = digest::digest(hash.algorithm(), a.as_ref());
        }
        made.extend(a.as_ref());
        let b: Vec<u8> = a.as_ref().iter().copied().cycle().take(v).collect();
        i.chunks_exact_mut(v).for_each(|block| add_one_more(block, &b));
    }
    made.truncate(length);
    made
}

/// The bytes again and again, up to the end of a block.
fn filled(bytes: &[u8], block: usize) -> Vec<u8> {
    bytes.iter().copied().cycle().take(bytes.len().div_ceil(block) * block).collect()
}

/// `block + b + 1`, as numbers of their length.
fn add_one_more(block: &mut [u8], b: &[u8]) {
    let mut carry = 1u16;
    for (digit, more) in block.iter_mut().zip(b).rev() {
        let sum = u16::from(*digit) + u16::from(*more) + carry;
        (*digit, carry) = (sum.to_be_bytes()[1], sum >> 8);
    }
}
