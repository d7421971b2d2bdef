//! Settings of access control, and the files that they name.

use tapegate::{access::identity::certificate::CertificateIdentity, grpc::inbound::AccessMode};

use super::*;
use crate::harness::{Ca, Site};

/// `serve` with the configuration of a site, and more.
fn serve(site: &Site, more: &str) -> Call {
    Call::new("serve").file(site.config_with_tls() + more)
}

#[test]
fn a_service_with_access_control_may_listen_beyond_loopback_with_tls() {
    let site = Site::new();
    let config = serve(&site, "")
        .arg("--listen=0.0.0.0:50051")
        .arg("--admin-listen=0.0.0.0:9464")
        .config();
    assert!(!config.server.allow_anonymous);
    assert_eq!(
        (config.server.health, config.server.reflection),
        (AccessMode::Open, AccessMode::Identified)
    );
    assert_eq!(config.identities.issuers.len(), 1);
    assert!(config.tls.unwrap().client_ca.is_some());

    let plain = Call::new("serve").file(site.config()).arg("--listen=[::]:50051");
    assert_faults(
        &plain,
        &[(
            "--listen: [::]:50051 is not a loopback address",
            "or use --allow-plaintext behind a service mesh",
        )],
    );
    assert!(plain.arg("--allow-plaintext").config().server.allow_plaintext);
    // With anonymous callers, only loopback is allowed, even with TLS.
    assert_faults(
        &serve(&site, "")
            .arg("--allow-anonymous")
            .arg("--listen=0.0.0.0:1"),
        &[(
            "--listen: 0.0.0.0:1 is not a loopback address",
            "anonymous callers",
        )],
    );
}

#[test]
fn all_issuer_tables_are_read_and_all_their_faults_reported() {
    let site = Site::new();
    let keys = site.path("jwks.json");
    let another = format!(
        r#"
        [[auth.jwt]]
        issuer = "https://other.example"
        audience = "tapes"
        jwks = {keys:?}
        principal_claim = "/kubernetes.io/serviceaccount/name"
        groups_claim = "roles"
        principal_prefix = "other:"
        "#
    );
    let config = Call::new("serve").file(site.config() + &another).config();
    let [first, second] = &config.identities.issuers[..] else {
        panic!("{:?}", config.identities.issuers)
    };
    assert_eq!(first.issuer, crate::harness::ISSUER);
    assert_eq!(
        (second.issuer.as_str(), second.audience.as_str()),
        ("https://other.example", "tapes")
    );
    assert_eq!(second.claims.principal_prefix, "other:");
    assert_eq!(second.algorithms.len(), 2);

    let wrong = Call::serve().file(
        "[[auth.jwt]]\n\
         issuer = \"\"\n\
         jwks = \"http://keys.example/\"\n\
         algorithms = [\"HS256\", \"none\", \"ES256\", \"ES256\"]\n\
         audiense = \"tapegate\"\n\
         [[auth.jwt]]\n\
         issuer = \"https://issuer.example\"\n\
         audience = \"tapegate\"\n\
         jwks = \"/there/is/nothing/here.json\"\n\
         leeway = \"1h\"\n",
    );
    assert_faults(
        &wrong,
        &[
            (
                "tapegate.toml:1:1: auth.jwt.audience: is not set",
                "the name of this service",
            ),
            (
                "tapegate.toml:2:10: auth.jwt.issuer: the value is empty",
                "issuer.example",
            ),
            (
                "tapegate.toml:3:8: auth.jwt.jwks: is not an https URL",
                "loopback",
            ),
            (
                "tapegate.toml:4:15: auth.jwt.algorithms: invalid value \"HS256\"",
                "\"ES256\"",
            ),
            (
                "tapegate.toml:4:24: auth.jwt.algorithms: invalid value \"none\"",
                "",
            ),
            (
                "tapegate.toml:4:41: auth.jwt.algorithms: this item is in the list twice",
                "",
            ),
            (
                "tapegate.toml:5:1: unknown setting \"audiense\" in [[auth.jwt]]",
                "did you mean audience?",
            ),
            (
                "tapegate.toml:9:8: auth.jwt.jwks: /there/is/nothing/here.json cannot be read",
                "",
            ),
            (
                "tapegate.toml:10:10: auth.jwt.leeway: invalid value \"1h\"",
                "10m",
            ),
        ],
    );
    assert_faults(
        &Call::serve().file("auth.jwt = 'x'\n[limits]\ngroup = ['y']\n[auth.mtls]\nnames = []"),
        &[
            (
                "tapegate.toml:1:12: auth.jwt is an array of tables",
                "[[auth.jwt]]",
            ),
            (
                "tapegate.toml:3:10: limits.group is an array of tables",
                "[[limits.group]]",
            ),
            (
                "tapegate.toml:5:9: auth.mtls.names: has no effect",
                "tls.client_ca is not set",
            ),
        ],
    );
}

