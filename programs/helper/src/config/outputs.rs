//! What is written: for which identity, in which form, under which name.

use std::path::PathBuf;

use finial_identity::{Audience, SpiffeId};

use super::keys::Keys;
use super::place::{FileName, Mode, ModeFault, Place, WrittenMode};

/// Everything that is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    /// Each an X.509-SVID in some of its forms.
    pub x509: Vec<X509Output>,
    /// Each a JWT-SVID.
    pub jwt_svids: Vec<JwtOutput>,
    /// The JWT bundles.
    pub jwt_bundle: Option<Place>,
}

/// One X.509-SVID, in the forms that have a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct X509Output {
    /// Of which identity.
    pub whose: Whose,
    /// The chain in PEM, and the key in PKCS#8 in PEM.
    pub pair: Option<(Place, Place)>,
    /// The authorities in PEM.
    pub bundle: Option<Place>,
    /// Chain and key in one file in PEM, as HAProxy reads it.
    pub combined: Option<Place>,
    /// Chain and key in PKCS#12.
    pub keystore: Option<Place>,
    /// The authorities in PKCS#12, as Java reads them.
    pub truststore: Option<Place>,
    /// The file whose first line is the password of both.
    pub password_file: Option<PathBuf>,
    /// The folder of the SPIFFE Filesystem Delivery draft: modes of what has a key, and of what has none.
    pub credential_folder: Option<(Mode, Mode)>,
    /// Whether certificates above the leaf go into the bundle, and not into the chain.
    pub add_intermediates_to_bundle: bool,
    /// Whether the authorities of federated trust domains go into the bundle.
    pub include_federated_domains: bool,
    /// Whether authorities that have expired are left out.
    pub omit_expired: bool,
}

/// One JWT-SVID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtOutput {
    /// Of which identity.
    pub whose: Whose,
    /// For whom: the first, then the extra ones.
    pub audience: Audience,
    /// The token, without a line feed.
    pub token: Place,
}

/// Which of the identities of this process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Whose {
    /// The first that the agent gives.
    #[default]
    Default,
    /// The one with this hint of the operator.
    Hint(String),
    /// The one with this SPIFFE ID.
    Id(SpiffeId),
}

/// What holds for every block that does not say otherwise.
pub(super) struct Defaults {
    whose: Whose,
    certificate_mode: Mode,
    key_mode: Mode,
    jwt_mode: Mode,
    password_file: Option<PathBuf>,
    add_intermediates_to_bundle: bool,
    include_federated_domains: bool,
    omit_expired: bool,
}

const ALL_OR_NONE: &str =
    "all or none of 'svid_file_name', 'svid_key_file_name', 'svid_bundle_file_name' must be specified";
const NOTHING: &str = "at least one of the sets ('svid_file_name', 'svid_key_file_name', \
                       'svid_bundle_file_name'), 'jwt_svids', or 'jwt_bundle_file_name' must be fully specified";
const PAIR: &str = "svid_file_name and svid_key_file_name belong together: give both or none";
const PASSWORD: &str = "keystore_password_file is missing: name the file whose first line is the password";

pub(super) fn read(top: &mut Keys, is_draft: bool) -> Outputs {
    let built_in = Defaults {
        whose: Whose::Default,
        certificate_mode: Mode::PUBLIC,
        key_mode: Mode::SECRET,
        jwt_mode: Mode::SECRET,
        password_file: None,
        add_intermediates_to_bundle: false,
        include_federated_domains: false,
        omit_expired: false,
    };
    let bundle_mode = mode(top, "jwt_bundle_file_mode", "jwt bundle").unwrap_or(Mode::SECRET);
    let defaults = Defaults {
        jwt_mode: mode(top, "jwt_svid_file_mode", "jwt svid").unwrap_or(Mode::SECRET),
        ..defaults(top, &built_in)
    };
    let mut outputs = Outputs::default();
    outputs.x509.extend(x509(top, &defaults, is_draft));
    for (index, mut keys) in top.blocks("x509_svids").into_iter().enumerate() {
        let own = self::defaults(&mut keys, &defaults);
        match x509(&mut keys, &own, false) {
            Some(output) => outputs.x509.push(output),
            None => {
                keys.fault(
                    "names no file: give svid_file_name, svid_key_file_name and svid_bundle_file_name",
                );
            }
        }
        top.adopt(keys, &format!("unknown key(s) in x509_svids[{index}]"));
    }
    for (index, mut keys) in top.blocks("jwt_svids").into_iter().enumerate() {
        outputs.jwt_svids.extend(jwt(&mut keys, &defaults));
        top.adopt(keys, &format!("unknown key(s) in jwt_svids[{index}]"));
    }
    outputs.jwt_bundle = place(top, "jwt_bundle_file_name", bundle_mode);
    if outputs.is_empty() && top.is_sound() {
        top.fault(NOTHING);
    }
    if let Some(twice) = outputs.repeated() {
        top.fault(&format!("`{twice}` is the name of two files: give one of them another"));
    }
    outputs
}

fn defaults(keys: &mut Keys, above: &Defaults) -> Defaults {
    Defaults {
        whose: whose(keys).unwrap_or_else(|| above.whose.clone()),
        certificate_mode: mode(keys, "cert_file_mode", "cert").unwrap_or(above.certificate_mode),
        key_mode: mode(keys, "key_file_mode", "key").unwrap_or(above.key_mode),
        jwt_mode: above.jwt_mode,
        password_file: keys
            .text("keystore_password_file")
            .map(PathBuf::from)
            .or_else(|| above.password_file.clone()),
        add_intermediates_to_bundle: keys
            .take("add_intermediates_to_bundle")
            .unwrap_or(above.add_intermediates_to_bundle),
        include_federated_domains: keys
            .take("include_federated_domains")
            .unwrap_or(above.include_federated_domains),
        omit_expired: keys.take("omit_expired").unwrap_or(above.omit_expired),
    }
}

