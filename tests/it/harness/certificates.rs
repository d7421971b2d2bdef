use std::sync::Arc;

use hyper_util::rt::TokioIo;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    sign::{CertifiedKey, SingleCertAndKey},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

/// An authority that issues certificates.
pub struct Ca(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key, as PEM.
#[derive(Clone)]
pub struct Certified {
    pub cert: String,
    pub key: String,
}

/// When a certificate is valid.
#[derive(Clone, Copy)]
pub enum Valid {
    Now,
    /// Until some years ago.
    Before,
    /// For so many seconds from now on.
    For(u64),
}

impl Valid {
    fn limit(self, params: &mut CertificateParams) {
        match self {
            Self::Now => {}
            Self::Before => {
                params.not_before = date_time_ymd(2001, 1, 1);
                params.not_after = date_time_ymd(2002, 1, 1);
            }
            Self::For(seconds) => {
                let now = std::time::SystemTime::now();
                params.not_after = (now + std::time::Duration::from_secs(seconds)).into();
            }
        }
    }
}

impl Ca {
    /// An authority of this name.
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its own certificate, as PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// The certificate of a server on this machine.
    pub fn server(&self) -> Certified {
        self.server_valid(Valid::Now)
    }

    /// The same, valid at this time.
    pub fn server_valid(&self, valid: Valid) -> Certified {
        let mut params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        params.insert_extended_key_usage(ExtendedKeyUsagePurpose::ServerAuth);
        valid.limit(&mut params);
        self.issue(&params)
    }

    /// A client's certificate with these names: URIs have a colon, e-mail addresses an @, and others
    /// are DNS names.
    pub fn client(&self, names: &[&str], valid: Valid) -> Certified {
        let subject = [(DnType::CommonName, "a name that does not count")];
        self.client_with_subject(subject, names, valid)
    }

    /// The same with this subject.
    pub fn client_with_subject<const N: usize>(
        &self,
        subject: [(DnType, &str); N],
        names: &[&str],
        valid: Valid,
    ) -> Certified {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (attribute, value) in subject {
            params.distinguished_name.push(attribute, value);
        }
        for name in names {
            let name = *name;
            params.subject_alt_names.push(if name.contains(':') {
                SanType::URI(name.try_into().unwrap())
            } else if name.contains('@') {
                SanType::Rfc822Name(name.try_into().unwrap())
            } else {
                SanType::DnsName(name.try_into().unwrap())
            });
        }
        params.insert_extended_key_usage(ExtendedKeyUsagePurpose::ClientAuth);
        valid.limit(&mut params);
        self.issue(&params)
    }

    fn issue(&self, params: &CertificateParams) -> Certified {
        let key = KeyPair::generate().unwrap();
        Certified {
            cert: params.signed_by(&key, &self.0).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }
}

/// What a client that trusts `ca`, and shows this certificate, connects by.
pub fn client_config(ca: &str, certified: Option<&Certified>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(ca.as_bytes()) {
        roots.add(root.unwrap()).unwrap();
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match certified {
        None => builder.with_no_client_auth(),
        Some(Certified { cert, key }) => {
            let chain = CertificateDer::pem_slice_iter(cert.as_bytes()).map(Result::unwrap);
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            // Not checked, so that a thief can show a certificate whose key it does not have.
            let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
            let certified = SingleCertAndKey::from(CertifiedKey::new(chain.collect(), key));
            builder.with_client_cert_resolver(Arc::new(certified))
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// A connection over TLS to this address, opened when it is first needed.
pub fn tls_channel(address: std::net::SocketAddr, config: ClientConfig) -> Channel {
    let config = Arc::new(config);
    let connect = service_fn(move |_| {
        let connector = TlsConnector::from(config.clone());
        async move {
            let socket = TcpStream::connect(address).await?;
            let name = ServerName::try_from("localhost").unwrap();
            connector.connect(name, socket).await.map(TokioIo::new)
        }
    });
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    endpoint.connect_with_connector_lazy(connect)
}
