//! A client certificate.

use rustls::pki_types::CertificateDer;
use tapegate::auth::certificate::{NameKind, NamePattern, Rule};

/// The name of whoever is known by a certificate is one that counts.
pub fn run(bytes: &[u8]) {
    let rule = Rule {
        kinds: vec![NameKind::Spiffe, NameKind::Uri, NameKind::Dns],
        allowed: ["spiffe://example.org/*", "https://example.org/*", "*.example.org"]
            .iter()
            .map(|text| NamePattern::new(text).unwrap())
            .collect(),
        groups: vec!["agents".to_owned()],
    };
    let Ok(principal) = rule.principal(&CertificateDer::from(bytes)) else {
        return;
    };
    let name = principal.name();
    let counts = name.starts_with("spiffe://example.org/")
        || name.starts_with("https://example.org/")
        || name.ends_with(".example.org");
    assert!(counts && !name.contains(char::is_control), "{name:?}");
}