/// `None` when the block names no file.
fn x509(keys: &mut Keys, given: &Defaults, is_draft: bool) -> Option<X509Output> {
    let (public, secret) = (given.certificate_mode, given.key_mode);
    let certificate = place(keys, "svid_file_name", public);
    let key = place(keys, "svid_key_file_name", secret);
    let bundle = place(keys, "svid_bundle_file_name", public);
    let combined = place(keys, "combined_file_name", secret);
    let keystore = place(keys, "keystore_file_name", secret);
    let truststore = place(keys, "truststore_file_name", public);

    let has_ours = is_draft || combined.is_some() || keystore.is_some() || truststore.is_some();
    let named = [&certificate, &key, &bundle].into_iter().flatten().count();
    if named == 0 && !has_ours {
        return None;
    }
    if !has_ours && named != 3 {
        keys.fault(ALL_OR_NONE);
    } else if certificate.is_some() != key.is_some() {
        keys.fault(PAIR);
    }
    if (keystore.is_some() || truststore.is_some()) && given.password_file.is_none() {
        keys.fault(PASSWORD);
    }
    Some(X509Output {
        whose: given.whose.clone(),
        pair: certificate.zip(key),
        bundle,
        combined,
        keystore,
        truststore,
        password_file: given.password_file.clone(),
        credential_folder: is_draft.then_some((secret, public)),
        add_intermediates_to_bundle: given.add_intermediates_to_bundle,
        include_federated_domains: given.include_federated_domains,
        omit_expired: given.omit_expired,
    })
}

fn jwt(keys: &mut Keys, given: &Defaults) -> Option<JwtOutput> {
    let whose = whose(keys).unwrap_or_else(|| given.whose.clone());
    let mode = mode(keys, "jwt_svid_file_mode", "jwt svid").unwrap_or(given.jwt_mode);
    let (audience, extra) = (keys.text("jwt_audience"), keys.take::<Vec<String>>("jwt_extra_audiences"));
    let token = place(keys, "jwt_svid_file_name", mode);
    if token.is_none() && keys.is_sound() {
        keys.fault("'jwt_file_name' is required in 'jwt_svids'");
    }
    let Some(audience) = audience else {
        if keys.is_sound() {
            keys.fault("'jwt_audience' is required in 'jwt_svids'");
        }
        return None;
    };
    let audience = Audience::new(std::iter::once(audience).chain(extra.unwrap_or_default()));
    let audience =
        audience.map_err(|_| keys.fault_at("jwt_extra_audiences", "jwt_extra_audiences has an empty one"));
    Some(JwtOutput { whose, audience: audience.ok()?, token: token? })
}

fn whose(keys: &mut Keys) -> Option<Whose> {
    let (hint, id) = (keys.text("hint"), keys.read("spiffe_id", |text| SpiffeId::parse(text)));
    if hint.is_some() && id.is_some() {
        keys.fault_at("hint", "hint and spiffe_id exclude each other: give one of them");
    }
    id.map(Whose::Id).or(hint.map(Whose::Hint))
}

fn place(keys: &mut Keys, key: &'static str, mode: Mode) -> Option<Place> {
    keys.read(key, FileName::parse).map(|name| Place { name, mode })
}

/// `what` names the file in the words of spiffe-helper.
fn mode(keys: &mut Keys, key: &'static str, what: &str) -> Option<Mode> {
    let WrittenMode(mode) = keys.take(key)?;
    match mode {
        Ok(mode) => return mode,
        Err(ModeFault::Negative) => keys.fault_at(key, &format!("{what} file mode must be positive")),
        Err(ModeFault::Decimal(text)) => keys.fault_at(
            key,
            &format!(
                "{key} is the decimal number {text}: permissions are octal, write 0{text} if you mean that"
            ),
        ),
        Err(ModeFault::Range(text)) => {
            keys.fault_at(key, &format!("{key} is {text}: permissions go from 0001 to 0777"));
        }
    }
    None
}

impl Outputs {
    /// Whether nothing is written at all.
    pub fn is_empty(&self) -> bool {
        self.x509.is_empty() && self.jwt_svids.is_empty() && self.jwt_bundle.is_none()
    }

    /// All files whose names the configuration gives.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        let x509 = self.x509.iter().flat_map(X509Output::places);
        x509.chain(self.jwt_svids.iter().map(|jwt| &jwt.token)).chain(&self.jwt_bundle)
    }

    fn repeated(&self) -> Option<&FileName> {
        let names = self.places().map(|place| &place.name).collect::<Vec<_>>();
        (1..names.len()).find(|at| names[..*at].contains(&names[*at])).map(|at| names[at])
    }
}

impl X509Output {
    /// Whether one of its files is sealed by the password.
    pub(crate) fn needs_password(&self) -> bool {
        self.keystore.is_some() || self.truststore.is_some()
    }

    /// Its files whose names the configuration gives, the chain first if it has one of its own.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        let pair = self.pair.iter().flat_map(|(certificate, key)| [certificate, key]);
        pair.chain(&self.bundle).chain(&self.combined).chain(&self.keystore).chain(&self.truststore)
    }
}
