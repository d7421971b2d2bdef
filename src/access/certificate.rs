//! What a client certificate says of who calls.

use regex::Regex;
use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use super::{AuthError, wildcard};
use crate::domain::{Principal, Proof};

/// Which names of a certificate count, and where they lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The kinds of names, in the order in which they are looked for.
    pub kinds: Vec<NameKind>,
    /// The names that count; empty means all.
    pub allowed: Vec<NamePattern>,
    /// The groups that all callers with certificates are in.
    pub groups: Vec<String>,
}

/// A kind of subject alternative name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameKind {
    /// A SPIFFE id: a URI of that form, and the only one in the certificate.
    Spiffe,
    /// Any other URI.
    Uri,
    /// A DNS name; none with a wildcard.
    Dns,
}

/// Names that count: a text in which each `*` stands for any run of characters.
#[derive(Clone, Debug)]
pub struct NamePattern {
    text: String,
    regex: Regex,
}

impl NamePattern {
    /// The pattern of this text; `None` for an empty or a huge one.
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

impl Rule {
    /// Who has this certificate, which was verified by whoever accepted it. The name is the
    /// one of the first kind that it has any of; were there two that count, it could not be told
    /// which is meant.
    ///
    /// # Errors
    ///
    /// [`AuthError::CertificateName`].
    pub fn principal(&self, certificate: &CertificateDer<'_>) -> Result<Principal, AuthError> {
        let parsed = EndEntityCert::try_from(certificate)
            .map_err(|_| AuthError::CertificateName("it cannot be read"))?;
        let uris: Vec<_> = parsed.valid_uri_names().collect();
        let (spiffe, others): (Vec<_>, Vec<_>) = uris.iter().copied().partition(|uri| claims_spiffe(uri));
        if !spiffe.is_empty() && (uris.len() > 1 || !spiffe.iter().all(|id| is_spiffe(id))) {
            return Err(AuthError::CertificateName(
                "its SPIFFE id is not one by the standard, or not its only URI",
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
            let mut counting = names.into_iter().filter(|name| self.counts(name));
            let Some(name) = counting.next() else { break };
            if counting.next().is_some() {
                return Err(AuthError::CertificateName(
                    "several of its names could be the caller's",
                ));
            }
            return Principal::new(name, self.groups.iter().cloned(), Proof::Certificate).ok_or(
                AuthError::CertificateName("its name is too long or has control characters"),
            );
        }
        Err(AuthError::CertificateName(
            "it has no name of a kind that counts here",
        ))
    }

    fn counts(&self, name: &str) -> bool {
        self.allowed.is_empty() || self.allowed.iter().any(|pattern| pattern.regex.is_match(name))
    }
}

fn claims_spiffe(uri: &str) -> bool {
    uri.split_once(':')
        .is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("spiffe"))
}

/// Whether a URI is a SPIFFE id, by the standard: a trust domain, and a path of plain segments.
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
