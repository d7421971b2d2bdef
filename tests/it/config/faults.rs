//! Invalid settings, and their messages.

use super::*;

#[test]
fn all_faults_are_reported_at_once_with_their_origin() {
    let file = r#"
listen = "localhost:50051"
admin_lisen = "127.0.0.1:9464"
account_id = "1234"
regions = ["us-east-1", "Mars", 7]
max_request_bytes = "1 MiB"
max_concurrent_streams = 0

[upstream]
endpoint = "https://example.com/path"
connect_timeout = "30s"
operation_timeout = "-3s"

[upsteam]
endpoint = "http://127.0.0.1:4588"

[tapes]
min_size_gib = 200
max_size_gib = 100
"#;
    let call = Call::new("serve")
        .file(file)
        .var("TAPEGATE_LOG_FORMAT", "xml")
        .var("TAPEGATE_LISTN", "127.0.0.1:1")
        .var("TAPEGATE_SHUTDOWN_DELAY", "soon")
        // An empty variable is not set.
        .var("TAPEGATE_DRAIN_TIMEOUT", "")
        .arg("--readiness-aws=")
        .arg("--shutdown-drain-timeout=soon");
    assert_faults(
        &call,
        &[
            (
                "tapegate.toml:2:10: listen: invalid value \"localhost:50051\"",
                "such as 127.0.0.1:50051",
            ),
            (
                "tapegate.toml:3:1: unknown setting \"admin_lisen\"",
                "did you mean admin_listen?",
            ),
            (
                "tapegate.toml:4:14: account_id: invalid value \"1234\"",
                "12 digits",
            ),
            ("tapegate.toml:5:25: regions: invalid value \"Mars\"", "us-east-1"),
            (
                "tapegate.toml:5:33: regions: this item is not a string",
                "us-east-1",
            ),
            (
                "tapegate.toml:6:21: max_request_bytes: is of type string",
                "bytes from 65536 to 4194304",
            ),
            (
                "tapegate.toml:7:26: max_concurrent_streams: invalid value \"0\"",
                "from 1 to 10000",
            ),
            ("tapegate.toml:10:12: upstream.endpoint: ", "no path"),
            (
                "tapegate.toml:11:19: upstream.connect_timeout: 30s is longer than",
                "upstream.attempt_timeout (20s)",
            ),
            (
                "tapegate.toml:11:19: upstream.connect_timeout: 30s is longer than",
                "upstream.create_timeout (20s)",
            ),
            (
                "tapegate.toml:12:21: upstream.operation_timeout: invalid value \"-3s\"",
                "500ms, 30s",
            ),
            (
                "tapegate.toml:14:2: unknown section \"upsteam\"",
                "did you mean upstream?",
            ),
            (
                "tapegate.toml:18:16: tapes.min_size_gib: 200 is above",
                "tapes.max_size_gib (100)",
            ),
            (
                "TAPEGATE_LISTN: unknown variable",
                "did you mean TAPEGATE_LISTEN?",
            ),
            (
                "TAPEGATE_LOG_FORMAT: invalid value \"xml\"",
                "\"human\" or \"json\"",
            ),
            ("TAPEGATE_SHUTDOWN_DELAY: invalid value \"soon\"", "30s"),
            ("--readiness-aws: the value is empty", "leave the setting out"),
            ("--shutdown-drain-timeout: invalid value \"soon\"", "30s"),
            ("auth.jwt: is not set", "--allow-anonymous"),
            ("policy.path: is not set", "--allow-anonymous"),
            ("region: is not set", "TAPEGATE_REGION"),
        ],
    );
}

#[test]
fn an_invalid_value_is_reported_even_if_another_takes_precedence() {
    let call = Call::serve().file("listen = 'here'").arg("--listen=127.0.0.1:1");
    assert_faults(
        &call,
        &[("tapegate.toml:1:10: listen: invalid value \"here\"", "")],
    );
}

