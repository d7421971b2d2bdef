use std::fmt;

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use crate::{access::identity::AuthError, domain::Invalid, network::X509};

/// The names of a client certificate.
#[derive(Debug)]
pub(super) struct CertificateNames {
    /// The URIs with the scheme `spiffe`.
    pub(super) spiffe: Vec<String>,
    /// The other URIs.
    pub(super) uris: Vec<String>,
    /// The DNS names without a wildcard, in lower case.
    pub(super) dns: Vec<String>,
    /// The e-mail addresses, with their domains in lower case.
    pub(super) emails: Vec<String>,
    /// The attributes of the subject that are texts of a type in [`ATTRIBUTES`].
    pub(super) subject: Vec<(&'static str, String)>,
}

/// The attributes of a subject that patterns can name, by their short names (RFC 4514).
pub(super) const ATTRIBUTES: [(&str, &[u64]); 9] = [
    ("CN", &[2, 5, 4, 3]),
    ("O", &[2, 5, 4, 10]),
    ("OU", &[2, 5, 4, 11]),
    ("L", &[2, 5, 4, 7]),
    ("ST", &[2, 5, 4, 8]),
    ("C", &[2, 5, 4, 6]),
    ("DC", DOMAIN_COMPONENT),
    ("UID", USER_ID),
    ("SERIALNUMBER", &[2, 5, 4, 5]),
];

/// The types of RFC 4519, sections 2.4 and 2.39.
const DOMAIN_COMPONENT: &[u64] = &[0, 9, 2342, 19_200_300, 100, 1, 25];
const USER_ID: &[u64] = &[0, 9, 2342, 19_200_300, 100, 1, 1];

/// How many names the log shows.
const MAX_SHOWN: usize = 20;

const INVALID: AuthError = AuthError::CertificateNameRejected("it is not a valid X.509 certificate");

impl CertificateNames {
    /// The names of a certificate that the TLS handshake has verified, without
    /// [the details](Self::read_details).
    pub(super) fn read(certificate: &CertificateDer<'_>) -> Result<Self, AuthError> {
        let parsed = EndEntityCert::try_from(certificate).map_err(|_| INVALID)?;
        let uris: Vec<_> = parsed.valid_uri_names().map(str::to_owned).collect();
        let (spiffe, uris) = uris.into_iter().partition(|uri| has_spiffe_scheme(uri));
        let plain = parsed.valid_dns_names().filter(|name| !name.contains('*'));
        let dns = plain.map(str::to_ascii_lowercase).collect();
        Ok(Self {
            spiffe,
            uris,
            dns,
            emails: Vec::new(),
            subject: Vec::new(),
        })
    }

    /// Checks that a SPIFFE id is valid, and the only URI of the certificate, as the specification
    /// of SPIFFE demands.
    pub(super) fn check_spiffe(&self) -> Result<(), AuthError> {
        match (self.spiffe.as_slice(), self.uris.as_slice()) {
            ([], _) => Ok(()),
            ([id], []) if is_spiffe(id) => Ok(()),
            _ => Err(AuthError::CertificateNameRejected(
                "its SPIFFE id is malformed, or is not its only URI",
            )),
        }
    }

    /// Adds the e-mail addresses and the subject, which take longer to read.
    pub(super) fn read_details(&mut self, certificate: &CertificateDer<'_>) -> Result<(), AuthError> {
        let X509 { subject, emails, .. } = X509::parse(certificate).ok_or(INVALID)?;
        let emails = emails.iter().filter_map(|email| email.split_once('@'));
        self.emails = emails
            .map(|(local, domain)| format!("{local}@{}", domain.to_ascii_lowercase()))
            .collect();
        let attributes = subject.into_iter().filter_map(|(kind, value)| {
            let (name, _) = ATTRIBUTES.iter().find(|(_, known)| *known == kind)?;
            Some((*name, value))
        });
        self.subject = attributes.collect();
        Ok(())
    }
}

/// All names, for the log.
impl fmt::Display for CertificateNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject: Vec<_> = self
            .subject
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let all = [
            ("spiffe", &self.spiffe),
            ("uri", &self.uris),
            ("dns", &self.dns),
            ("email", &self.emails),
            ("subject", &subject),
        ];
        let mut rest = all
            .iter()
            .flat_map(|(source, names)| names.iter().map(move |name| (source, name)));
        for (source, name) in rest.by_ref().take(MAX_SHOWN) {
            write!(f, "{source} {}; ", Invalid::quote(name))?;
        }
        write!(f, "{} more", rest.count())
    }
}

fn has_spiffe_scheme(uri: &str) -> bool {
    uri.split_once(':')
        .is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("spiffe"))
}

/// Whether a URI is a SPIFFE id as specified: a trust domain, and a path of plain segments.
fn is_spiffe(uri: &str) -> bool {
    let Some(rest) = uri.strip_prefix("spiffe://") else {
        return false;
    };
    let (domain, path) = rest
        .split_once('/')
        .map_or((rest, None), |(domain, path)| (domain, Some(path)));
    let in_domain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-_".contains(&b);
    let in_path = |b: u8| b.is_ascii_alphanumeric() || b".-_".contains(&b);
    let is_segment = |segment: &str| {
        !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(in_path)
    };
    (1..=255).contains(&domain.len())
        && domain.bytes().all(in_domain)
        && path.is_none_or(|path| path.split('/').all(is_segment))
}
