//! What each command asks of its settings.

use secrecy::ExposeSecret;

use super::*;

#[test]
fn serve_is_closed_until_anonymous_callers_are_allowed_and_then_stays_on_loopback() {
    let bare = Call::new("serve").arg("--region=us-east-1");
    assert_faults(
        &bare,
        &[("allow_anonymous: is false", "cannot tell callers apart")],
    );
    assert_faults(
        &bare.clone().arg("--allow-anonymous=false"),
        &[("--allow-anonymous: is false", "set it to true")],
    );
    assert_faults(
        &bare.clone().file("allow_anonymous = false"),
        &[("tapegate.toml:1:19: allow_anonymous: is false", "set it to true")],
    );
    assert_faults(
        &bare.clone().arg("--listen=0.0.0.0:1"),
        &[
            ("--listen: ", "is not loopback"),
            ("allow_anonymous: is false", ""),
        ],
    );
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
        &[("--admin-listen: 0.0.0.0:9464 is not loopback", "127.0.0.1:9464")],
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
                "is not loopback, but anonymous callers may come from this machine alone; use 127.0.0.1:50051",
            )],
        );
    }
}

#[test]
fn dev_needs_nothing_and_stays_on_loopback() {
    let dev = Call::new("dev").var("AWS_REGION", "eu-west-1").dev();
    assert_eq!(dev.config.scope.region.as_str(), "us-east-1");
    assert_eq!(dev.config.scope.account_id.unwrap().as_str(), "123456789012");
    assert!(dev.config.server.allow_anonymous);
    assert_eq!(dev.credentials.access_key_id, DEV_CREDENTIALS.0);
    assert_eq!(
        dev.credentials.secret_access_key.expose_secret(),
        DEV_CREDENTIALS.1
    );

    let own = Call::new("dev")
        .arg("--region=eu-west-1")
        .arg("--emulator-listen=127.0.0.1:0")
        .var("TAPEGATE_EMULATOR_ACCESS_KEY_ID", "AKID")
        .var("TAPEGATE_EMULATOR_SECRET_ACCESS_KEY", "hush")
        .dev();
    assert_eq!(own.config.scope.region.as_str(), "eu-west-1");
    assert_eq!(own.emulator.listen.port(), 0);
    assert_eq!(own.credentials.access_key_id, "AKID");

    let open = Call::new("dev")
        .arg("--listen=0.0.0.0:1")
        .arg("--admin-listen=[::]:2")
        .var("TAPEGATE_EMULATOR_LISTEN", "192.0.2.1:3")
        .arg("--upstream-endpoint=http://127.0.0.1:1")
        .file("allow_anonymous = false\n[emulator]\naccess_key_id = 'AKID'");
    assert_faults(
        &open,
        &[
            ("tapegate.toml:1:19: allow_anonymous: is false", "leave it out"),
            (
                "TAPEGATE_EMULATOR_LISTEN: 192.0.2.1:3 is not loopback",
                "127.0.0.1:3",
            ),
            ("--admin-listen: [::]:2 is not loopback", "127.0.0.1:2"),
            ("--listen: 0.0.0.0:1 is not loopback", "127.0.0.1:1"),
            (
                "--upstream-endpoint: tapegate dev brings its own",
                "tapegate serve",
            ),
            ("emulator.secret_access_key: is not set", "both or neither"),
        ],
    );
}

#[test]
fn no_secret_is_ever_shown() {
    const SECRET: &str = "hush-hush-hush";
    let call = |command| Call::new(command).var("TAPEGATE_EMULATOR_ACCESS_KEY_ID", "AKID");
    let set = |command| call(command).var("TAPEGATE_EMULATOR_SECRET_ACCESS_KEY", SECRET);
    for command in ["dev", "emulator"] {
        let shown = format!("{:?}", set(command).parse());
        assert!(shown.contains("AKID") && !shown.contains(SECRET), "{shown}");
        // Nor a wrong one.
        let wrong = call(command).var(
            "TAPEGATE_EMULATOR_SECRET_ACCESS_KEY",
            format!("{SECRET} {SECRET}"),
        );
        assert_faults(
            &wrong,
            &[(
                "TAPEGATE_EMULATOR_SECRET_ACCESS_KEY: the value (not shown) is wrong",
                "",
            )],
        );
        assert!(!format!("{:?}", wrong.parse()).contains(SECRET));
    }
    let file =
        format!("region = 'us-east-1'\n[emulator]\naccess_key_id = 'AKID'\nsecret_access_key = '{SECRET}'");
    let (_, document) = Call::new("check")
        .arg("--allow-anonymous")
        .file(file.clone())
        .check();
    assert!(
        document.contains("# secret_access_key is set, and not shown"),
        "{document}"
    );
    assert!(!document.contains(SECRET));
    // Nor one that is part of a URL.
    let url = Call::serve().arg(format!("--upstream-endpoint=http://user:{SECRET}@localhost"));
    assert_faults(
        &url,
        &[(
            "--upstream-endpoint: the value (not shown) is wrong",
            "no path, user or query",
        )],
    );
    // Nor by a syntax error on its line.
    let broken = Call::serve().file(format!("{file}, x"));
    assert!(
        !broken.faults().concat().contains(SECRET),
        "{:?}",
        broken.faults()
    );
}

#[test]
fn the_emulators_fault_rules_are_read_from_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("faults.json");
    let call = |text: &str| {
        fs::write(&path, text).unwrap();
        Call::new("emulator").arg(format!("--faults={}", path.display()))
    };

    let right = call(r#"[{"kind": "reset", "when": "after"}, {"kind": "hang", "share": 0.1}]"#);
    let standalone = right.arg("--fault-seed=7").emulator();
    assert_eq!(standalone.emulator.settings.faults.len(), 2);
    assert_eq!(standalone.emulator.settings.fault_seed, 7);

    let wrong = call(r#"[{"kind": "reset", "share": 2}, {"kind": "hag"}]"#).faults();
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert!(wrong[0].starts_with("--faults: "), "{wrong:?}");
    assert!(
        wrong.iter().any(|fault| fault.contains("[0].share: 2 is wrong")),
        "{wrong:?}"
    );
    assert!(
        wrong
            .iter()
            .any(|fault| fault.contains("[1].kind: \"hag\" is wrong")),
        "{wrong:?}"
    );

    assert!(call("{").faults()[0].contains("this is not JSON"));
    fs::remove_file(&path).unwrap();
    let missing = Call::new("dev").arg(format!("--emulator-faults={}", path.display()));
    assert!(
        missing.faults()[0].contains("cannot read "),
        "{:?}",
        missing.faults()
    );
}

#[test]
fn help_names_default_unit_and_variable() {
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
    assert!(
        Call::new("dev")
            .arg("--help")
            .usage()
            .contains("--emulator-listen")
    );
    assert!(Call::new("--version").usage().starts_with("tapegate "));
    assert!(Call::default().usage().contains("Usage: tapegate <COMMAND>"));
    assert!(Call::new("srve").usage().contains("serve"));
}
