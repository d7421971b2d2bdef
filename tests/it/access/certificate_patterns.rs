//! Names, groups and tags of callers by patterns of their client certificates.

use std::{collections::BTreeMap, sync::LazyLock};

use http::HeaderMap;
use proptest::prelude::*;
use rcgen::DnType;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use tapegate::{
    access::{
        AuthError,
        identity::certificate::{CertificateIdentity, CertificatePattern, NameSource},
    },
    domain::Principal,
    grpc::proto::{ListTapesRequest, tape_service_client::TapeServiceClient},
};
use tonic::Code;

use crate::harness::{
    Ca, Certified, Program, Site, Valid, With, client_config, collect, refusal, tls_channel,
};

static CA: LazyLock<Ca> = LazyLock::new(|| Ca::new("an authority"));

fn pattern(source: NameSource, pattern: &str, name: &str, groups: &[&str]) -> CertificatePattern {
    let groups = groups.iter().map(|group| group.parse().unwrap()).collect();
    let name = (!name.is_empty()).then(|| name.parse().unwrap());
    CertificatePattern::new(source, pattern, name, groups).unwrap()
}

fn identify(patterns: &[CertificatePattern], certified: &Certified) -> Result<Principal, AuthError> {
    let certificate = CertificateDer::from_pem_slice(certified.cert.as_bytes()).unwrap();
    CertificateIdentity::Patterns(patterns.to_vec()).principal(&certificate)
}

/// The pattern that most sites have.
fn spiffe() -> CertificatePattern {
    let text = "spiffe://corp.example/site/{site}/agent/{name}";
    pattern(
        NameSource::Spiffe,
        text,
        "{site}/{name}",
        &["agents", "site/{site}"],
    )
}

#[tokio::test]
async fn policies_decide_by_the_groups_and_tags_of_a_certificate() {
    let site = Site::new();
    site.policies(
        r#"
        @id("sites-list") permit (
          principal in TapeGate::Group::"site/berlin", action == TapeGate::Action::"ListTapes", resource
        );
        @id("agents-read-their-pool") permit (principal, action == TapeGate::Action::"ReadTape", resource)
        when { principal.hasTag("pool") && principal.getTag("pool") == resource.pool };
        "#,
    );
    let patterns = r#"
        [[auth.certificate]]
        from = "spiffe"
        pattern = "spiffe://corp.example/site/{site}/{pool}/agent/{name}"
        name = "{site}/{name}"
        groups = ["site/{site}"]

        [[auth.certificate]]
        from = "subject"
        pattern = "CN={name},OU={site}"
        name = "{name}"
        groups = ["site/{site}"]
    "#;
    let service = site.run(&(site.config_with_tls() + patterns), &[]).await;
    let list = async |certified: Certified| {
        let channel = site.channel(&service, Some(&certified));
        let mut client = TapeServiceClient::with_interceptor(channel, With(HeaderMap::new()));
        collect(client.list_tapes(ListTapesRequest::default()).await).await
    };
    let spiffe = |id: &str| site.ca.client(&[id], Valid::Now);
    let pools = |pages: Vec<tapegate::grpc::proto::ListTapesResponse>| {
        let tapes = pages.into_iter().flat_map(|page| page.tape_infos);
        let pools = tapes.map(|tape| tape.pool_id_text.unwrap_or_default());
        pools.collect::<std::collections::BTreeSet<_>>()
    };

    let shown = list(spiffe("spiffe://corp.example/site/berlin/GLACIER/agent/7")).await;
    assert_eq!(pools(shown.unwrap()), ["GLACIER".to_owned()].into());
    // Another tag, in the same group: the decisions of one caller are not those of the other.
    let shown = list(spiffe("spiffe://corp.example/site/berlin/DEEP_ARCHIVE/agent/7")).await;
    assert_eq!(pools(shown.unwrap()), ["DEEP_ARCHIVE".to_owned()].into());
    let denied = list(spiffe("spiffe://corp.example/site/paris/GLACIER/agent/7")).await;
    assert_eq!(denied.unwrap_err().code(), Code::PermissionDenied);
    let unknown = list(spiffe("spiffe://corp.example/other/berlin/GLACIER/agent/7")).await;
    assert_eq!(refusal(&unknown.unwrap_err()).reason, "CERTIFICATE_NAME_REFUSED");
    // A subject without a tag of the pool: it may list, and sees nothing.
    let subject = [
        (DnType::CommonName, "agent 7"),
        (DnType::OrganizationalUnitName, "berlin"),
    ];
    let shown = list(site.ca.client_with_subject(subject, &[], Valid::Now)).await;
    assert_eq!(pools(shown.unwrap()), [].into());
}

