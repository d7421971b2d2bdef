//! Which settings each command requires or rejects.

use super::*;

#[test]
fn serve_requires_access_control_unless_anonymous_callers_are_allowed_on_loopback() {
    let bare = Call::new("serve").arg("--region=us-east-1");
    const CLOSED: [(&str, &str); 3] = [
        ("account_id: is not set", "calls that name no gateway"),
        (
            "auth.jwt: is not set, and neither is auth.tokens.file",
            "--allow-anonymous",
        ),
        ("policy.path: is not set", "--allow-anonymous"),
    ];
    assert_faults(&bare, &CLOSED);
    assert_faults(&bare.clone().arg("--allow-anonymous=false"), &CLOSED);
    assert_faults(&bare.clone().file("allow_anonymous = false"), &CLOSED);
    let mut open = vec![(
        "--listen: 0.0.0.0:1 is not a loopback address",
        "--allow-plaintext",
    )];
    open.extend(CLOSED);
    assert_faults(&bare.clone().arg("--listen=0.0.0.0:1"), &open);
    assert!(
        bare.clone()
            .arg("--allow-anonymous")
            .config()
            .server
            .allow_anonymous
    );
    assert_faults(
        &bare
            .clone()
            .arg("--allow-anonymous")
            .arg("--admin-listen=0.0.0.0:9464"),
        &[(
            "--admin-listen: 0.0.0.0:9464 is not a loopback address",
            "127.0.0.1:9464",
        )],
    );
    let open = bare.arg("--allow-anonymous");
    for listen in ["127.0.0.1:0", "127.9.9.9:1", "[::1]:50051"] {
        open.clone().arg("--listen").arg(listen).config();
    }
    for listen in [
        "0.0.0.0:50051",
        "[::]:50051",
        "10.0.0.1:50051",
        "[::ffff:127.0.0.1]:50051",
    ] {
        assert_faults(
            &open.clone().arg("--listen").arg(listen),
            &[(
                "--listen: ",
                "is not a loopback address, but anonymous callers are allowed from this machine only; use 127.0.0.1:50051",
            )],
        );
    }
}

#[test]
fn dev_needs_no_settings_and_listens_on_loopback_only() {
    let config = Call::default().var("AWS_REGION", "eu-west-1").dev().config;
    assert_eq!(config.rules.region.as_str(), "us-east-1");
    assert_eq!(config.rules.account_id.unwrap().as_str(), "123456789012");
    assert!(config.server.allow_anonymous);

    let own = Call::default().arg("--region=eu-west-1").dev();
    assert_eq!(own.config.rules.region.as_str(), "eu-west-1");

    let open = Call::default()
        .arg("--listen=0.0.0.0:1")
        .arg("--admin-listen=[::]:2")
        .arg("--upstream-endpoint=http://127.0.0.1:1")
        .file("allow_anonymous = false");
    assert_eq_faults(
        &open.dev_faults(),
        &[
            ("--admin-listen: [::]:2 is not a loopback address", "127.0.0.1:2"),
            ("--listen: 0.0.0.0:1 is not a loopback address", "127.0.0.1:1"),
            ("--upstream-endpoint: tapegate dev runs its own", "tapegate serve"),
            ("auth.jwt: is not set, and neither is", "--allow-anonymous"),
            ("policy.path: is not set", "--allow-anonymous"),
        ],
    );
}

#[test]
fn secrets_are_never_shown() {
    const SECRET: &str = "hush-hush-hush";
    let url = Call::serve().arg(format!("--upstream-endpoint=http://user:{SECRET}@localhost"));
    assert_faults(
        &url,
        &[(
            "--upstream-endpoint: invalid value (not shown)",
            "no path, user or query",
        )],
    );
    // Nor in a syntax error on its line.
    let broken = Call::serve().file(format!("upstream.endpoint = 'http://user:{SECRET}@localhost', x"));
    assert!(
        !broken.faults().concat().contains(SECRET),
        "{:?}",
        broken.faults()
    );
}

#[test]
fn help_shows_default_unit_and_variable() {
    let help = Call::new("serve").arg("--help").usage();
    for part in [
        "--upstream-attempt-timeout <DURATION>",
        "default 20s; TAPEGATE_UPSTREAM_ATTEMPT_TIMEOUT",
        "a whole number of bytes from 65536 to 4194304",
        "--allow-anonymous",
        "TAPEGATE_CONFIG",
    ] {
        assert!(help.contains(part), "no {part} in\n{help}");
    }
    assert!(!help.contains("--emulator-listen"));
    assert!(Call::new("--version").usage().starts_with("tapegate "));
    assert!(Call::default().usage().contains("Usage: tapegate <COMMAND>"));
    assert!(Call::new("srve").usage().contains("serve"));
}
