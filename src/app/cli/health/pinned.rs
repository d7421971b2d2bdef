use std::{io, path::Path, sync::Arc};

use hyper_util::rt::TokioIo;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::files;

/// Accepts a server only if it has exactly this certificate. Its names, its issuer and its expiry
/// do not matter.
#[derive(Debug)]
struct Pinned {
    certificate: CertificateDer<'static>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match *shown == self.certificate {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Does the TLS handshake with a server that must have the first certificate in this file.
pub(super) async fn handshake(
    address: &str,
    socket: TcpStream,
    file: &Path,
) -> Result<TokioIo<TlsStream<TcpStream>>, Box<dyn std::error::Error + Send + Sync>> {
    let unusable = |why: String| format!("the certificate in {} cannot be used: {why}", file.display());
    let pem = files::read(file).map_err(|error| unusable(error.to_string()))?;
    let certificate = CertificateDer::from_pem_slice(&pem).map_err(|error| unusable(error.to_string()))?;
    let provider = aws_lc_rs::default_provider();
    let pinned = Pinned {
        certificate,
        algorithms: provider.signature_verification_algorithms,
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(pinned))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(host)?;
    let connected = TlsConnector::from(Arc::new(config)).connect(name, socket).await;
    Ok(TokioIo::new(connected.map_err(|error| explain(&error, file))?))
}

/// What a failed handshake means.
fn explain(error: &io::Error, file: &Path) -> String {
    let file = file.display();
    match error.get_ref().and_then(|error| error.downcast_ref()) {
        Some(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)) => format!(
            "its certificate is not the first one in {file}; give the certificate that the service uses with --cert"
        ),
        Some(Error::InvalidMessage(_)) => {
            format!(
                "it does not use TLS, so it cannot show the certificate in {file}; check the port, or leave --cert out"
            )
        }
        _ => format!("the TLS handshake failed: {error}"),
    }
}
