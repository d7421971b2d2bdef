use std::path::PathBuf;

use super::Proxies;

/// How this process connects to others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkSettings {
    /// Which proxy a connection uses.
    pub proxies: Proxies,
    /// The root certificates for connections to AWS, instead of the system's (`AWS_CA_BUNDLE`).
    pub ca_bundle: Option<PathBuf>,
    /// Whether the system's root certificates are trusted for connections to AWS. `tapegate dev`,
    /// whose AWS is on this machine, needs none.
    pub native_roots: bool,
}
