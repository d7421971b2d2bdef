//! Maps the names of a client certificate to a principal.

use regex::Regex;
use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use super::auth_error::AuthError;
use crate::{
    access::wildcard::wildcard,
    domain::{Principal, Proof},
};

/// Which names of a client certificate identify a caller, and its groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRule {
    /// The accepted types of subject alternative names, in order of precedence.
    pub kinds: Vec<NameKind>,
    /// The accepted names; empty accepts all.
    pub allowed: Vec<NamePattern>,
    /// The groups of every caller with a client certificate.
    pub groups: Vec<String>,
}

/// A type of subject alternative name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameKind {
    /// A SPIFFE id, which must be the only URI of the certificate.
    Spiffe,
    /// Any other URI.
    Uri,
    /// A DNS name without a wildcard.
    Dns,
}

/// A pattern of accepted names, in which each `*` matches any characters.
#[derive(Clone, Debug)]
pub struct NamePattern {
    text: String,
    regex: Regex,
}

impl NamePattern {
    /// Parses a pattern; `None` if it is empty or too long.
    pub fn new(text: &str) -> Option<Self> {
        let parts: Vec<_> = text.split('*').collect();
        let regex = wildcard(&parts)?;
        (!text.is_empty()).then(|| Self {
            text: text.to_owned(),
            regex,
        })
    }
}

impl PartialEq for NamePattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for NamePattern {}

impl PartialOrd for NamePattern {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for NamePattern {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.text.cmp(&other.text)
    }
}

impl CertificateRule {
    /// Returns the principal of a certificate that the TLS handshake has verified.
    ///
    /// Only the first type of name that the certificate has is used. If several names of that
    /// type are allowed, the certificate is rejected, because the caller's name is ambiguous.
    ///
    /// # Errors
    ///
    /// [`AuthError::CertificateNameRejected`] if the certificate has no acceptable name.
    pub fn principal(&self, certificate: &CertificateDer<'_>) -> Result<Principal, AuthError> {
        let parsed = EndEntityCert::try_from(certificate)
            .map_err(|_| AuthError::CertificateNameRejected("it is not a valid X.509 certificate"))?;
        let uris: Vec<_> = parsed.valid_uri_names().collect();
        let (spiffe, others): (Vec<_>, Vec<_>) = uris.iter().copied().partition(|uri| has_spiffe_scheme(uri));
        if !spiffe.is_empty() && (uris.len() > 1 || !spiffe.iter().all(|id| is_spiffe(id))) {
            return Err(AuthError::CertificateNameRejected(
                "its SPIFFE id is malformed, or is not its only URI",
            ));
        }
        for kind in &self.kinds {
            let names: Vec<_> = match kind {
                NameKind::Spiffe => spiffe.iter().map(ToString::to_string).collect(),
                NameKind::Uri => others.iter().map(ToString::to_string).collect(),
                NameKind::Dns => {
                    let plain = parsed.valid_dns_names().filter(|name| !name.contains('*'));
                    plain.map(str::to_ascii_lowercase).collect()
                }
            };
            if names.is_empty() {
                continue;
            }
            let mut allowed = names.into_iter().filter(|name| self.allows(name));
            let Some(name) = allowed.next() else { break };
            if allowed.next().is_some() {
                return Err(AuthError::CertificateNameRejected(
                    "several of its names are allowed, so the caller's name is ambiguous",
                ));
            }
            return Principal::new(name, self.groups.iter().cloned(), Proof::Certificate).ok_or(
                AuthError::CertificateNameRejected(
                    "its name is longer than 2048 bytes or contains control characters",
                ),
            );
        }
        Err(AuthError::CertificateNameRejected(
            "it has no subject alternative name that this service accepts (settings auth.mtls.names and auth.mtls.allowed)",
        ))
    }

    fn allows(&self, name: &str) -> bool {
        self.allowed.is_empty() || self.allowed.iter().any(|pattern| pattern.regex.is_match(name))
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