#[tokio::test]
async fn the_log_shows_the_names_of_a_certificate_that_no_pattern_matches() {
    let site = Site::new();
    let patterns = "\n[[auth.certificate]]\nfrom = \"email\"\npattern = \"{name}@berlin.example\"\n";
    site.write("tapegate.toml", &(site.config_with_tls() + patterns));
    let config = format!("--config={}", site.path("tapegate.toml").display());
    let mut program = Program::start(&["serve", &config, "--upstream-endpoint=http://127.0.0.1:9"], []);
    let address = program.grpc.trim_start_matches("http://").parse().unwrap();
    let rejected = async |names: &[&str]| {
        let certified = site.ca.client(names, Valid::Now);
        let channel = tls_channel(address, client_config(&site.ca.pem(), Some(&certified)));
        let mut client = TapeServiceClient::new(channel);
        let status = client.list_tapes(ListTapesRequest::default()).await.unwrap_err();
        assert_eq!(refusal(&status).reason, "CERTIFICATE_NAME_REFUSED");
    };
    rejected(&["spiffe://corp.example/a", "spiffe://corp.example/b"]).await;
    let line = program.logged("client certificate rejected").await;
    for part in ["corp.example/a", "corp.example/b", "not its only URI"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    rejected(&["spiffe://corp.example/x", "y.example", "z@paris.example"]).await;
    let line = program.logged("client certificate rejected").await;
    for part in [
        "spiffe \\\"spiffe://corp.example/x\\\"",
        "dns \\\"y.example\\\"",
        "email \\\"z@paris.example\\\"",
        "subject \\\"CN=a name that does not count\\\"",
        "auth.certificate",
    ] {
        assert!(
            line.contains(part) || line.contains(&part.replace('\\', "")),
            "{part}: {line}"
        );
    }
}

#[test]
fn each_source_gives_name_groups_and_tags() {
    let subject = [
        (DnType::CommonName, "Jane Doe"),
        (DnType::OrganizationName, "Example, Inc."),
        (DnType::OrganizationalUnitName, "site-berlin"),
        // A second OU, which rcgen keeps only under a custom type.
        (DnType::CustomDnType(vec![2, 5, 4, 11]), "Backup"),
    ];
    let certified = CA.client_with_subject(
        subject,
        &[
            "https://corp.example/a/7",
            "A7.Berlin.corp.example",
            "a.7@Berlin.Example",
        ],
        Valid::Now,
    );
    let cases = [
        (
            NameSource::Uri,
            "https://corp.example/a/{name}",
            "uri/{name}",
            "uri/7",
        ),
        (
            NameSource::Dns,
            "{name}.{site}.corp.example",
            "{name}.{site}",
            "a7.berlin",
        ),
        (
            NameSource::Dns,
            "{name}.{site}.corp.example",
            "",
            "a7.berlin.corp.example",
        ),
        (
            NameSource::Email,
            "{name}@{site}.example",
            "",
            "a.7@berlin.example",
        ),
        (
            NameSource::Email,
            "{name}@{site}.example",
            "{site}:{name}",
            "berlin:a.7",
        ),
        (
            NameSource::Subject,
            "CN={name},O=Example\\, Inc.,OU=site-{site},OU=Backup",
            "{site}/{name}",
            "berlin/Jane Doe",
        ),
    ];
    for (source, text, name, expected) in cases {
        let found = identify(
            &[pattern(source, text, name, &["team:{name}", "all"])],
            &certified,
        )
        .unwrap();
        assert_eq!(found.name(), expected, "{text}");
        let capture = &found.tags()["name"];
        assert_eq!(
            found.groups(),
            ["all".to_owned(), format!("team:{capture}")],
            "{text}"
        );
    }
}

#[test]
fn the_first_pattern_that_matches_decides() {
    let any = pattern(
        NameSource::Spiffe,
        "spiffe://corp.example/site/{site}/agent/{any}",
        "any",
        &[],
    );
    let dns = pattern(NameSource::Dns, "{name}.example", "", &[]);
    let certified = CA.client(
        &["spiffe://corp.example/site/berlin/agent/7", "host.example"],
        Valid::Now,
    );
    let name = |patterns: &[_]| identify(patterns, &certified).unwrap().name().to_owned();
    assert_eq!(name(&[spiffe(), any.clone(), dns.clone()]), "berlin/7");
    assert_eq!(name(&[any.clone(), spiffe(), dns.clone()]), "any");
    assert_eq!(name(&[dns.clone(), spiffe()]), "host.example");
    // A pattern that matches nothing is passed over.
    let other = pattern(NameSource::Spiffe, "spiffe://other.example/{name}", "", &[]);
    assert_eq!(name(&[other, spiffe()]), "berlin/7");
}

#[test]
fn hostile_and_ambiguous_certificates_are_rejected() {
    let uri = pattern(
        NameSource::Uri,
        "https://corp.example/site/{site}/agent/{name}",
        "{site}/{name}",
        &["site/{site}"],
    );
    let agent = "/agent/7";
    let sites = [
        "",
        ".",
        "..",
        "berlin/../paris",
        "berlin%2Fparis",
        "%62erlin",
        "berlin\0",
        "ber lin",
        "berlin?x=",
        "berlin#",
        "berlin/agent/7",
        "a,site-paris",
        "a\"",
        "a\nb",
        "{site}",
    ];
    for site in sites {
        let name = format!("https://corp.example/site/{site}{agent}");
        let result = identify(std::slice::from_ref(&uri), &CA.client(&[&name], Valid::Now));
        assert!(result.is_err(), "{name:?} gave {result:?}");
        let name = format!("spiffe://corp.example/site/{site}{agent}");
        let result = identify(&[spiffe()], &CA.client(&[&name], Valid::Now));
        assert!(result.is_err(), "{name:?} gave {result:?}");
    }
    for name in [
        "https://corp.example/site/berlin/agent/7/",
        "https://corp.example/site/berlin/agent/",
        "xhttps://corp.example/site/berlin/agent/7",
        "https://corp.example/site/berlin/agent/7\0",
        "https://corp.example/SITE/berlin/agent/7",
        "HTTPS://corp.example/site/berlin/agent/7",
        "https://corpXexample/site/berlin/agent/7",
    ] {
        let result = identify(std::slice::from_ref(&uri), &CA.client(&[name], Valid::Now));
        assert!(result.is_err(), "{name:?} gave {result:?}");
    }

    // Names of one type that give different callers, by one pattern or by two.
    let dns = |text| pattern(NameSource::Dns, text, "{name}", &[]);
    let two = CA.client(&["a.one.example", "b.two.example"], Valid::Now);
    let same = CA.client(&["a.one.example", "a.two.example"], Valid::Now);
    let both = [dns("{name}.one.example"), dns("{name}.two.example")];
    assert!(identify(&both, &two).is_err());
    assert_eq!(identify(&both, &same).unwrap().name(), "a");
    assert_eq!(identify(&both[..1], &two).unwrap().name(), "a");
    assert!(identify(&[dns("{name}.{site}.example")], &two).is_err());
    // The same name and groups, but other tags.
    assert!(identify(&[dns("{name}.{site}.example")], &same).is_err());
    let mail = pattern(NameSource::Email, "{name}@example.org", "", &[]);
    assert!(
        identify(
            std::slice::from_ref(&mail),
            &CA.client(&["a@example.org", "b@example.org"], Valid::Now)
        )
        .is_err()
    );
    assert!(
        identify(
            std::slice::from_ref(&mail),
            &CA.client(&["a@b@example.org"], Valid::Now)
        )
        .is_err()
    );
    assert!(identify(&[mail], &CA.client(&["a@example.org.evil.example"], Valid::Now)).is_err());
    // A SPIFFE id is the only URI, whatever the patterns are for.
    let names = [
        "spiffe://corp.example/site/berlin/agent/7",
        "https://corp.example/site/berlin/agent/7",
    ];
    assert!(identify(&[spiffe(), uri], &CA.client(&names, Valid::Now)).is_err());

    // A second value that matches the same part of a subject; and injection by a value.
    let subject = pattern(
        NameSource::Subject,
        "CN={name},OU=site-{site}",
        "{name}",
        &["site/{site}"],
    );
    let certified = |values: [(DnType, &str); 3]| CA.client_with_subject(values, &[], Valid::Now);
    let unit = || DnType::CustomDnType(vec![2, 5, 4, 11]);
    let cn = (DnType::CommonName, "7");
    let two = certified([
        cn.clone(),
        (DnType::OrganizationalUnitName, "site-a"),
        (unit(), "site-b"),
    ]);
    assert!(identify(std::slice::from_ref(&subject), &two).is_err());
    for value in [
        "site-",
        "site-a,OU=site-b",
        "site-a ",
        "site-a  b",
        "x-site-a",
        "site-a\0",
        "Site-a",
    ] {
        let one = certified([
            cn.clone(),
            (DnType::OrganizationalUnitName, value),
            (DnType::LocalityName, "x"),
        ]);
        assert!(
            identify(std::slice::from_ref(&subject), &one).is_err(),
            "{value:?}"
        );
    }
    let missing = CA.client_with_subject([cn], &["site-a.example"], Valid::Now);
    assert!(identify(&[subject], &missing).is_err());
}

#[test]
fn ambiguous_patterns_are_rejected() {
    let cases = [
        (NameSource::Spiffe, "spiffe://a.example/{x}{y}", "", ""),
        (NameSource::Spiffe, "spiffe://a.example/{x}-{y}", "", ""),
        (NameSource::Spiffe, "spiffe://a.example/{x}/{x}", "", ""),
        (NameSource::Spiffe, "spiffe://a.example/{x}/{y}", "{x}-{y}", ""),
        (NameSource::Spiffe, "spiffe://a.example/{x}/{y}", "{x}.{y}", ""),
        (NameSource::Spiffe, "spiffe://a.example/{x}/{y}", "{z}", ""),
        (NameSource::Spiffe, "spiffe://a.example/{x}/{y}", "", "g/{x}-{y}"),
        (NameSource::Spiffe, "spiffe://a.example/{x}/{y}", "", "{x}"),
        (NameSource::Spiffe, "spiffe://a.example/{x}", "", "g/{z}"),
        (NameSource::Spiffe, "https://a.example/{x}", "", ""),
        (NameSource::Spiffe, "spiffe://a.example/{X}", "", ""),
        (NameSource::Spiffe, "spiffe://a.example/{x", "", ""),
        (NameSource::Spiffe, "spiffe://a.example/x}", "", ""),
        (NameSource::Spiffe, "spiffe://a.example/{}", "", ""),
        (NameSource::Uri, "spiffe://a.example/{x}", "", ""),
        (NameSource::Dns, "{x}-{y}.example", "", ""),
        (NameSource::Dns, "{x}.Example", "", ""),
        (NameSource::Email, "{x}.example", "", ""),
        (NameSource::Email, "{x}@{y}@example", "", ""),
        (NameSource::Email, "{x}@A.example", "", ""),
        (NameSource::Subject, "CN={x}", "", ""),
        (NameSource::Subject, "{x}", "{x}", ""),
        (NameSource::Subject, "XX={x}", "{x}", ""),
        (NameSource::Subject, "CN={x},OU={x}", "{x}", ""),
        (NameSource::Subject, "CN={x},OU={y}", "{x} {y}", ""),
    ];
    for (source, pattern, name, group) in cases {
        let parsed = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
        let groups = parsed(group).into_iter().collect();
        let result = CertificatePattern::new(source, pattern, parsed(name), groups);
        assert!(result.is_err(), "{source:?} {pattern} {name} {group}");
    }
    // A dot separates labels, in which there is none.
    pattern(NameSource::Dns, "{x}.{y}.example", "{x}.{y}", &["g/{x}.{y}"]);
}

/// A certificate of a site `admins` must not be in a group `tape-admins` that is meant for others.
#[test]
fn a_group_of_captures_has_a_beginning_that_no_other_group_has() {
    let with = |group: &str| {
        let pattern = "spiffe://a.example/{site}/{name}";
        CertificatePattern::new(NameSource::Spiffe, pattern, None, vec![group.parse().unwrap()])
    };
    for group in [
        "{site}",
        "tape-{site}",
        "site.{site}",
        "site {site}",
        "{site}/agents",
        "a/tape-{site}",
    ] {
        let Err(faults) = with(group) else {
            panic!("{group} is accepted")
        };
        assert_eq!(faults.len(), 1, "{group}: {faults:?}");
        assert!(
            format!("{faults:?}").contains("groups that are meant for others"),
            "{faults:?}"
        );
    }
    for group in [
        "tape-admins",
        "site/{site}",
        "site:{site}",
        "a/b/{site}-agents",
        "site/{site}/{name}",
    ] {
        with(group).unwrap();
    }
}

fn captures(word: &'static str) -> impl Strategy<Value = (String, String, String)> {
    (word, word, word).prop_filter("dots name directories", |all| {
        [&all.0, &all.1, &all.2]
            .iter()
            .all(|word| !matches!(word.as_str(), "." | ".."))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_certificate_named_by_a_pattern_gives_the_captures_back((a, b, c) in captures("[A-Za-z0-9._-]{1,12}")) {
        let patterns = [pattern(
            NameSource::Spiffe,
            "spiffe://corp.example/x-{a}/{b}.y/{c}",
            "{a}/{b}:{c}",
            &["g/{b}/{c}"],
        )];
        let id = format!("spiffe://corp.example/x-{a}/{b}.y/{c}");
        let found = identify(&patterns, &CA.client(&[&id], Valid::Now)).unwrap();
        let tags = [("a", &a), ("b", &b), ("c", &c)].map(|(name, value)| (name.to_owned(), value.clone()));
        prop_assert_eq!(found.tags(), &BTreeMap::from(tags));
        prop_assert_eq!(found.name(), format!("{a}/{b}:{c}"));
        prop_assert_eq!(found.groups(), [format!("g/{b}/{c}")]);
    }

    #[test]
    fn labels_of_a_dns_name_are_given_back((a, b, c) in captures("[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?")) {
        let patterns = [pattern(NameSource::Dns, "{a}.x{b}.{c}.example", "{c}.{b}.{a}", &[])];
        let name = format!("{a}.x{b}.{c}.example");
        let found = identify(&patterns, &CA.client(&[&name], Valid::Now)).unwrap();
        prop_assert_eq!(found.name(), format!("{c}.{b}.{a}"));
    }
}