#[test]
fn check_prints_tables_that_give_the_same_settings() {
    let site = Site::new();
    let more = r#"
        [limits]
        calls_per_second = 7
        [[limits.group]]
        name = "site \"a\""
        tapes_per_hour = 3
        [[limits.group]]
        name = "b"
    "#;
    let (config, document) = Call::new("check").file(site.config_with_tls() + more).check();
    assert_eq!(config.limits.groups.len(), 2);
    let (again, second) = Call::new("check").file(document.clone()).check();
    assert_eq!(config, again, "{document}");
    assert!(
        second.contains("[[limits.group]]") && second.contains("[[auth.jwt]]"),
        "{second}"
    );
}

#[test]
fn all_faults_of_certificates_keys_tokens_and_policies_are_reported_at_once() {
    let site = Site::new();
    let other = Ca::new("another").server();
    site.write("server.key", &other.key);
    site.write("clients.pem", "");
    site.write(
        "jwks.json",
        r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "symmetric", "alg": "HS256"}]}"#,
    );
    site.write(
        "tokens.toml",
        "[[token]]\nid = 'x'\nname = ''\nexpires = '2030-01-01T00:00:00Z'\nsha256 = 'ab'\n",
    );
    site.policies("permit (principal, action, resource) when { principal.name == \"x\" };");
    let faults = serve(&site, "").faults().join("\n");
    for part in [
        "tls.key: the key does not match the certificate",
        "clients.pem has no certificate",
        "jwks.json has no public key for verifying signatures",
        "tokens.toml:1: id must be 16 lower-case hexadecimal digits",
        "tokens.toml:5: sha256 must be 64 hexadecimal digits",
        "tokens.toml:1: name and groups must have 1 to 2048 bytes each",
        "site.cedar:1:45: for policy `policy0`, attribute `name` on entity type `TapeGate::Agent` not found",
    ] {
        assert!(faults.contains(part), "no {part} in\n{faults}");
    }
    site.write(
        "server.pem",
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    );
    site.write("server.key", "");
    site.write("clients.pem", "");
    site.write(
        "tokens.toml",
        "[[token]]\nid = 'x'\nsecret = 'a secret in the wrong place'\n\
         [[token]]\nname = 7\nexpires = 'soon'\ngroups = 'agents'\n\
         [tokens]\n",
    );
    site.policies("permit (principal, action, resource");
    site.write("policies/more.cedar", "@id(\"twice\") permit (principal, action, resource);\n@id(\"twice\") forbid (principal, action, resource);\npermit (principal == ?principal, action, resource);");
    let faults = serve(&site, "").faults().join("\n");
    for (setting, what) in [
        ("tls.cert", "server.pem is not valid PEM"),
        ("tls.key", "server.key has no unencrypted private key as PEM"),
        ("tls.client_ca", "clients.pem has no certificate"),
    ] {
        let is_found = faults
            .lines()
            .any(|line| line.contains(&format!("{setting}: ")) && line.contains(what));
        assert!(is_found, "no {setting}: {what} in\n{faults}");
    }
    for part in [
        "tokens.toml:1: id must be 16",
        "tokens.toml:1: name is missing",
        "tokens.toml:1: expires is missing",
        "tokens.toml:1: sha256 is missing",
        "tokens.toml:3: unknown field `secret`",
        "tokens.toml:5: name must be text",
        "tokens.toml:6: expires must be a time",
        "tokens.toml:7: groups must be a list",
        "tokens.toml:8: unknown field `tokens`",
        "site.cedar:1:36: unexpected end of input",
        "more.cedar: has a policy template",
    ] {
        assert!(faults.contains(part), "no {part} in\n{faults}");
    }
    assert!(!faults.contains("a secret in the wrong place"), "{faults}");
    site.policies("permit (principal, action == TapeGate::Action::\"CreateTape\", resource);");
    std::fs::remove_file(site.path("policies/more.cedar")).unwrap();
    let faults = serve(&site, "").faults().join("\n");
    assert!(
        faults.contains("did you mean `TapeGate::Action::\"CreateTapes\"`?"),
        "{faults}"
    );
    site.policies("permit (principal, action, resource);");
    site.write(
        "policies/more.cedar",
        "@id(\"site#1\") permit (principal, action, resource);",
    );
    assert!(
        serve(&site, "")
            .faults()
            .join("\n")
            .contains("has a policy with the id \"site#1\" too"),
        "{:?}",
        serve(&site, "").faults()
    );
    std::fs::remove_file(site.path("policies/more.cedar")).unwrap();
    std::fs::remove_file(site.path("policies/site.cedar")).unwrap();
    assert!(
        serve(&site, "")
            .faults()
            .join("\n")
            .contains("there are no policies (*.cedar)")
    );
}

