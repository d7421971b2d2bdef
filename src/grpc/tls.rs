//! TLS for callers: 1.2 and 1.3, with certificates that are read again when they change.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
    version::{TLS12, TLS13},
};

use crate::access::{
    AuthError,
    reload::{Contents, Files, Reloading},
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

/// How connections that are opened from now on are protected.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ServerConfig>,
    /// What client certificates are held against, if they are asked for.
    verifier: Option<Arc<dyn ClientCertVerifier>>,
}

/// The certificate of a client, which was verified when its connection was opened.
#[derive(Debug)]
pub struct ClientCertificate {
    chain: Vec<CertificateDer<'static>>,
    tls: Arc<Reloading<Tls>>,
    /// Up to when it counts as valid without being looked at again, in seconds since 1970.
    valid_until: AtomicU64,
}

/// How long a certificate counts as valid without being looked at again, in seconds.
const TRUSTED_FOR: u64 = 5;

/// The protection by these files, which are read again when they change.
///
/// # Errors
///
/// All that is wrong with them.
pub fn open(settings: &TlsSettings) -> Result<Reloading<Tls>, Vec<String>> {
    let TlsSettings { cert, key, client_ca } = settings;
    let files = Files::Each([cert, key].into_iter().chain(client_ca).cloned().collect());
    Reloading::open("tls", files, Tls::read)
}

impl Tls {
    /// The files' bytes: certificate, key and, where clients are asked for theirs, roots.
    fn read(contents: &Contents) -> Result<Self, Vec<String>> {
        let mut files = contents.iter();
        let mut faults = Vec::new();
        let chain = files
            .next()
            .and_then(|file| kept(file, certificates, &mut faults));
        let key = files.next().and_then(|file| kept(file, private_key, &mut faults));
        let roots = files.next().map(|file| kept(file, roots, &mut faults));
        let (Some(chain), Some(key), false) = (chain, key, matches!(roots, Some(None))) else {
            return Err(faults);
        };
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
        // Refuses a key that is not the certificate's.
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|error| vec![format!("certificate and key do not go together: {error}")])?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self {
            config: Arc::new(config),
            verifier,
        })
    }

    /// What rustls accepts connections by.
    pub fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }
}

/// What `read` makes of a file, or a fault.
fn kept<T>(
    (path, bytes): (&Path, &[u8]),
    read: impl FnOnce(&[u8]) -> Result<T, String>,
    faults: &mut Vec<String>,
) -> Option<T> {
    read(bytes)
        .map_err(|what| faults.push(format!("{} {what}", path.display())))
        .ok()
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Err(error) => Err(format!("cannot be read as PEM: {error}")),
        Ok(all) if all.is_empty() => Err("has no certificate (BEGIN CERTIFICATE)".to_owned()),
        Ok(all) => Ok(all),
    }
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    // What is wrong with it is not said: it would show some of it.
    PrivateKeyDer::from_pem_slice(pem)
        .map_err(|_| "has no private key as PEM (BEGIN PRIVATE KEY, without a password)".to_owned())
}

fn roots(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for root in certificates(pem)? {
        roots
            .add(root)
            .map_err(|error| format!("has a certificate that cannot be a root: {error}"))?;
    }
    Ok(roots)
}

/// Clients without a certificate are let in as far as their calls, which need a token then.
fn verifier(
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .allow_unauthenticated()
        .build()
        .map_err(|error| format!("clients' certificates cannot be held against the roots: {error}"))
}

impl ClientCertificate {
    /// The certificate that a client has presented in a handshake by this protection.
    pub fn presented(tls: &Arc<Reloading<Tls>>, chain: Option<&[CertificateDer<'static>]>) -> Option<Self> {
        let chain = chain.filter(|chain| !chain.is_empty())?;
        Some(Self {
            chain: chain.to_vec(),
            tls: tls.clone(),
            valid_until: AtomicU64::new(0),
        })
    }

    /// The client's own certificate, if it is valid still: since its connection was opened it may
    /// have lapsed, or its root have been taken out.
    ///
    /// # Errors
    ///
    /// [`AuthError::CertificateInvalid`].
    pub fn leaf(&self) -> Result<&CertificateDer<'static>, AuthError> {
        let (leaf, between) = self.chain.split_first().ok_or(AuthError::CertificateInvalid)?;
        let now = UnixTime::now();
        if now.as_secs() >= self.valid_until.load(Ordering::Relaxed) {
            let tls = self.tls.load();
            let verifier = tls.verifier.as_ref().ok_or(AuthError::CertificateInvalid)?;
            verifier
                .verify_client_cert(leaf, between, now)
                .map_err(|_| AuthError::CertificateInvalid)?;
            self.valid_until
                .store(now.as_secs() + TRUSTED_FOR, Ordering::Relaxed);
        }
        Ok(leaf)
    }
}