#[test]
fn a_file_that_is_not_a_configuration_has_one_clear_fault() {
    let cases: &[(&[u8], &str, &str)] = &[
        (b"listen = \"127", "tapegate.toml:1:", "invalid TOML"),
        (
            b"listen = 'a'\nlisten = 'b'",
            "tapegate.toml:2:1: invalid TOML",
            "duplicate",
        ),
        (b"[log]\n[log]", "tapegate.toml:2:", "duplicate"),
        (
            b"\xef\xbb\xbflisten = 'a'",
            "tapegate.toml:1:1: starts with a byte order mark",
            "without",
        ),
        (
            b"region = 'us-east-1'\nlisten = '\xff'",
            "tapegate.toml:2:11: is not UTF-8",
            "0xff",
        ),
        (
            b"upstream = 'x'",
            "tapegate.toml:1:12: upstream is a section",
            "[upstream]",
        ),
        (
            b"[[upstream]]\nendpoint = 'x'",
            "tapegate.toml:1:1: upstream is a section",
            "[upstream]",
        ),
        (
            b"[listen]\nport = 1",
            "tapegate.toml:1:1: listen: is of type table",
            "string",
        ),
        (
            b"connect_timeout = '1s'",
            "tapegate.toml:1:1: unknown setting",
            "did you mean upstream.connect_timeout?",
        ),
        (b"zzz = 1", "tapegate.toml:1:1: unknown setting \"zzz\"", "zzz"),
        (b"\"\" = 1", "tapegate.toml:1:1: unknown setting \"\"", ""),
        (
            b"regions = 'us-east-1'",
            "tapegate.toml:1:11: regions: is of type string",
            "array of strings",
        ),
        (
            b"regions = []",
            "tapegate.toml:1:11: regions: does not contain us-east-1",
            "add it",
        ),
        (
            b"regions = ['eu-west-1']",
            "tapegate.toml:1:11: regions: does not contain us-east-1",
            "add it",
        ),
        (
            b"regions = ['us-east-1', 'us-east-1']",
            "tapegate.toml:1:25: regions: this item",
            "twice",
        ),
        (
            b"max_request_bytes = 999999999999999999999999999",
            "tapegate.toml:1:21: max_request_bytes",
            "4194304",
        ),
        (
            b"max_request_bytes = 0xffffffffffffffffffffffffffffffffffffffff",
            "tapegate.toml:1:21: ",
            "4194304",
        ),
        (
            b"max_request_bytes = -1",
            "tapegate.toml:1:21: max_request_bytes",
            "4194304",
        ),
        (
            b"max_request_bytes = 1e6",
            "tapegate.toml:1:21: max_request_bytes: is of type float",
            "integer",
        ),
        (
            b"allow_anonymous = 'yes'",
            "tapegate.toml:1:19: allow_anonymous: is of type string",
            "boolean",
        ),
        (
            b"tapes.max_size_gib = 8589934592",
            "tapegate.toml:1:22: tapes.max_size_gib",
            "8589934591",
        ),
        (
            b"shutdown.delay = '99999999999999999999y'",
            "tapegate.toml:1:18: shutdown.delay",
            "10m",
        ),
        (
            b"shutdown.delay = 30",
            "tapegate.toml:1:18: shutdown.delay: is of type integer",
            "30s",
        ),
        (
            "shutdown = { delay = '\u{b5}' }".as_bytes(),
            "tapegate.toml:1:22: shutdown.delay",
            "0s to 10m",
        ),
        (
            "listen = 'caf\u{e9} \u{e9}', x".as_bytes(),
            "tapegate.toml:1:18: invalid TOML",
            "",
        ),
    ];
    for (file, start, part) in cases {
        let call = Call::serve().file(*file);
        let found = call.faults();
        assert!(
            found[0].starts_with(start) && found[0].contains(part),
            "{}: {found:#?}, wanted {start} … {part}",
            String::from_utf8_lossy(file)
        );
        let is_syntax = found[0].contains("invalid TOML");
        assert!(
            found.len() == 1 || is_syntax,
            "{}: {found:#?}",
            String::from_utf8_lossy(file)
        );
    }
    // Not TOML at all.
    let found = Call::serve().file("<p>\n".repeat(1000)).faults();
    assert!(
        found.len() == 21 && found[0].ends_with("more TOML errors"),
        "{found:#?}"
    );
    // Too large, and of the maximum size.
    let padded = |bytes: usize| Call::serve().file("#".repeat(bytes));
    assert_faults(
        &padded((1 << 20) + 1),
        &[("tapegate.toml: is larger than 1048576 bytes", "")],
    );
    padded(1 << 20).config();
    // Empty.
    Call::serve().file("").config();
}

