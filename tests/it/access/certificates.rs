//! Callers with client certificates that should not be let in.

use std::time::Duration;

use http::HeaderMap;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use tapegate::access::identity::certificate::{CertificateRule, NameKind, NamePattern};
use tapegate::grpc::proto::{ListTapesRequest, tape_service_client::TapeServiceClient};

use super::attacks::{attack, audited, authorization, recorded};
use crate::harness::{Ca, Certified, Site, Valid, With, collect, refusal};

#[tokio::test]
async fn no_certificate_that_should_not_be_is_let_in_and_each_is_told_why() {
    let site = Site::new();
    let service = audited(&site, &site.config_with_tls()).await;
    let client = |names: &[&str]| site.ca.client(names, Valid::Now);

    // These get no further than their handshake.
    const AGENT: &[&str] = &["spiffe://example.org/agent"];
    let stolen = Certified {
        cert: client(AGENT).cert,
        key: client(&["spiffe://example.org/thief"]).key,
    };
    let same_name = Ca::new("the site's authority");
    let at_the_door = [
        (Ca::new("another").client(AGENT, Valid::Now), "UnknownCA"),
        (same_name.client(AGENT, Valid::Now), "DecryptError"),
        (site.ca.client(AGENT, Valid::Before), "CertificateExpired"),
        // Of a server, not a client.
        (site.ca.server(), "UnsupportedCertificate"),
        (stolen, "DecryptError"),
    ];
    for (certified, alert) in &at_the_door {
        // Now and then the connection is reset before the alert was read.
        let mut told = false;
        for _ in 0..20 {
            for status in attack(&site.channel(&service, Some(certified)), HeaderMap::new()).await {
                assert!(
                    status.details().is_empty(),
                    "{alert}: it came to the service: {status:?}"
                );
                told |= format!("{status:?}").contains(alert);
            }
        }
        assert!(told, "never told {alert}");
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
        ("a SPIFFE id that goes up", &["spiffe://example.org/a/../b"]),
        ("a SPIFFE id without a domain", &["spiffe:///a"]),
        ("a SPIFFE id in capitals", &["SPIFFE://example.org/a"]),
        ("an escaped SPIFFE id", &["spiffe://example.org/%61"]),
        ("an endless SPIFFE id", &[&longest]),
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
    // A good certificate makes no bad token good, whoever's connection it is.
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
async fn a_certificate_that_lapses_while_its_connection_is_open_is_refused_from_then_on() {
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
    let refused = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            if let Err(status) = list().await {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert_eq!(refusal(&refused.await.unwrap()).reason, "CERTIFICATE_INVALID");
}

#[test]
fn the_first_kind_that_a_certificate_has_decides_whether_it_counts_or_not() {
    let names = ["spiffe://example.org/web", "x.agents.example.org"];
    let certified = Ca::new("an authority").client(&names, Valid::Now);
    let certificate = CertificateDer::from_pem_slice(certified.cert.as_bytes()).unwrap();
    let rule = |allowed: &str| CertificateRule {
        kinds: vec![NameKind::Spiffe, NameKind::Uri, NameKind::Dns],
        allowed: vec![NamePattern::new(allowed).unwrap()],
        groups: Vec::new(),
    };
    assert!(rule("*.agents.example.org").principal(&certificate).is_err());
    let known = rule("spiffe://example.org/*").principal(&certificate).unwrap();
    assert_eq!(known.name(), "spiffe://example.org/web");
}