#[test]
fn all_faults_of_the_files_of_the_store_are_reported_at_once() {
    let site = Site::new();
    site.write("empty.password", "\n");
    let path = |name| site.path(name);
    let call = Call::serve().file(format!(
        "[limits.shared]\nurl = 'rediss://localhost'\npassword_file = {:?}\nca = {:?}\n",
        path("empty.password"),
        path("server.key")
    ));
    assert_faults(
        &call,
        &[
            (
                "tapegate.toml:3:17: limits.shared.password_file: ",
                "empty.password: it is empty",
            ),
            (
                "tapegate.toml:4:6: limits.shared.ca: ",
                "server.key has no certificate",
            ),
        ],
    );
    let plain = Call::serve().file(format!(
        "[limits.shared]\nurl = 'redis://localhost'\nca = {:?}\n",
        path("clients.pem")
    ));
    assert_faults(
        &plain,
        &[("tapegate.toml:3:6: limits.shared.ca: has no effect", "rediss://")],
    );
}

#[test]
fn dev_requires_authentication_if_identities_or_policies_are_configured() {
    let site = Site::new();
    let closed = Call::default().file(site.config());
    assert!(!closed.dev().config.server.allow_anonymous);
    assert!(
        closed
            .arg("--allow-anonymous")
            .dev()
            .config
            .server
            .allow_anonymous
    );
    let half = Call::default().arg(format!("--policy-path={}", site.path("policies").display()));
    assert_eq_faults(&half.dev_faults(), &[("auth.jwt: is not set", "tls.client_ca")]);
    assert!(half.arg("--allow-anonymous").dev().config.server.allow_anonymous);
}

#[test]
fn a_certificate_needs_its_key_and_a_key_its_certificate() {
    let site = Site::new();
    assert_faults(
        &Call::serve().arg("--tls-cert=/nowhere.pem"),
        &[
            ("--tls-cert: /nowhere.pem cannot be read", ""),
            ("tls.key: is not set", "TLS needs tls.cert and tls.key"),
        ],
    );
    for (given, missing) in [("cert", "key"), ("key", "cert")] {
        let path = site.path(&format!("server.{}", if given == "cert" { "pem" } else { "key" }));
        assert_faults(
            &Call::serve().arg(format!("--tls-{given}={}", path.display())),
            &[(
                &format!("tls.{missing}: is not set"),
                "TLS needs tls.cert and tls.key",
            )],
        );
    }
    assert_faults(
        &Call::serve().arg(format!("--tls-client-ca={}", site.path("clients.pem").display())),
        &[("tls.cert: is not set", ""), ("tls.key: is not set", "")],
    );
}

#[test]
fn the_faults_of_patterns_of_certificates_are_reported_where_they_are() {
    let site = Site::new();
    let valid = serve(
        &site,
        "[[auth.certificate]]\nfrom = \"dns\"\npattern = \"{name}.example\"\ngroups = [\"agents\"]\n",
    );
    let Some(CertificateIdentity::Patterns(patterns)) = valid.config().identities.certificates else {
        panic!("the pattern is not used")
    };
    assert_eq!(patterns.len(), 1);

    let wrong = Call::serve().arg(format!("--tls-client-ca={}", site.path("clients.pem").display()));
    let wrong = wrong.arg(format!("--tls-cert={}", site.path("server.pem").display()));
    let wrong = wrong
        .arg(format!("--tls-key={}", site.path("server.key").display()))
        .file(
            "[auth.mtls]\n\
         groups = [\"agents\"]\n\
         [[auth.certificate]]\n\
         from = \"san\"\n\
         pattern = \"{name}\"\n\
         [[auth.certificate]]\n\
         from = \"subject\"\n\
         pattern = \"CN={name},GN=x\"\n\
         [[auth.certificate]]\n\
         from = \"spiffe\"\n\
         pattern = \"spiffe://a.example/{site}/{name}\"\n\
         name = \"{site}-{name}\"\n\
         groups = [\"{site}\", \"g-{team}\", \"{\"]\n\
         [[auth.certificate]]\n\
         from = \"spiffe\"\n\
         pattern = \"spiffe://b.example/{site}/{name}\"\n\
         name = \"{site}-{name}\"\n\
         groups = [\"{site}\"]\n\
         [[auth.certificate]]\n\
         from = \"spiffe\"\n\
         pattern = \"https://c.example/{site}/{name}\"\n\
         name = \"{other}\"\n",
        );
    assert_faults(
        &wrong,
        &[
            (
                "tapegate.toml:2:10: auth.mtls.groups: cannot be combined with [[auth.certificate]]",
                "",
            ),
            (
                "tapegate.toml:4:8: auth.certificate.from: invalid value \"san\"",
                "\"spiffe\"",
            ),
            ("tapegate.toml:6:1: auth.certificate.name: is not set", ""),
            (
                "tapegate.toml:8:11: auth.certificate.pattern: unknown attribute \"GN\"",
                "CN, O, OU",
            ),
            (
                "tapegate.toml:12:8: auth.certificate.name: {site}-{name} is ambiguous",
                "",
            ),
            (
                "tapegate.toml:13:10: auth.certificate.groups: g-{team} has the capture {team}",
                "",
            ),
            (
                "tapegate.toml:13:10: auth.certificate.groups: g-{team} would let a certificate choose groups",
                "",
            ),
            (
                "tapegate.toml:13:10: auth.certificate.groups: {site} would let a certificate choose groups",
                "",
            ),
            (
                "tapegate.toml:13:33: auth.certificate.groups: invalid value \"{\"",
                "site/{site}",
            ),
            (
                "tapegate.toml:17:8: auth.certificate.name: {site}-{name} is ambiguous",
                "such as / or :",
            ),
            (
                "tapegate.toml:18:10: auth.certificate.groups: {site} would let a certificate choose groups",
                "site/{site}",
            ),
            (
                "tapegate.toml:21:11: auth.certificate.pattern: does not begin with spiffe://",
                "",
            ),
            (
                "tapegate.toml:22:8: auth.certificate.name: {other} has the capture {other}",
                "",
            ),
        ],
    );
}