#[test]
fn a_file_that_cannot_be_read_has_one_clear_fault() {
    let directory = tempfile::tempdir().unwrap();
    let at = |path: &Path| Call::serve().arg("--config").arg(path);
    assert!(at(directory.path()).faults()[0].contains("is a directory"));
    assert!(
        at(&directory.path().join("none.toml")).faults()[0]
            .contains("none.toml: cannot be read: No such file")
    );
    assert_faults(
        &Call::serve().arg("--config="),
        &[("--config: is empty", "leave it out")],
    );
    assert_faults(
        &Call::serve().var("TAPEGATE_CONFIG", ""),
        &[("TAPEGATE_CONFIG: is empty", "leave it out")],
    );
    // The content of an unreadable file is unknown, so no setting is reported as missing.
    let broken = Call::new("serve").file("region = ");
    assert!(
        broken.faults().iter().all(|fault| fault.contains("invalid TOML")),
        "{:?}",
        broken.faults()
    );
    let missing = Call::new("serve")
        .arg("--config=/nowhere.toml")
        .arg("--listen=here");
    assert_faults(
        &missing,
        &[
            ("/nowhere.toml: cannot be read", ""),
            ("--listen: invalid value \"here\"", ""),
        ],
    );
    // The flag takes precedence, so the file of the variable is not read.
    let file = directory.path().join("some.toml");
    fs::write(&file, "").unwrap();
    at(&file).var("TAPEGATE_CONFIG", "/nowhere").config();
}

#[cfg(unix)]
#[test]
fn values_that_are_not_utf_8_are_rejected_with_their_name() {
    use std::os::unix::ffi::OsStringExt;
    let bytes = || OsString::from_vec(vec![b'a', 0xff]);
    let mut flag = OsString::from("--log-filter=");
    flag.push(bytes());
    let call = Call::serve()
        .var("TAPEGATE_LISTEN", bytes())
        .arg(flag)
        .var("PATH", bytes());
    assert_faults(
        &call,
        &[
            ("TAPEGATE_LISTEN: is not UTF-8", ""),
            ("--log-filter: is not UTF-8", ""),
        ],
    );
    let mut name = OsString::from("TAPEGATE_");
    name.push(bytes());
    let mut call = Call::serve();
    call.variables.insert(name, "x".into());
    assert_faults(&call, &[("TAPEGATE_a\u{fffd}: unknown variable", "")]);
    assert_faults(
        &Call::new("serve")
            .arg("--allow-anonymous")
            .var("AWS_REGION", bytes()),
        &[("AWS_REGION: is not UTF-8", "")],
    );
}

