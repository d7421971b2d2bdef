//! TLS 1.2 and 1.3 for callers, with certificates that are reloaded when they change.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use jiff::Timestamp;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
    version::{TLS12, TLS13},
};

use crate::{
    access::{
        AuthError,
        reload::{FileContents, Files, Reloading},
    },
    network::{self, X509, certificates},
};

/// The files of TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// The service's certificate and the intermediate ones (`tls.cert`).
    pub cert: PathBuf,
    /// Its private key (`tls.key`).
    pub key: PathBuf,
    /// The root certificates of client certificates (`tls.client_ca`). If there are any, clients
    /// are asked for a certificate.
    pub client_ca: Option<PathBuf>,
}

/// The TLS configuration of new connections.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ServerConfig>,
    /// Verifies client certificates, if they are requested.
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    /// The certificates of the files, the service's own first in the first list.
    own: Vec<X509>,
    roots: Vec<X509>,
}

/// The certificate of a client, which the handshake has verified.
#[derive(Debug)]
pub struct ClientCertificate {
    chain: Vec<CertificateDer<'static>>,
    tls: Arc<Reloading<Tls>>,
    /// When it must be verified again, in seconds since 1970.
    valid_until: AtomicU64,
}

/// How long a verified certificate is not verified again, in seconds.
const VERIFIED_FOR: u64 = 5;

/// Loads the TLS configuration from PEM files, which are reloaded when they change.
///
/// # Errors
///
/// All faults of the files.
pub fn open(settings: &TlsSettings) -> Result<Reloading<Tls>, Vec<String>> {
    let TlsSettings { cert, key, client_ca } = settings;
    let files = Files::Each([cert, key].into_iter().chain(client_ca).cloned().collect());
    Reloading::open("tls", files, Tls::read)
}

/// Checks a file of certificates by itself.
///
/// # Errors
///
/// If it cannot be read, or has no valid certificate.
pub fn check_certificates(path: &Path) -> Result<(), Vec<String>> {
    check(path, certificates)
}

/// Checks a file of a private key by itself.
///
/// # Errors
///
/// If it cannot be read, or has no private key.
pub fn check_key(path: &Path) -> Result<(), Vec<String>> {
    check(path, private_key)
}

/// Checks a file of root certificates by itself.
///
/// # Errors
///
/// If it cannot be read, or has no valid root certificate.
pub fn check_roots(path: &Path) -> Result<(), Vec<String>> {
    check(path, network::root_certificates)
}

fn check<T>(path: &Path, parser: impl Fn(&[u8]) -> Result<T, String>) -> Result<(), Vec<String>> {
    let contents = Files::Each(vec![path.to_owned()]).read()?;
    let mut faults = Vec::new();
    for file in contents.iter() {
        parse(file, &parser, &mut faults);
    }
    match faults.is_empty() {
        true => Ok(()),
        false => Err(faults),
    }
}

impl Tls {
    /// Parses the files: certificate, key and, if client certificates are requested, roots.
    fn read(contents: &FileContents) -> Result<Self, Vec<String>> {
        let mut files = contents.iter();
        let mut faults = Vec::new();
        let chain = files
            .next()
            .and_then(|file| parse(file, certificates, &mut faults));
        let key = files
            .next()
            .and_then(|file| parse(file, private_key, &mut faults));
        let roots = files.next();
        let root_certificates = roots.and_then(|(_, pem)| certificates(pem).ok());
        let roots = roots.map(|file| parse(file, network::root_certificates, &mut faults));
        let (Some(chain), Some(key), false) = (chain, key, matches!(roots, Some(None))) else {
            return Err(faults);
        };
        let own = read_x509(&chain);
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = match roots.flatten() {
            None => None,
            Some(roots) => Some(verifier(roots, &provider).map_err(|what| vec![what])?),
        };
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| vec![error.to_string()])?;
        let builder = match &verifier {
            None => builder.with_no_client_auth(),
            Some(verifier) => builder.with_client_cert_verifier(verifier.clone()),
        };
        // Fails if the key does not belong to the certificate.
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|error| vec![format!("the key does not match the certificate: {error}")])?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self {
            config: Arc::new(config),
            verifier,
            own,
            roots: read_x509(&root_certificates.unwrap_or_default()),
        })
    }

    /// When the service's certificate, or an intermediate one, expires.
    pub fn certificate_expires(&self) -> Option<Timestamp> {
        self.own.iter().map(|certificate| certificate.not_after).min()
    }

    /// The root certificates of client certificates.
    pub fn roots(&self) -> &[X509] {
        &self.roots
    }

    /// Returns the configuration for rustls.
    pub fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }
}

fn read_x509(certificates: &[CertificateDer<'_>]) -> Vec<X509> {
    certificates.iter().filter_map(|der| X509::parse(der)).collect()
}

/// Parses a file, or adds its fault with its path.
fn parse<T>(
    (path, bytes): (&Path, &[u8]),
    parser: impl FnOnce(&[u8]) -> Result<T, String>,
    faults: &mut Vec<String>,
) -> Option<T> {
    parser(bytes)
        .map_err(|what| faults.push(format!("{} {what}", path.display())))
        .ok()
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    // The parser's error is left out, because it can contain a part of the key.
    PrivateKeyDer::from_pem_slice(pem)
        .map_err(|_| "has no unencrypted private key as PEM (BEGIN PRIVATE KEY)".to_owned())
}

/// Creates a verifier of client certificates. It accepts connections without a certificate, whose
/// calls need a token.
fn verifier(
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .allow_unauthenticated()
        .build()
        .map_err(|error| format!("client certificates cannot be verified against the roots: {error}"))
}

impl ClientCertificate {
    /// Returns the certificate that a client presented in a handshake.
    pub fn presented(tls: &Arc<Reloading<Tls>>, chain: Option<&[CertificateDer<'static>]>) -> Option<Self> {
        let chain = chain.filter(|chain| !chain.is_empty())?;
        Some(Self {
            chain: chain.to_vec(),
            tls: tls.clone(),
            valid_until: AtomicU64::new(0),
        })
    }

    /// Returns the client's own certificate, if it is still valid.
    ///
    /// # Errors
    ///
    /// [`AuthError::CertificateInvalid`] if it has expired, or its root was removed, since the
    /// connection was opened.
    pub fn leaf(&self) -> Result<&CertificateDer<'static>, AuthError> {
        let (leaf, intermediates) = self.chain.split_first().ok_or(AuthError::CertificateInvalid)?;
        let now = UnixTime::now();
        if now.as_secs() >= self.valid_until.load(Ordering::Relaxed) {
            let tls = self.tls.load();
            let verifier = tls.verifier.as_ref().ok_or(AuthError::CertificateInvalid)?;
            verifier
                .verify_client_cert(leaf, intermediates, now)
                .map_err(|_| AuthError::CertificateInvalid)?;
            self.valid_until
                .store(now.as_secs() + VERIFIED_FOR, Ordering::Relaxed);
        }
        Ok(leaf)
    }
}
