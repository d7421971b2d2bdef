//! Defaults, and which source of a setting takes precedence.

use tapegate::{domain::TapeSizeBounds, observability::telemetry::LogFormat};

use super::*;
use crate::harness::Site;

#[test]
fn defaults_match_the_documentation() {
    let config = Call::serve().config();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:50051");
    assert_eq!(config.server.admin_listen.to_string(), "127.0.0.1:9464");
    assert_eq!(config.server.grpc.max_request_bytes, 1 << 20);
    assert_eq!(config.server.grpc.connection.max_concurrent_streams, 200);
    assert_eq!(config.rules.regions, [config.rules.region.clone()].into());
    assert_eq!(config.rules.account_id, None);
    assert!(config.rules.accounts.is_empty());
    assert_eq!(config.sdk.endpoint, None);
    assert_eq!(config.sdk.connect_timeout, Duration::from_millis(3100));
    assert_eq!(config.upstream, crate::harness::transport::settings());
    assert_eq!(config.upstream.attempt_timeout, Duration::from_secs(20));
    assert_eq!(config.upstream.operation_timeout, Duration::from_secs(60));
    assert_eq!(config.sdk.max_answer_bytes, 16 << 20);
    assert_eq!(config.sdk.credentials_pause, Duration::from_secs(10));
    assert_eq!(
        config.rules.tape_sizes,
        TapeSizeBounds::gib(100, 15 * 1024).unwrap()
    );
    assert_eq!(config.shutdown.delay, Duration::ZERO);
    assert_eq!(config.shutdown.drain_timeout, Duration::from_secs(20));
    assert_eq!(
        (config.log.filter.as_str(), config.log.format),
        ("info,aws_config=error", LogFormat::Human)
    );
}

#[test]
fn flags_take_precedence_over_variables_then_the_file_then_defaults() {
    // Every combination of the three sources.
    for given in 0..8u8 {
        let [in_file, in_variable, in_flag] = [1, 2, 4].map(|bit| given & bit != 0);
        let mut call = Call::serve();
        let (mut drain, mut streams) = ("20s", "200");
        if in_file {
            call = call.file("max_concurrent_streams = 1\n[shutdown]\ndrain_timeout = '1s'");
            (drain, streams) = ("1s", "1");
        }
        if in_variable {
            call = call
                .var("TAPEGATE_SHUTDOWN_DRAIN_TIMEOUT", "2s")
                .var("TAPEGATE_MAX_CONCURRENT_STREAMS", "2");
            (drain, streams) = ("2s", "2");
        }
        if in_flag {
            call = call
                .arg("--shutdown-drain-timeout=3s")
                .arg("--max-concurrent-streams")
                .arg("3");
            (drain, streams) = ("3s", "3");
        }
        let config = call.config();
        assert_eq!(
            humantime::format_duration(config.shutdown.drain_timeout).to_string(),
            drain,
            "{given:b}"
        );
        assert_eq!(
            config.server.grpc.connection.max_concurrent_streams.to_string(),
            streams,
            "{given:b}"
        );
    }
}

