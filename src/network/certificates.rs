use std::path::Path;

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::files;

/// Parses PEM certificates.
///
/// # Errors
///
/// What is wrong, if they are not PEM or if there are none.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Err(error) => Err(format!("is not valid PEM: {error}")),
        Ok(all) if all.is_empty() => Err("has no certificate as PEM (BEGIN CERTIFICATE)".to_owned()),
        Ok(all) => Ok(all),
    }
}

/// Parses PEM certificates as roots of trust.
///
/// # Errors
///
/// What is wrong with them.
pub fn root_certificates(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for root in certificates(pem)? {
        roots
            .add(root)
            .map_err(|error| format!("has a certificate that cannot be a root of trust: {error}"))?;
    }
    Ok(roots)
}

/// Reads a file of root certificates, as PEM.
///
/// # Errors
///
/// What is wrong with the file, with its path.
pub fn read_root_certificates(path: &Path) -> Result<Vec<u8>, String> {
    let pem = files::read(path).map_err(|error| format!("cannot be read: {error}"));
    let checked = pem.and_then(|pem| root_certificates(&pem).map(|_| pem));
    checked.map_err(|what| format!("{} {what}", path.display()))
}
