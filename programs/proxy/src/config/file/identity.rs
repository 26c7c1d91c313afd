//! Where an identity comes from.

use finial_receive::{Endpoint, Password};

use super::keys::Keys;
use crate::CredentialFlags;

/// `None` where the block names nothing of it. No environment variable counts here but the one that
/// `use_workload_api` asks for.
pub(super) fn read(keys: &mut Keys) -> Option<CredentialFlags> {
    let addressed = keys.take::<String>("use_workload_api_addr");
    let mut workload_api =
        addressed.and_then(|text| keys.read("use_workload_api_addr", Endpoint::parse(&text)));
    if keys.take("use_workload_api") == Some(true) && workload_api.is_none() {
        workload_api = keys.read("use_workload_api", Endpoint::from_env());
    }
    let credentials = CredentialFlags {
        keystore: keys.take("keystore"),
        password: keys.take("storepass").map(Password::new),
        certificate: keys.take("cert"),
        key: keys.take("key"),
        authorities: keys.take("cacert"),
        workload_api,
        timed_reload: keys.take("timed_reload"),
        ..CredentialFlags::default()
    };
    Some(credentials).filter(|given| *given != CredentialFlags::default())
}
