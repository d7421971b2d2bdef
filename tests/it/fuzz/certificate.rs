//! A client certificate.

use std::sync::LazyLock;

use rustls::pki_types::CertificateDer;
use tapegate::access::identity::certificate::{
    CertificateIdentity, CertificatePattern, CertificateRule, NameKind, NamePattern, NameSource,
};

static RULE: LazyLock<CertificateIdentity> = LazyLock::new(|| {
    CertificateIdentity::Names(CertificateRule {
        kinds: vec![NameKind::Spiffe, NameKind::Uri, NameKind::Dns],
        allowed: ["spiffe://example.org/*", "https://example.org/*", "*.example.org"]
            .iter()
            .map(|text| NamePattern::new(text).unwrap())
            .collect(),
        groups: vec!["agents".to_owned()],
    })
});

/// One pattern for each type of name.
static PATTERNS: LazyLock<CertificateIdentity> = LazyLock::new(|| {
    let pattern = |source, pattern: &str| {
        let name = "known/{name}".parse().unwrap();
        CertificatePattern::new(source, pattern, Some(name), vec!["site/{site}".parse().unwrap()]).unwrap()
    };
    CertificateIdentity::Patterns(vec![
        pattern(NameSource::Spiffe, "spiffe://{site}/{name}"),
        pattern(NameSource::Uri, "https://{site}/{name}"),
        pattern(NameSource::Dns, "{name}.{site}.org"),
        pattern(NameSource::Email, "{name}@{site}.org"),
        pattern(NameSource::Subject, "CN={name},O={site}"),
    ])
});

/// The name of whoever is known by a certificate is one that counts.
pub fn run(bytes: &[u8]) {
    if let Ok(principal) = PATTERNS.principal(&CertificateDer::from(bytes)) {
        let in_capture = |c: char| c.is_ascii_alphanumeric() || "._- ".contains(c);
        let name = principal.name().strip_prefix("known/").unwrap();
        let site = principal.groups()[0].strip_prefix("site/").unwrap();
        for capture in [name, site] {
            assert!(
                !capture.is_empty() && capture.chars().all(in_capture),
                "{principal:?}"
            );
        }
    }
    let Ok(principal) = RULE.principal(&CertificateDer::from(bytes)) else {
        return;
    };
    let name = principal.name();
    let counts = name.starts_with("spiffe://example.org/")
        || name.starts_with("https://example.org/")
        || name.ends_with(".example.org");
    assert!(counts && !name.contains(char::is_control), "{name:?}");
}