#[test]
fn settings_without_an_effect_are_faults() {
    let site = Site::new();
    let keys = site.path("jwks.json");
    let file = format!(
        r#"
[audit]
queue = 7
[auth.mtls]
groups = ["agents"]
allowed = ["x"]
[[auth.jwt]]
issuer = "a"
audience = "b"
jwks = {keys:?}
jwks_refresh = "1m"
jwks_ca = {keys:?}
[[auth.jwt]]
issuer = "a"
audience = "b"
jwks = {keys:?}
[[auth.jwt]]
issuer = "a"
audience = "c"
jwks = {keys:?}
[[limits.group]]
name = "twice"
tapes_per_hour = 1
[[limits.group]]
name = "twice"
tapes_per_hour = 2
[[endpoint]]
region = "eu-west-9"
url = "https://a.example"
[[endpoint]]
account_id = "123456789012"
[[endpoint]]
account_id = "999999999999"
use_fips = true
[limits.shared]
username = "tapegate"
timeout = "1s"
on_failure = "count_alone"
"#
    );
    let call = Call::serve().arg("--account-id=123456789012").file(file);
    assert_faults(
        &call,
        &[
            (
                "tapegate.toml:3:9: audit.queue: has no effect",
                "audit.file is not set",
            ),
            (
                "tapegate.toml:5:10: auth.mtls.groups: has no effect",
                "tls.client_ca is not set",
            ),
            (
                "tapegate.toml:6:11: auth.mtls.allowed: has no effect",
                "tls.client_ca is not set",
            ),
            (
                "tapegate.toml:11:16: auth.jwt.jwks_refresh: has no effect",
                "in a file",
            ),
            (
                "tapegate.toml:12:11: auth.jwt.jwks_ca: has no effect",
                "in a file",
            ),
            (
                "tapegate.toml:14:10: auth.jwt.issuer: has an [[auth.jwt]] of the same audience and keys",
                "",
            ),
            (
                "tapegate.toml:25:8: limits.group.name: twice has a [[limits.group]] already",
                "",
            ),
            (
                "tapegate.toml:28:10: endpoint.region: eu-west-9 is not in `regions`",
                "",
            ),
            (
                "tapegate.toml:30:1: endpoint.url: is not set, and neither is sts_url",
                "no effect",
            ),
            (
                "tapegate.toml:33:14: endpoint.account_id: 999999999999 is not served",
                "[[account]]",
            ),
            (
                "tapegate.toml:36:12: limits.shared.username: has no effect",
                "without limits.shared.url",
            ),
            (
                "tapegate.toml:37:11: limits.shared.timeout: has no effect",
                "without limits.shared.url",
            ),
            (
                "tapegate.toml:38:14: limits.shared.on_failure: has no effect",
                "without limits.shared.url",
            ),
        ],
    );
    assert_faults(
        &Call::serve().file(
            "[[auth.certificate]]\nfrom = \"dns\"\npattern = \"{name}.example\"\n\
             [[auth.certificate]]\nfrom = \"dns\"\npattern = \"{name}.example\"\n",
        ),
        &[
            (
                "tapegate.toml:3:11: auth.certificate.pattern: has no effect",
                "tls.client_ca is not set",
            ),
            (
                "tapegate.toml:6:11: auth.certificate.pattern: has an [[auth.certificate]] already",
                "keep one",
            ),
            (
                "tapegate.toml:6:11: auth.certificate.pattern: has no effect",
                "tls.client_ca is not set",
            ),
        ],
    );
}