#[test]
fn every_setting_of_the_service_except_lists_has_a_key_a_variable_and_a_flag() {
    let site = Site::new();
    let path = |name: &str| site.path(name).display().to_string();
    let files = [
        ("tls.cert", path("server.pem")),
        ("tls.key", path("server.key")),
        ("tls.client_ca", path("clients.pem")),
        ("auth.tokens.file", path("tokens.toml")),
        ("policy.path", path("policies")),
        ("policy.trial", path("policies")),
        ("audit.file", path("audit.jsonl")),
        ("limits.shared.password_file", path("store.password")),
        ("limits.shared.ca", path("clients.pem")),
    ];
    site.write("store.password", "secret");
    // A valid value, unlike the default, for every setting.
    let valid = |key: &str| match key {
        "allow_plaintext" | "audit.reads" | "compress_responses" | "require_pool" | "create.add_tags" => {
            "true"
        }
        "send_timeout" | "handshake_timeout" | "keepalive_interval" | "keepalive_timeout"
        | "reload_interval" => "33s",
        "auth.remember" => "30s",
        "max_connection_age" | "max_connection_age_grace" => "2h",
        "max_pending_resets" | "worker_threads" => "77",
        "audit.rejections_per_minute" => "7",
        "max_control_frames" => "777",
        "limits.attempts_in_flight" => "7",
        "max_scheduling_delay" => "7s",
        "max_arriving_bytes" => "66666666",
        "max_connection_rate" => "66",
        "max_unread_bytes" => "77777777",
        "auth.health" => "identified",
        "auth.reflection" => "open",
        "policy.unset_pool" => "DEEP_ARCHIVE",
        "listen" => "127.0.0.1:1",
        "admin_listen" => "127.0.0.1:2",
        "allow_anonymous" => "true",
        "region" => "eu-west-1",
        "account_id" => "999999999999",
        "upstream.endpoint" | "upstream.sts_endpoint" => "http://localhost:4588",
        "max_request_bytes" => "65536",
        "log.filter" => "warn",
        "log.format" => "json",
        "log.queue" => "17",
        "log.ok_percent" => "17",
        "otlp.endpoint" => "http://localhost:4317",
        "otlp.protocol" => "http",
        "admin_pages" => "open",
        "readiness.aws" => "no_answer",
        "otlp.sample_percent" => "10",
        "tapes.max_size_gib" => "20000",
        "upstream.attempt_timeout" => "19s",
        "upstream.credentials_pause" => "1s",
        "shutdown.delay" => "7s",
        "expiry_warning" => "29days",
        "upstream.connect_timeout" => "2s",
        "upstream.operation_timeout" => "50s",
        "upstream.create_timeout" => "29s",
        "deadline.unary" => "59s",
        "deadline.unary_max" => "9m",
        "deadline.stream" => "14m",
        "deadline.stream_max" => "1h",
        "retry.attempts" => "5",
        "retry.base" => "99ms",
        "retry.throttled_base" => "2s",
        "retry.cap" => "4s",
        "retry.budget_share" => "25",
        "pace.floor" => "2",
        "pace.decrease" => "11",
        "pace.increase" => "3",
        "pace.forget" => "2m",
        "pace.silence" => "6",
        "create.clock_skew" => "2m",
        "create.resend_window" => "9m",
        "create.token_window" => "11m",
        "shutdown.drain_timeout" => "8s",
        "limits.shared.url" => "rediss://localhost:6379/1",
        "limits.shared.timeout" => "99ms",
        "limits.shared.prefix" => "site-1",
        "limits.shared.on_failure" => "count_alone",
        _ => match files.iter().find(|(file, _)| *file == key) {
            Some((_, path)) => path,
            None => "5001",
        },
    };
    let base = Call::new("check")
        .var("AWS_REGION", "us-east-1")
        .var("TAPEGATE_ALLOW_ANONYMOUS", "true")
        // Each of these needs the others.
        .var("TAPEGATE_TLS_CERT", &files[0].1)
        .var("TAPEGATE_TLS_KEY", &files[1].1)
        .var("TAPEGATE_POLICY_PATH", &files[4].1)
        .var("TAPEGATE_AUDIT_FILE", &files[6].1)
        .var("TAPEGATE_LIMITS_SHARED_URL", "rediss://localhost");
    for setting in SETTINGS {
        let (section, name) = setting.path();
        if setting.toml() == TomlType::Strings {
            assert_eq!((setting.flag(), setting.variable()), (None, None));
            continue;
        }
        let value = valid(setting.key());
        let quote = if setting.toml() == TomlType::String {
            "'"
        } else {
            ""
        };
        let header = if section.is_empty() {
            String::new()
        } else {
            format!("[{section}]\n")
        };
        let mut base = base.clone();
        base.variables
            .remove(&OsString::from(setting.variable().unwrap()));
        let by_file = base
            .clone()
            .file(format!("{header}{name} = {quote}{value}{quote}"))
            .check();
        let by_variable = base.clone().var(&setting.variable().unwrap(), value).check();
        let by_flag = base.arg(format!("--{}={value}", setting.flag().unwrap())).check();
        assert_eq!(by_file.0, by_variable.0, "{}", setting.key());
        assert_eq!(by_file.0, by_flag.0, "{}", setting.key());
        let line = |(_, document): &(Config, String)| {
            let start = format!("{name} = ");
            let found = document
                .lines()
                .filter(|line| line.starts_with(&start))
                .find(|line| line.contains(value));
            found
                .unwrap_or_else(|| panic!("no {name} in\n{document}"))
                .to_owned()
        };
        assert!(line(&by_file).contains(FILE), "{}", line(&by_file));
        assert!(
            line(&by_variable).ends_with(&setting.variable().unwrap()),
            "{}",
            line(&by_variable)
        );
        assert!(
            line(&by_flag).ends_with(&format!("--{}", setting.flag().unwrap())),
            "{}",
            line(&by_flag)
        );
    }
}

#[test]
fn accounts_default_to_the_account_id() {
    let one = Call::serve().arg("--account-id=123456789012");
    let rules = one.config().rules;
    assert_eq!(
        rules.accounts,
        [(rules.account_id.unwrap(), rules.regions)].into()
    );
    assert!(
        one.clone()
            .file("accounts = []")
            .config()
            .rules
            .accounts
            .is_empty()
    );
    assert_faults(
        &one.file("accounts = ['210987654321']"),
        &[(
            "tapegate.toml:1:12: accounts: does not contain 123456789012",
            "add it",
        )],
    );
}

#[test]
fn the_region_defaults_to_the_variables_of_aws() {
    let bare = Call::new("serve").arg("--allow-anonymous");
    let region = |call: &Call| call.config().rules.region.to_string();
    let both = bare
        .clone()
        .var("AWS_REGION", "eu-west-1")
        .var("AWS_DEFAULT_REGION", "eu-west-2");
    assert_eq!(region(&both), "eu-west-1");
    assert_eq!(region(&both.clone().var("AWS_REGION", "")), "eu-west-2");
    assert_eq!(region(&both.clone().file("region = 'eu-west-3'")), "eu-west-3");
    // An unused variable is not checked.
    assert_eq!(
        region(&both.arg("--region=eu-west-3").var("AWS_REGION", "?!")),
        "eu-west-3"
    );
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(".aws")).unwrap();
    fs::write(home.path().join(".aws/config"), "[default]\nregion = eu-west-4\n").unwrap();
    let of_profile = bare.clone().var("HOME", home.path());
    assert_eq!(region(&of_profile), "eu-west-4");
    assert_eq!(
        region(&of_profile.var("AWS_DEFAULT_REGION", "eu-west-2")),
        "eu-west-2"
    );
    assert_faults(
        &bare.clone().var("AWS_REGION", "?!"),
        &[("AWS_REGION: invalid value \"?!\"", "us-east-1")],
    );
    assert_faults(
        &bare,
        &[("region: is not set", "--region, TAPEGATE_REGION or AWS_REGION")],
    );
}
