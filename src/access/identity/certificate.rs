//! Maps the names of a client certificate to a principal.

mod names;
mod pattern;
mod source;
mod template;

use regex::Regex;
use rustls::pki_types::CertificateDer;

use self::names::CertificateNames;
pub use self::{
    pattern::{CertificatePattern, PatternFault, template_faults},
    source::NameSource,
    template::Template,
};
use super::auth_error::AuthError;
use crate::{
    access::wildcard::wildcard,
    domain::{Principal, Proof},
};

/// How client certificates identify callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateIdentity {
    /// By a name of the certificate itself (`auth.mtls`).
    Names(CertificateRule),
    /// By the first pattern that matches a name (`auth.certificate`).
    Patterns(Vec<CertificatePattern>),
}

impl CertificateIdentity {
    /// Returns the principal of a certificate that the TLS handshake has verified.
    ///
    /// Logs the names of a certificate that it rejects.
    ///
    /// # Errors
    ///
    /// [`AuthError::CertificateNameRejected`] if the certificate has no acceptable name, or if its
    /// names are ambiguous.
    pub fn principal(&self, certificate: &CertificateDer<'_>) -> Result<Principal, AuthError> {
        let mut names = CertificateNames::read(certificate)?;
        self.choose(certificate, &mut names).inspect_err(|reason| {
            // An operator wants to see all names, whether they count or not.
            let _ = names.read_details(certificate);
            tracing::info!(%names, %reason, "client certificate rejected");
        })
    }

    fn choose(
        &self,
        certificate: &CertificateDer<'_>,
        names: &mut CertificateNames,
    ) -> Result<Principal, AuthError> {
        names.check_spiffe()?;
        match self {
            Self::Names(rule) => rule.choose(names),
            Self::Patterns(patterns) => {
                if patterns.iter().any(CertificatePattern::needs_details) {
                    names.read_details(certificate)?;
                }
                pattern::principal(patterns, names)
            }
        }
    }
}

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
    /// Chooses the name that identifies the caller.
    ///
    /// Only the first type of name that the certificate has is used. If several names of that
    /// type are allowed, the certificate is rejected, because the caller's name is ambiguous.
    fn choose(&self, names: &CertificateNames) -> Result<Principal, AuthError> {
        for kind in &self.kinds {
            let names = match kind {
                NameKind::Spiffe => &names.spiffe,
                NameKind::Uri => &names.uris,
                NameKind::Dns => &names.dns,
            };
            if names.is_empty() {
                continue;
            }
            let mut allowed = names.iter().filter(|name| self.allows(name));
            let Some(name) = allowed.next() else { break };
            if allowed.next().is_some() {
                return Err(AuthError::CertificateNameRejected(
                    "several of its names are allowed, so the caller's name is ambiguous",
                ));
            }
            return Principal::new(name.clone(), self.groups.iter().cloned(), Proof::Certificate).ok_or(
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
