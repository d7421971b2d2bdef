//! A client certificate.

use std::sync::LazyLock;

use rustls::pki_types::CertificateDer;
use tapegate::access::identity::certificate::{CertificateRule, NameKind, NamePattern};

static RULE: LazyLock<CertificateRule> = LazyLock::new(|| CertificateRule {
    kinds: vec![NameKind::Spiffe, NameKind::Uri, NameKind::Dns],
    allowed: ["spiffe://example.org/*", "https://example.org/*", "*.example.org"]
        .iter()
        .map(|text| NamePattern::new(text).unwrap())
        .collect(),
    groups: vec!["agents".to_owned()],
});

/// The name of whoever is known by a certificate is one that counts.
pub fn run(bytes: &[u8]) {
    let Ok(principal) = RULE.principal(&CertificateDer::from(bytes)) else {
        return;
    };
    let name = principal.name();
    let counts = name.starts_with("spiffe://example.org/")
        || name.starts_with("https://example.org/")
        || name.ends_with(".example.org");
    assert!(counts && !name.contains(char::is_control), "{name:?}");
}