#[test]
fn variables_that_kubernetes_sets_for_a_service_are_ignored() {
    let made = [
        ("TAPEGATE_SERVICE_HOST", "10.0.0.1"),
        ("TAPEGATE_SERVICE_PORT", "50051"),
        ("TAPEGATE_SERVICE_PORT_GRPC", "50051"),
        ("TAPEGATE_SERVICE_PORT_HTTP_ADMIN", "9464"),
        ("TAPEGATE_PORT", "tcp://10.0.0.1:50051"),
        ("TAPEGATE_PORT_50051_TCP", "tcp://10.0.0.1:50051"),
        ("TAPEGATE_PORT_50051_TCP_PROTO", "tcp"),
        ("TAPEGATE_PORT_50051_TCP_PORT", "50051"),
        ("TAPEGATE_PORT_50051_TCP_ADDR", "10.0.0.1"),
        ("TAPEGATE_ADMIN_SERVICE_HOST", "10.0.0.2"),
        ("TAPEGATE_ADMIN_PORT_9464_TCP_ADDR", "10.0.0.2"),
    ];
    let call = made
        .iter()
        .fold(Call::serve(), |call, (name, value)| call.var(name, *value));
    assert_eq!(call.config(), Call::serve().config());
    // Similar, but not set by Kubernetes.
    for (name, value) in [
        ("TAPEGATE_PORT", "50051"),
        ("TAPEGATE_ADMIN_PORT", "9464"),
        ("TAPEGATE_PORT_X_TCP", "1"),
        ("TAPEGATE_SERVICE", "x"),
        ("TAPEGATE_", "x"),
    ] {
        assert_faults(&Call::serve().var(name, value), &[(name, "unknown variable")]);
    }
}

#[test]
fn lists_are_in_the_file_only() {
    assert_faults(
        &Call::serve().var("TAPEGATE_REGIONS", "us-east-1"),
        &[("TAPEGATE_REGIONS: regions is a list", "in the file only")],
    );
    assert!(
        Call::serve()
            .arg("--regions=us-east-1")
            .usage()
            .contains("unexpected argument")
    );
    let rules = Call::serve()
        .file(
            "account_id = '123456789012'\naccounts = ['123456789012']\nregions = ['us-east-1', 'eu-west-1']",
        )
        .config()
        .rules;
    assert_eq!((rules.regions.len(), rules.accounts.len()), (2, 1));
}

#[test]
fn endpoints_are_root_urls() {
    let with = |url: &str| Call::serve().arg(format!("--upstream-endpoint={url}"));
    for url in [
        "http://127.0.0.1:4588",
        "https://example.com",
        "https://example.com/",
        "http://[::1]:80",
    ] {
        assert!(with(url).config().sdk.endpoint.is_some(), "{url}");
    }
    for url in [
        "",
        " ",
        "127.0.0.1:4588",
        "ftp://h",
        "http://",
        "http:///",
        "/",
        "*",
        "http://h/x",
        "http://h/?q",
        "http://h?q",
        "http://h#f",
        "http://user@h",
        "http://user:secret@h",
        "http://h:",
        "http://h:0",
        "http://h:99999",
        "http://:80",
        "http://h h",
    ] {
        assert_faults(&with(url), &[("--upstream-endpoint: ", "http or https URL")]);
    }
}

#[test]
fn the_store_of_shared_limits_is_a_url_without_a_user() {
    let with = |url: &str| Call::serve().arg(format!("--limits-shared-url={url}"));
    for url in [
        "redis://127.0.0.1",
        "redis://store.example:6379/0",
        "rediss://store.example/",
        "rediss://[::1]:6380/15",
    ] {
        let shared = with(url).config().shared_limits.unwrap();
        assert_eq!(shared.store.url, url);
    }
    for url in [
        "127.0.0.1:6379",
        "http://store.example",
        "redis://",
        "redis:///0",
        "redis://h:0",
        "redis://h:99999",
        "redis://h/x",
        "redis://h/0/1",
        "redis://h/-1",
        "redis://h?db=1",
        "redis://h#insecure",
        "redis://user@h",
        "redis://:secret@h",
        "unix:///run/store",
    ] {
        assert_faults(&with(url), &[("--limits-shared-url: ", "redis:// or rediss://")]);
        assert!(!with(url).faults().join("\n").contains("secret"));
    }
}

