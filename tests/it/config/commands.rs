//! Which settings each command requires or rejects.

use secrecy::ExposeSecret;

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
    let dev = Call::new("dev").var("AWS_REGION", "eu-west-1").dev();
    assert_eq!(dev.service.config.rules.region.as_str(), "us-east-1");
    assert_eq!(
        dev.service.config.rules.account_id.unwrap().as_str(),
        "123456789012"
    );
    assert!(dev.service.config.server.allow_anonymous);
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
    assert_eq!(own.service.config.rules.region.as_str(), "eu-west-1");
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
            (
                "TAPEGATE_EMULATOR_LISTEN: 192.0.2.1:3 is not a loopback address",
                "127.0.0.1:3",
            ),
            ("--admin-listen: [::]:2 is not a loopback address", "127.0.0.1:2"),
            ("--listen: 0.0.0.0:1 is not a loopback address", "127.0.0.1:1"),
            ("--upstream-endpoint: tapegate dev runs its own", "tapegate serve"),
            ("auth.jwt: is not set, and neither is", "--allow-anonymous"),
            ("emulator.secret_access_key: is not set", "both or neither"),
            ("policy.path: is not set", "--allow-anonymous"),
        ],
    );
}

#[test]
fn secrets_are_never_shown() {
    const SECRET: &str = "hush-hush-hush";
    let call = |command| Call::new(command).var("TAPEGATE_EMULATOR_ACCESS_KEY_ID", "AKID");
    let set = |command| call(command).var("TAPEGATE_EMULATOR_SECRET_ACCESS_KEY", SECRET);
    for command in ["dev", "emulator"] {
        let shown = format!("{:?}", set(command).parse());
        assert!(shown.contains("AKID") && !shown.contains(SECRET), "{shown}");
        // Nor an invalid one.
        let wrong = call(command).var(
            "TAPEGATE_EMULATOR_SECRET_ACCESS_KEY",
            format!("{SECRET} {SECRET}"),
        );
        assert_faults(
            &wrong,
            &[(
                "TAPEGATE_EMULATOR_SECRET_ACCESS_KEY: invalid value (not shown)",
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
    // Nor one in a URL.
    let url = Call::serve().arg(format!("--upstream-endpoint=http://user:{SECRET}@localhost"));
    assert_faults(
        &url,
        &[(
            "--upstream-endpoint: invalid value (not shown)",
            "no path, user or query",
        )],
    );
    // Nor in a syntax error on its line.
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
fn the_emulators_credentials_are_read_from_a_shared_credentials_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("credentials");
    let call = |command: &str, flag: &str, text: &str| {
        fs::write(&path, text).unwrap();
        Call::new(command).arg(format!("{flag}={}", path.display()))
    };

    let text = "# of the tests\n\
                [default]\naws_access_key_id = AKIDONE\naws_secret_access_key=one/+= # a comment\nregion = x\n\n\
                [short-lived]\r\nAWS_ACCESS_KEY_ID=ASIATWO\r\n\taws_secret_access_key = two\r\n; another\r\n\
                aws_session_token = a/token==";
    let shown = |all: &[tapegate::emulator::Credentials]| {
        let mut shown = Vec::new();
        for one in all {
            let token = one.session_token.as_ref();
            shown.push((
                one.access_key_id.clone(),
                one.secret_access_key.expose_secret().to_owned(),
                token.map(|token| token.expose_secret().to_owned()),
            ));
        }
        shown
    };
    let of_file = [
        ("AKIDONE".to_owned(), "one/+=".to_owned(), None),
        (
            "ASIATWO".to_owned(),
            "two".to_owned(),
            Some("a/token==".to_owned()),
        ),
    ];
    let standalone = call("emulator", "--credentials", text).emulator();
    assert_eq!(shown(&standalone.emulator.settings.credentials), of_file);
    let dev = call("dev", "--emulator-credentials", text).dev();
    let all = shown(&dev.emulator.settings.credentials);
    assert_eq!(all[0].0, dev.credentials.access_key_id);
    assert_eq!(all[1..], of_file);

    // Everything wrong at once, each with its line, and no value of it.
    let wrong = "aws_session_token = SECRET0\n\
                 [one\n\
                 [two]\n\
                 aws_access_key_id = SECRET-1\n\
                 aws_secret_access_key = SECRET 2\n\
                 SECRET3\n\
                 [three]\n\
                 aws_secret_access_key = SECRET4\n\
                 aws_secret_access_key = SECRET5\n\
                 aws_session_token =\n\
                 [profile four]\n\
                 aws_access_key_id = AKID4\n\
                 [three]\n";
    let faults = call("emulator", "--credentials", wrong).faults();
    let expected = [
        "line 1: stands before the first profile",
        "line 2: begins with [ and does not end with ]",
        "line 4: profile two: aws_access_key_id (not shown) is wrong; it takes",
        "line 5: profile two: aws_secret_access_key (not shown) is wrong; it takes",
        "line 6: is no name = value",
        "line 9: profile three has aws_secret_access_key twice",
        "line 10: profile three: aws_session_token (not shown) is wrong; it takes",
        "line 7: profile three lacks aws_access_key_id",
        "line 11: a profile's name has no spaces",
        "line 11: profile profile four lacks aws_secret_access_key",
        "line 13: profile three stands here twice",
        "line 13: profile three lacks aws_access_key_id",
        "line 13: profile three lacks aws_secret_access_key",
    ];
    let all = faults.join("\n");
    for expected in expected {
        assert!(all.contains(expected), "no {expected} in\n{all}");
    }
    assert_eq!(faults.len(), expected.len(), "{all}");
    assert!(
        faults.iter().all(|fault| fault.starts_with("--credentials: ")),
        "{all}"
    );
    assert!(!all.contains("SECRET"), "{all}");

    let pair = "aws_access_key_id = AKIDONE\naws_secret_access_key = x\n";
    let twice = call(
        "emulator",
        "--credentials",
        &format!("[one]\n{pair}[two]\n{pair}"),
    );
    assert!(
        twice.faults()[0].ends_with("profile two has the same access key id as profile one"),
        "{:?}",
        twice.faults()
    );
    let twice = call("emulator", "--credentials", &format!("[one]\n{pair}"))
        .arg("--access-key-id=AKIDONE")
        .var("TAPEGATE_EMULATOR_SECRET_ACCESS_KEY", "hush");
    assert!(
        twice.faults()[0].ends_with("profile one has the same access key id as the emulator's own pair"),
        "{:?}",
        twice.faults()
    );
    let empty = call("emulator", "--credentials", "# nobody\n").faults();
    assert!(
        empty[0].ends_with("has no profile; one begins with [NAME]"),
        "{empty:?}"
    );
    fs::remove_file(&path).unwrap();
    let missing = Call::new("emulator").arg(format!("--credentials={}", path.display()));
    assert!(
        missing.faults()[0].contains("cannot be read: "),
        "{:?}",
        missing.faults()
    );
}

#[test]
fn the_emulators_least_is_not_above_its_most() {
    let call = Call::new("emulator")
        .arg("--max-tape-size-gib=99")
        .arg("--min-retrieving-time-glacier=6h");
    let faults = call.faults().join("\n");
    assert!(
        faults.contains("--max-tape-size-gib: 99 is below emulator.min_tape_size_gib (100); raise it"),
        "{faults}"
    );
    assert!(
        faults
            .contains("--min-retrieving-time-glacier: 6h is above emulator.max_retrieving_time_glacier (5h)"),
        "{faults}"
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
