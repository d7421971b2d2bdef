//! Certificates and tokens that expire: `tapegate check`, the start and the metrics tell of them.

use std::process::{Command, Output};

use tapegate::grpc::proto::{ListTapesRequest, tape_service_client::TapeServiceClient};

use crate::harness::{Program, Site, Valid, in_seconds};

const DAY: u64 = 24 * 60 * 60;

fn config(site: &Site, more: &str) -> String {
    site.write("tapegate.toml", &format!("{more}\n{}", site.config_with_tls()));
    format!("--config={}", site.path("tapegate.toml").display())
}

fn check(site: &Site, more: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tapegate"))
        .args(["check", &config(site, more)])
        .output()
        .unwrap()
}

fn replace_server(site: &Site, valid: Valid) {
    let server = site.ca.server_valid(valid);
    site.write("server.pem", &server.cert);
    site.write("server.key", &server.key);
}

#[test]
fn check_warns_of_what_expires_soon_and_fails_for_an_expired_server_certificate() {
    let site = Site::new();
    site.token_until("agent-7", &[], in_seconds(200 * DAY as i64));
    let good = check(&site, "");
    assert_eq!(good.status.code(), Some(0));
    assert_eq!(String::from_utf8(good.stderr).unwrap(), "");

    // A token that another one of the same caller replaces is not warned of.
    site.token_until("agent-7", &[], in_seconds(DAY as i64));
    site.token_until("agent-8", &[], in_seconds(20 * DAY as i64));
    replace_server(&site, Valid::For(10 * DAY));
    let soon = check(&site, "");
    assert_eq!(soon.status.code(), Some(0));
    let told = String::from_utf8(soon.stderr).unwrap();
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines.len(), 2, "{told}");
    assert!(
        lines[0].starts_with("warning: tls.cert: the certificate of the service expires at 20"),
        "{told}"
    );
    assert!(
        lines[1].starts_with("warning: auth.tokens.file: the last token of \"agent-8\" expires at 20"),
        "{told}"
    );
    let later = check(&site, "expiry_warning = \"5days\"");
    assert_eq!(String::from_utf8(later.stderr).unwrap(), "");
    for (valid, words) in [
        (
            Valid::For(2 * DAY),
            "before that, add a new root certificate to the file",
        ),
        (
            Valid::Before,
            "the client certificates that it issued are rejected; remove it",
        ),
    ] {
        let root = site.ca.client(&[], valid).cert;
        site.write("clients.pem", &(site.ca.pem() + &root));
        let told = String::from_utf8(check(&site, "expiry_warning = \"5days\"").stderr).unwrap();
        assert!(
            told.starts_with("warning: tls.client_ca: the root certificate") && told.contains(words),
            "{told}"
        );
    }
    site.write("clients.pem", &site.ca.pem());

    replace_server(&site, Valid::Before);
    let expired = check(&site, "");
    assert_eq!(expired.status.code(), Some(2));
    let told = String::from_utf8(expired.stderr).unwrap();
    assert!(
        told.starts_with("error: tls.cert: the certificate of the service expired at 2002-01-01"),
        "{told}"
    );
}

#[test]
fn check_warns_of_a_stop_that_takes_longer_than_kubernetes_waits() {
    let site = Site::new();
    let long = check(&site, "shutdown.delay = \"20s\"");
    assert_eq!(long.status.code(), Some(0));
    let told = String::from_utf8(long.stderr).unwrap();
    assert!(
        told.contains("43s") && told.contains("terminationGracePeriodSeconds"),
        "{told}"
    );
    assert_eq!(
        String::from_utf8(check(&site, "shutdown.delay = \"5s\"").stderr).unwrap(),
        ""
    );
}

#[tokio::test]
async fn check_and_the_start_warn_of_a_stop_that_cuts_creates() {
    let site = Site::new();
    let more = "upstream.create_timeout = \"21s\"";
    let told = String::from_utf8(check(&site, more).stderr).unwrap();
    let expected = "upstream.create_timeout: 21s is longer than shutdown.drain_timeout (20s)";
    assert!(told.starts_with(&format!("warning: {expected}")), "{told}");
    let equal = check(&site, "upstream.create_timeout = \"20s\"");
    assert_eq!(String::from_utf8(equal.stderr).unwrap(), "");
    let mut program = Program::start(
        &[
            "serve",
            &config(&site, more),
            "--upstream-endpoint=http://127.0.0.1:9",
        ],
        [],
    );
    let line = program.logged("a setting should be changed").await;
    assert!(line.contains("WARN") && line.contains(expected), "{line}");
}

#[test]
fn check_warns_of_access_control_that_anonymous_callers_bypass() {
    let site = Site::new();
    let told = String::from_utf8(check(&site, "allow_anonymous = true").stderr).unwrap();
    assert!(
        told.starts_with("warning: allow_anonymous is set: every caller may do everything"),
        "{told}"
    );
}

#[tokio::test]
async fn a_service_with_an_expired_certificate_starts_and_says_so_loudly() {
    let site = Site::new();
    replace_server(&site, Valid::Before);
    let mut program = Program::start(
        &[
            "serve",
            &config(&site, ""),
            "--upstream-endpoint=http://127.0.0.1:9",
        ],
        [],
    );
    let line = program.logged("the certificate of the service has expired").await;
    assert!(line.contains("ERROR"), "{line}");
}

#[tokio::test]
async fn the_metric_follows_a_replaced_certificate() {
    let site = Site::new();
    site.token_until("agent-7", &[], in_seconds(DAY as i64));
    replace_server(&site, Valid::For(10 * DAY));
    let service = site.run(&site.config_with_tls(), &[]).await;
    let days = async |kind: &str| {
        let (_, page) = service.admin("/metrics").await;
        let series = format!("tapegate_expiry_seconds{{tapegate_kind=\"{kind}\"}} ");
        let value = page.lines().find_map(|line| line.strip_prefix(&series));
        value.unwrap().parse::<f64>().unwrap() / DAY as f64
    };
    assert!((9.9..=10.0).contains(&days("server_certificate").await));
    assert!((0.9..=1.0).contains(&days("static_token").await));
    assert!(days("client_ca").await > 1000.0);
    replace_server(&site, Valid::For(100 * DAY));
    crate::harness::eventually("the new certificate is seen", async || {
        days("server_certificate").await > 99.0
    })
    .await;
    // The service still serves.
    let certified = site.ca.client(&["spiffe://example.org/agent"], Valid::Now);
    let mut client = TapeServiceClient::new(site.channel(&service, Some(&certified)));
    let status = client.list_tapes(ListTapesRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::PermissionDenied);
}
