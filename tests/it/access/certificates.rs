//! Client certificates: which are rejected, and why.

use http::HeaderMap;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use tapegate::access::identity::certificate::{CertificateIdentity, CertificateRule, NameKind, NamePattern};
use tapegate::grpc::proto::{ListTapesRequest, tape_service_client::TapeServiceClient};

use super::attacks::{attack, audited, authorization, recorded};
use crate::harness::{Ca, Certified, Site, Valid, With, collect, eventually, refusal};

#[tokio::test]
async fn every_unacceptable_certificate_is_rejected_with_its_reason() {
    let site = Site::new();
    let service = audited(&site, &site.config_with_tls()).await;
    let client = |names: &[&str]| site.ca.client(names, Valid::Now);

    // The handshake rejects these.
    const AGENT: &[&str] = &["spiffe://example.org/agent"];
    let stolen = Certified {
        cert: client(AGENT).cert,
        key: client(&["spiffe://example.org/thief"]).key,
    };
    let same_name = Ca::new("the site's authority");
    let rejected_by_handshake = [
        (Ca::new("another").client(AGENT, Valid::Now), "UnknownCA"),
        (same_name.client(AGENT, Valid::Now), "DecryptError"),
        (site.ca.client(AGENT, Valid::Before), "CertificateExpired"),
        // A server certificate.
        (site.ca.server(), "UnsupportedCertificate"),
        (stolen, "DecryptError"),
    ];
    for (certified, alert) in &rejected_by_handshake {
        // Sometimes the connection is reset before the client reads the alert.
        let mut was_seen = false;
        for _ in 0..20 {
            for status in attack(&site.channel(&service, Some(certified)), HeaderMap::new()).await {
                assert!(
                    status.details().is_empty(),
                    "{alert}: the call reached the service: {status:?}"
                );
                was_seen |= format!("{status:?}").contains(alert);
            }
        }
        assert!(was_seen, "never saw {alert}");
    }

    let spiffe = ["spiffe://example.org/a", "spiffe://example.org/b"];
    let longest = format!("spiffe://example.org/{}", "a".repeat(2100));
    let named: &[(&str, &[&str])] = &[
        ("without a name", &[]),
        ("two SPIFFE ids", &spiffe),
        (
            "a SPIFFE id and another URI",
            &["spiffe://example.org/a", "https://example.org/a"],
        ),
        ("a SPIFFE id with a port", &["spiffe://example.org:443/a"]),
        ("a SPIFFE id with a user", &["spiffe://a@example.org/a"]),
        ("a SPIFFE id with a query", &["spiffe://example.org/a?b"]),
        (
            "a SPIFFE id with a parent segment",
            &["spiffe://example.org/a/../b"],
        ),
        ("a SPIFFE id without a domain", &["spiffe:///a"]),
        ("a SPIFFE id in upper case", &["SPIFFE://example.org/a"]),
        ("an escaped SPIFFE id", &["spiffe://example.org/%61"]),
        ("a SPIFFE id that is too long", &[&longest]),
        ("two URIs", &["https://example.org/a", "https://example.org/b"]),
        ("two DNS names", &["a.example.org", "b.example.org"]),
        ("a wildcard", &["*.example.org"]),
    ];
    for (name, names) in named {
        let channel = site.channel(&service, Some(&client(names)));
        for status in attack(&channel, HeaderMap::new()).await {
            assert_eq!(refusal(&status).reason, "CERTIFICATE_NAME_REFUSED", "{name}");
        }
    }
    for status in attack(&site.channel(&service, None), HeaderMap::new()).await {
        assert_eq!(refusal(&status).reason, "CREDENTIALS_MISSING");
    }
    // An invalid token is rejected even on a connection with a valid certificate.
    let good = client(&["spiffe://example.org/agent"]);
    for status in attack(
        &site.channel(&service, Some(&good)),
        authorization(&["Bearer garbage".parse().unwrap()]),
    )
    .await
    {
        assert_eq!(refusal(&status).reason, "TOKEN_UNKNOWN");
    }
    let (_, records) = recorded(&site, service).await;
    assert_eq!(records.len(), 2 * (named.len() + 2));
}

#[tokio::test]
async fn a_certificate_that_expires_is_rejected_on_its_open_connection() {
    let site = Site::new();
    site.policies(
        r#"permit (principal == TapeGate::Agent::"spiffe://example.org/agent", action, resource);"#,
    );
    let service = site.run(&site.config_with_tls(), &[]).await;
    let certified = site.ca.client(&["spiffe://example.org/agent"], Valid::For(3));
    let channel = site.channel(&service, Some(&certified));
    let mut client = TapeServiceClient::with_interceptor(channel, With(HeaderMap::new()));
    let mut list = async || collect(client.list_tapes(ListTapesRequest::default()).await).await;
    list().await.unwrap();
    let mut rejected = None;
    eventually("the call is rejected", async || {
        rejected = list().await.err();
        rejected.is_some()
    })
    .await;
    assert_eq!(refusal(&rejected.unwrap()).reason, "CERTIFICATE_INVALID");
}

#[test]
fn only_the_first_type_of_name_that_a_certificate_has_is_used() {
    let names = ["spiffe://example.org/web", "x.agents.example.org"];
    let certified = Ca::new("an authority").client(&names, Valid::Now);
    let certificate = CertificateDer::from_pem_slice(certified.cert.as_bytes()).unwrap();
    let rule = |allowed: &str| {
        CertificateIdentity::Names(CertificateRule {
            kinds: vec![NameKind::Spiffe, NameKind::Uri, NameKind::Dns],
            allowed: vec![NamePattern::new(allowed).unwrap()],
            groups: Vec::new(),
        })
    };
    assert!(rule("*.agents.example.org").principal(&certificate).is_err());
    let known = rule("spiffe://example.org/*").principal(&certificate).unwrap();
    assert_eq!(known.name(), "spiffe://example.org/web");
}