#[test]
fn origins_are_as_browsers_send_them() {
    let with = |origin: &str| Call::serve().file(format!("grpc_web.allowed_origins = [{origin:?}]"));
    for origin in [
        "https://console.example.com",
        "http://localhost:8080",
        "https://[::1]:8443",
        "https://xn--bcher-kva.example",
    ] {
        assert!(
            with(origin)
                .config()
                .server
                .allowed_origins
                .iter()
                .any(|allowed| allowed == origin),
            "{origin}"
        );
    }
    for origin in [
        "*",
        "null",
        "console.example.com",
        "https://*.example.com",
        "https://console.example.com/",
        "https://console.example.com/app",
        "https://console.example.com:443",
        "http://console.example.com:80",
        "https://Console.example.com",
        "https://console.example.com:08443",
        "https://[0:0:0:0:0:0:0:1]",
        "https://127.1",
        "HTTPS://console.example.com",
        "https://user@console.example.com",
        "ftp://console.example.com",
        "https://bücher.example",
    ] {
        assert_faults(
            &with(origin),
            &[(
                "tapegate.toml:1:29: grpc_web.allowed_origins: ",
                "the origin of a web page",
            )],
        );
    }
}

#[test]
fn of_two_contradicting_values_the_given_one_is_reported() {
    assert_faults(
        &Call::serve().arg("--upstream-attempt-timeout=61s"),
        &[(
            "--upstream-attempt-timeout: 1m 1s is longer than upstream.operation_timeout (1m)",
            "shorten it",
        )],
    );
    assert_faults(
        &Call::serve().arg("--upstream-operation-timeout=10s"),
        &[(
            "--upstream-operation-timeout: 10s is shorter than upstream.attempt_timeout (20s)",
            "lengthen it",
        )],
    );
    assert_faults(
        &Call::serve().arg("--tapes-max-size-gib=99"),
        &[(
            "--tapes-max-size-gib: 99 is below tapes.min_size_gib (100)",
            "raise it",
        )],
    );
}

#[test]
fn listeners_cannot_share_an_address() {
    assert_faults(
        &Call::serve().arg("--listen=127.0.0.1:9464"),
        &[(
            "--listen: 127.0.0.1:9464 is also the address of admin_listen",
            "another port",
        )],
    );
    Call::serve()
        .arg("--listen=127.0.0.1:0")
        .arg("--admin-listen=127.0.0.1:0")
        .config();
}

#[test]
fn a_misspelt_level_is_rejected() {
    let with = |filter: &str| Call::serve().arg(format!("--log-filter={filter}"));
    for filter in [
        "info",
        "WARN",
        "off",
        "warn,tapegate=debug",
        "tapegate::upstream=trace",
        "[call{tape=7}]=debug,info",
    ] {
        assert_eq!(with(filter).config().log.filter.as_str(), filter);
    }
    for filter in ["", ",", "wran", "info,", "tapegate", "tapegate=dbug", "[call"] {
        assert_faults(&with(filter), &[("--log-filter: ", "a level (off, error")]);
    }
}

#[test]
fn the_right_section_is_suggested_for_a_misplaced_setting() {
    let cases = [
        ("[upstream]\nregion = 'eu-west-1'", "did you mean region?"),
        (
            "[shutdown]\nattempt_timeout = '1s'",
            "did you mean upstream.attempt_timeout?",
        ),
        ("admin-listen = '127.0.0.1:1'", "did you mean admin_listen?"),
        (
            "[upstream.endpoint]\nurl = 'x'",
            "upstream.endpoint: is of type table",
        ),
        ("[upstream.tls]\nca = 'x'", "unknown section \"upstream.tls\""),
        (
            "[emulator]\nseed_tapes = 3",
            "move its settings to a file for --emulator-config",
        ),
    ];
    for (file, part) in cases {
        assert_faults(&Call::serve().file(file), &[("tapegate.toml:", part)]);
    }
}
