use std::{
    fs,
    path::{Path, PathBuf},
};

use rustls::pki_types::{CertificateDer, pem::PemObject};

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

/// Reads a file of root certificates.
///
/// # Errors
///
/// What is wrong with the file, with its path.
pub fn read_certificates(path: &Path) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let pem = fs::read(path).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let all = all.map_err(|error| format!("{shown} is not valid PEM: {error}"))?;
    if all.is_empty() {
        return Err(format!("{shown} has no certificate as PEM (BEGIN CERTIFICATE)"));
    }
    let mut roots = rustls::RootCertStore::empty();
    for root in all {
        roots
            .add(root)
            .map_err(|error| format!("{shown} has a certificate that cannot be a root of trust: {error}"))?;
    }
    Ok(pem)
}
