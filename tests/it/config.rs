//! Settings and the command line: what wins, what is refused, and what is said about it.

use std::{collections::BTreeMap, ffi::OsString, fmt::Write as _, fs, path::Path, time::Duration};

use proptest::prelude::*;
use secrecy::ExposeSecret;
use tapegate::{
    cli::{self, Command, Stop},
    config::{Config, DEV_CREDENTIALS, Dev, Format, SETTINGS, Standalone, Toml},
};

/// A command line with its environment and its file.
#[derive(Clone, Default)]
struct Call {
    arguments: Vec<OsString>,
    variables: BTreeMap<OsString, OsString>,
    file: Option<Vec<u8>>,
}

/// The file's name in every message.
const FILE: &str = "tapegate.toml";

impl Call {
    fn new(command: &str) -> Self {
        Self::default().arg(command)
    }

    /// `serve`, with just what it cannot do without.
    fn serve() -> Self {
        Self::new("serve")
            .arg("--allow-anonymous")
            .arg("--region=us-east-1")
    }

    fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    fn var(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    fn file(mut self, content: impl Into<Vec<u8>>) -> Self {
        self.file = Some(content.into());
        self
    }

    fn parse(&self) -> Result<Command, Stop> {
        let directory = tempfile::tempdir().unwrap();
        let mut variables = self.variables.clone();
        if let Some(content) = &self.file {
            let path = directory.path().join(FILE);
            fs::write(&path, content).unwrap();
            variables.insert("TAPEGATE_CONFIG".into(), path.into());
        }
        let program = OsString::from("tapegate");
        let result = cli::parse(std::iter::once(&program).chain(&self.arguments), variables);
        // Messages name the file by its whole path; tests by its name.
        drop(directory);
        result
    }

    fn config(&self) -> Config {
        match self.parse() {
            Ok(Command::Serve(config)) => config,
            other => panic!("{other:?}"),
        }
    }

    fn dev(&self) -> Dev {
        match self.parse() {
            Ok(Command::Dev(dev)) => dev,
            other => panic!("{other:?}"),
        }
    }

    fn emulator(&self) -> Standalone {
        match self.parse() {
            Ok(Command::Emulator(emulator)) => emulator,
            other => panic!("{other:?}"),
        }
    }

    fn check(&self) -> (Config, String) {
        match self.parse() {
            Ok(Command::Check(checked)) => {
                let mut document = Vec::new();
                checked.write(&mut document).unwrap();
                (checked.config, String::from_utf8(document).unwrap())
            }
            other => panic!("{other:?}"),
        }
    }

    /// Every fault, with the folder of the file taken off.
    fn faults(&self) -> Vec<String> {
        match self.parse() {
            Err(Stop::Faults(faults)) => faults
                .iter()
                .map(|fault| {
                    let text = fault.to_string();
                    match text.find(FILE) {
                        Some(at) if text.starts_with('/') => text[at..].to_owned(),
                        _ => text,
                    }
                })
                .collect(),
            other => panic!("{other:?}"),
        }
    }

    /// What clap says instead.
    fn usage(&self) -> String {
        match self.parse() {
            Err(Stop::Usage(error)) => error.to_string(),
            other => panic!("{other:?}"),
        }
    }
}

/// Each of `wanted` is a pair: how a fault begins, and what it says further on.
#[track_caller]
fn assert_faults(call: &Call, wanted: &[(&str, &str)]) {
    let found = call.faults();
    let fits =
        |(fault, (start, part)): (&String, &(&str, &str))| fault.starts_with(start) && fault.contains(part);
    assert!(
        found.len() == wanted.len() && found.iter().zip(wanted).all(fits),
        "found:\n{}\nwanted:\n{wanted:#?}",
        found.join("\n"),
    );
}

#[test]
fn defaults_are_those_of_the_documents() {
    let config = Call::serve().config();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:50051");
    assert_eq!(config.server.admin_listen.to_string(), "127.0.0.1:9464");
    assert_eq!(config.server.max_request_bytes, 1 << 20);
    assert_eq!(config.server.max_concurrent_streams, 200);
    assert_eq!(config.scope.regions, [config.scope.region.clone()].into());
    assert_eq!(config.scope.account_id, None);
    assert!(config.scope.accounts.is_empty());
    assert_eq!(config.upstream.endpoint, None);
    assert_eq!(config.upstream.connect_timeout, Duration::from_millis(3100));
    assert_eq!(config.upstream.attempt_timeout, Duration::from_secs(20));
    assert_eq!(config.upstream.operation_timeout, Duration::from_secs(60));
    assert_eq!(config.upstream.max_answer_bytes, 16 << 20);
    assert_eq!(
        (config.tapes.min_size_gib, config.tapes.max_size_gib),
        (100, 15 * 1024)
    );
    assert_eq!(config.shutdown.delay, Duration::ZERO);
    assert_eq!(config.shutdown.drain_timeout, Duration::from_secs(30));
    assert_eq!(
        (config.log.filter.as_str(), config.log.format),
        ("info", Format::Human)
    );
    let emulator = Call::new("emulator").emulator();
    assert_eq!(emulator.emulator.listen.to_string(), "127.0.0.1:4588");
    assert_eq!(emulator.emulator.seed_tapes, 250);
    assert!(emulator.credentials.is_none());
}

#[test]
fn a_flag_wins_over_a_variable_and_that_over_the_file_and_that_over_the_default() {
    // Every way of giving a setting in some of the three places.
    for given in 0..8u8 {
        let [in_file, in_variable, in_flag] = [1, 2, 4].map(|bit| given & bit != 0);
        let mut call = Call::serve();
        let (mut drain, mut streams) = ("30s", "200");
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
            config.server.max_concurrent_streams.to_string(),
            streams,
            "{given:b}"
        );
    }
}

#[test]
fn every_setting_but_lists_is_a_key_a_variable_and_a_flag() {
    // A right value, unlike the default, for every setting.
    let right = |key: &str| match key {
        "listen" => "127.0.0.1:1",
        "admin_listen" => "127.0.0.1:2",
        "emulator.listen" => "127.0.0.1:3",
        "allow_anonymous" => "true",
        "region" => "eu-west-1",
        "account_id" => "999999999999",
        "upstream.endpoint" => "http://localhost:4588",
        "max_request_bytes" => "65536",
        "log.filter" => "warn",
        "log.format" => "json",
        "tapes.max_size_gib" => "20000",
        "emulator.access_key_id" => "AKID",
        "emulator.secret_access_key" => "secret",
        "upstream.attempt_timeout" => "19s",
        "shutdown.delay" => "7s",
        "upstream.connect_timeout" => "2s",
        "upstream.operation_timeout" => "50s",
        "shutdown.drain_timeout" => "8s",
        _ => "5000",
    };
    let mut base = Call::new("check")
        .var("AWS_REGION", "us-east-1")
        .var("TAPEGATE_ALLOW_ANONYMOUS", "true");
    base.file = None;
    for setting in SETTINGS.iter().filter(|setting| setting.path().0 != "emulator") {
        let (section, name) = setting.path();
        if setting.toml() == Toml::Strings {
            assert_eq!((setting.flag(), setting.variable()), (None, None));
            continue;
        }
        let value = right(setting.key());
        let quote = if setting.toml() == Toml::String { "'" } else { "" };
        let header = if section.is_empty() {
            String::new()
        } else {
            format!("[{section}]\n")
        };
        let mut base = base.clone();
        if setting.key() == "allow_anonymous" {
            base.variables.remove(&OsString::from("TAPEGATE_ALLOW_ANONYMOUS"));
        }
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
fn the_emulator_alone_has_short_flags_for_the_same_settings() {
    let by_flag = Call::new("emulator")
        .arg("--listen=127.0.0.1:7")
        .arg("--seed-tapes=9")
        .arg("--access-key-id=AKID")
        .arg("--secret-access-key=hush");
    let by_variable = Call::new("emulator")
        .var("TAPEGATE_EMULATOR_LISTEN", "127.0.0.1:7")
        .var("TAPEGATE_EMULATOR_SEED_TAPES", "9")
        .var("TAPEGATE_EMULATOR_ACCESS_KEY_ID", "AKID")
        .var("TAPEGATE_EMULATOR_SECRET_ACCESS_KEY", "hush");
    let by_file = Call::new("emulator").file(
        "[emulator]\nlisten = '127.0.0.1:7'\nseed_tapes = 9\naccess_key_id = 'AKID'\nsecret_access_key = 'hush'\n",
    );
    for call in [by_flag, by_variable, by_file] {
        let Standalone {
            emulator,
            credentials,
            ..
        } = call.emulator();
        let credentials = credentials.unwrap();
        assert_eq!(emulator.listen.to_string(), "127.0.0.1:7");
        assert_eq!(emulator.seed_tapes, 9);
        assert_eq!(credentials.access_key_id, "AKID");
        assert_eq!(credentials.secret_access_key.expose_secret(), "hush");
    }
}

#[test]
fn every_fault_is_reported_at_once_with_its_place() {
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
        .var("TAPEGATE_SHUTDOWN_DELAY", "")
        .arg("--shutdown-drain-timeout=soon");
    assert_faults(
        &call,
        &[
            (
                "tapegate.toml:2:10: listen: \"localhost:50051\" is wrong",
                "such as 127.0.0.1:50051",
            ),
            (
                "tapegate.toml:3:1: there is no setting \"admin_lisen\"",
                "did you mean admin_listen?",
            ),
            ("tapegate.toml:4:14: account_id: \"1234\" is wrong", "12 digits"),
            ("tapegate.toml:5:25: regions: \"Mars\" is wrong", "us-east-1"),
            ("tapegate.toml:5:33: regions: is not a string", "us-east-1"),
            (
                "tapegate.toml:6:21: max_request_bytes: is of type string",
                "bytes from 65536 to 4194304",
            ),
            (
                "tapegate.toml:7:26: max_concurrent_streams: \"0\" is wrong",
                "from 1 to 10000",
            ),
            ("tapegate.toml:10:12: upstream.endpoint: ", "no path"),
            (
                "tapegate.toml:11:19: upstream.connect_timeout: 30s is longer than",
                "upstream.attempt_timeout (20s)",
            ),
            (
                "tapegate.toml:12:21: upstream.operation_timeout: \"-3s\" is wrong",
                "500ms, 30s",
            ),
            (
                "tapegate.toml:14:2: there is no section \"upsteam\"",
                "did you mean upstream?",
            ),
            (
                "tapegate.toml:18:16: tapes.min_size_gib: 200 is above",
                "tapes.max_size_gib (100)",
            ),
            (
                "TAPEGATE_LISTN: there is no variable",
                "did you mean TAPEGATE_LISTEN?",
            ),
            ("TAPEGATE_LOG_FORMAT: \"xml\" is wrong", "\"human\" or \"json\""),
            ("TAPEGATE_SHUTDOWN_DELAY: is empty", "leave it out"),
            ("--shutdown-drain-timeout: \"soon\" is wrong", "30s"),
            ("allow_anonymous: is false", "--allow-anonymous"),
            ("region: is not set", "TAPEGATE_REGION"),
        ],
    );
}

#[test]
fn a_wrong_value_is_reported_even_where_another_wins_over_it() {
    let call = Call::serve().file("listen = 'here'").arg("--listen=127.0.0.1:1");
    assert_faults(&call, &[("tapegate.toml:1:10: listen: \"here\" is wrong", "")]);
}

#[test]
fn a_file_that_is_no_configuration_is_one_clear_fault() {
    let cases: &[(&[u8], &str, &str)] = &[
        (b"listen = \"127", "tapegate.toml:1:", "is not TOML"),
        (
            b"listen = 'a'\nlisten = 'b'",
            "tapegate.toml:2:1: is not TOML",
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
            "tapegate.toml:1:1: there is no setting",
            "did you mean upstream.connect_timeout?",
        ),
        (
            b"zzz = 1",
            "tapegate.toml:1:1: there is no setting \"zzz\"",
            "zzz",
        ),
        (b"\"\" = 1", "tapegate.toml:1:1: there is no setting \"\"", ""),
        (
            b"regions = 'us-east-1'",
            "tapegate.toml:1:11: regions: is of type string",
            "array of strings",
        ),
        (
            b"regions = []",
            "tapegate.toml:1:11: regions: lacks us-east-1",
            "add it",
        ),
        (
            b"regions = ['eu-west-1']",
            "tapegate.toml:1:11: regions: lacks us-east-1",
            "add it",
        ),
        (
            b"regions = ['us-east-1', 'us-east-1']",
            "tapegate.toml:1:25: regions: stands",
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
            "tapegate.toml:1:18: is not TOML",
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
        let is_syntax = found[0].contains("is not TOML");
        assert!(
            found.len() == 1 || is_syntax,
            "{}: {found:#?}",
            String::from_utf8_lossy(file)
        );
    }
    // Far too large, and just small enough.
    let padded = |bytes: usize| Call::serve().file(format!("{:1$}", "#", bytes));
    assert_faults(
        &padded((1 << 20) + 1),
        &[("tapegate.toml: is larger than 1048576 bytes", "")],
    );
    padded(1 << 20).config();
    // Nothing in it.
    Call::serve().file("").config();
}

#[test]
fn a_file_that_cannot_be_read_is_one_clear_fault() {
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
    // What an unreadable file says is unknown, so nothing is said to be missing.
    let broken = Call::new("serve").file("region = ");
    assert!(
        broken.faults().iter().all(|fault| fault.contains("is not TOML")),
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
            ("--listen: \"here\" is wrong", ""),
        ],
    );
    // The flag wins, so the variable's file is not looked at.
    let file = directory.path().join("some.toml");
    fs::write(&file, "").unwrap();
    at(&file).var("TAPEGATE_CONFIG", "/nowhere").config();
}

#[cfg(unix)]
#[test]
fn what_is_not_utf_8_is_refused_with_its_name() {
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
    assert_faults(&call, &[("TAPEGATE_a\u{fffd}: there is no variable", "")]);
    assert_faults(
        &Call::new("serve")
            .arg("--allow-anonymous")
            .var("AWS_REGION", bytes()),
        &[("AWS_REGION: is not UTF-8", "")],
    );
}

#[test]
fn variables_that_kubernetes_makes_for_a_service_are_no_settings() {
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
    // Near to those, but not made by Kubernetes.
    for (name, value) in [
        ("TAPEGATE_PORT", "50051"),
        ("TAPEGATE_ADMIN_PORT", "9464"),
        ("TAPEGATE_PORT_X_TCP", "1"),
        ("TAPEGATE_SERVICE", "x"),
        ("TAPEGATE_", "x"),
    ] {
        assert_faults(&Call::serve().var(name, value), &[(name, "there is no variable")]);
    }
}

#[test]
fn lists_are_set_in_the_file_alone() {
    assert_faults(
        &Call::serve().var("TAPEGATE_REGIONS", "us-east-1"),
        &[("TAPEGATE_REGIONS: regions is a list", "in the file")],
    );
    assert!(
        Call::serve()
            .arg("--regions=us-east-1")
            .usage()
            .contains("unexpected argument")
    );
    let scope = Call::serve()
        .file("account_id = '123456789012'\naccounts = ['210987654321', '123456789012']\nregions = ['us-east-1', 'eu-west-1']")
        .config()
        .scope;
    assert_eq!((scope.regions.len(), scope.accounts.len()), (2, 2));
}

#[test]
fn accounts_follow_the_one_account() {
    let one = Call::serve().arg("--account-id=123456789012");
    assert_eq!(
        one.config().scope.accounts,
        [one.config().scope.account_id.unwrap()].into()
    );
    assert!(
        one.clone()
            .file("accounts = []")
            .config()
            .scope
            .accounts
            .is_empty()
    );
    assert_faults(
        &one.file("accounts = ['210987654321']"),
        &[("tapegate.toml:1:12: accounts: lacks 123456789012", "add it")],
    );
}

#[test]
fn the_region_comes_from_aws_variables_where_nobody_gives_one() {
    let bare = Call::new("serve").arg("--allow-anonymous");
    let region = |call: &Call| call.config().scope.region.to_string();
    let both = bare
        .clone()
        .var("AWS_REGION", "eu-west-1")
        .var("AWS_DEFAULT_REGION", "eu-west-2");
    assert_eq!(region(&both), "eu-west-1");
    assert_eq!(region(&both.clone().var("AWS_REGION", "")), "eu-west-2");
    assert_eq!(region(&both.clone().file("region = 'eu-west-3'")), "eu-west-3");
    // One that does not count is not judged.
    assert_eq!(
        region(&both.arg("--region=eu-west-3").var("AWS_REGION", "?!")),
        "eu-west-3"
    );
    assert_faults(
        &bare.clone().var("AWS_REGION", "?!"),
        &[("AWS_REGION: \"?!\" is wrong", "us-east-1")],
    );
    assert_faults(
        &bare,
        &[("region: is not set", "--region, TAPEGATE_REGION or AWS_REGION")],
    );
}

#[test]
fn endpoints_are_the_roots_of_servers() {
    let with = |url: &str| Call::serve().arg(format!("--upstream-endpoint={url}"));
    for url in [
        "http://127.0.0.1:4588",
        "https://example.com",
        "https://example.com/",
        "http://[::1]:80",
    ] {
        assert!(with(url).config().upstream.endpoint.is_some(), "{url}");
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
    assert!(
        bare.clone()
            .arg("--allow-anonymous")
            .config()
            .server
            .allow_anonymous
    );
    let open = bare.arg("--allow-anonymous").arg("--admin-listen=0.0.0.0:9464");
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
                "is not loopback, which while anonymous callers are allowed is refused; use 127.0.0.1:50051",
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
fn two_listeners_never_share_an_address() {
    assert_faults(
        &Call::new("dev")
            .arg("--admin-listen=127.0.0.1:50051")
            .arg("--emulator-listen=127.0.0.1:50051"),
        &[
            (
                "--admin-listen: 127.0.0.1:50051 is the address of listen too",
                "another port",
            ),
            (
                "--emulator-listen: 127.0.0.1:50051 is the address of admin_listen too",
                "another port",
            ),
            (
                "--emulator-listen: 127.0.0.1:50051 is the address of listen too",
                "another port",
            ),
        ],
    );
    assert_faults(
        &Call::serve().arg("--listen=127.0.0.1:9464"),
        &[(
            "--listen: 127.0.0.1:9464 is the address of admin_listen too",
            "another port",
        )],
    );
    Call::serve()
        .arg("--listen=127.0.0.1:0")
        .arg("--admin-listen=127.0.0.1:0")
        .config();
}

#[test]
fn of_two_timeouts_the_one_that_was_given_is_the_one_to_change() {
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
    // Nor by a syntax error on its line.
    let broken = Call::serve().file(format!("{file}, x"));
    assert!(
        !broken.faults().concat().contains(SECRET),
        "{:?}",
        broken.faults()
    );
}

#[test]
fn check_says_where_each_value_comes_from() {
    let call = Call::new("check")
        .arg("--allow-anonymous")
        .var("AWS_REGION", "eu-west-1")
        .var("TAPEGATE_LOG_FILTER", "warn,tapegate=debug")
        .file("[tapes]\n\nmax_size_gib = 20_000");
    let (_, document) = call.check();
    for line in [
        "listen = \"127.0.0.1:50051\"  # default",
        "allow_anonymous = true  # --allow-anonymous",
        "region = \"eu-west-1\"  # AWS_REGION",
        "regions = [\"eu-west-1\"]  # default",
        "# account_id is not set",
        "accounts = []  # default",
        "filter = \"warn,tapegate=debug\"  # TAPEGATE_LOG_FILTER",
    ] {
        assert!(
            document.lines().any(|found| found == line),
            "no {line} in\n{document}"
        );
    }
    let tapes = document
        .lines()
        .find(|line| line.starts_with("max_size_gib"))
        .unwrap();
    assert!(
        tapes.starts_with("max_size_gib = 20000  # ") && tapes.ends_with("tapegate.toml:3:16"),
        "{tapes}"
    );
}

proptest! {
    #[test]
    fn what_check_prints_is_a_file_that_gives_the_same_settings(
        ports in (0..=u16::MAX, 0..=u16::MAX).prop_filter("two", |(a, b)| a != b),
        region in "[a-z0-9-]{1,64}",
        more in proptest::collection::btree_set("[a-z]{2}-[a-z]{4}-[0-9]", 0..4),
        account in proptest::option::of("[0-9]{12}"),
        accounts in proptest::option::of(proptest::collection::btree_set("[0-9]{12}", 0..4)),
        endpoint in proptest::option::of("https?://[a-z]{1,9}(:[1-9][0-9]{0,3})?/?"),
        spans in (1..=60_000u64, 0..=540_000u64, 0..=3_000_000u64),
        waits in (0..=600_000_000u64, 0..=3_600_000_000u64),
        (min, more_gib) in (1..=1_000_000_000i64, 0..=7_000_000_000i64),
        bytes in (65_536..=4_194_304u32, 1024..=1_073_741_824u32),
        streams in 1..=10_000u32,
        filter in "(info|warn|off)(,[a-z_]{1,8}=(debug|trace))?",
        json: bool,
        // In the file, in variables, or as flags.
        source in 0..3u8,
    ) {
        let micros = |micros| format!("{}us", micros);
        let mut given = vec![
            ("listen", format!("127.0.0.1:{}", ports.0)),
            ("admin_listen", format!("0.0.0.0:{}", ports.1)),
            ("allow_anonymous", "true".to_owned()),
            ("region", region.clone()),
            ("max_request_bytes", bytes.0.to_string()),
            ("max_concurrent_streams", format!("{streams}")),
            ("upstream.connect_timeout", format!("{}ms", spans.0)),
            ("upstream.attempt_timeout", format!("{}ms", spans.0 + spans.1)),
            ("upstream.operation_timeout", format!("{}ms", spans.0 + spans.1 + spans.2)),
            ("upstream.max_answer_bytes", bytes.1.to_string()),
            ("tapes.min_size_gib", min.to_string()),
            ("tapes.max_size_gib", (min + more_gib).to_string()),
            ("shutdown.delay", micros(waits.0)),
            ("shutdown.drain_timeout", micros(waits.1)),
            ("log.filter", filter),
            ("log.format", if json { "json" } else { "human" }.to_owned()),
        ];
        given.extend(account.clone().map(|account| ("account_id", account)));
        given.extend(endpoint.map(|endpoint| ("upstream.endpoint", endpoint)));

        let mut file = format!("regions = {:?}\n", more.iter().chain([&region]).collect::<std::collections::BTreeSet<_>>());
        file = file.replace('{', "[").replace('}', "]");
        if let Some(accounts) = accounts {
            // None of them means any, with or without one of its own.
            let own = account.iter().filter(|_| !accounts.is_empty());
            let all: std::collections::BTreeSet<_> = accounts.iter().chain(own).collect();
            writeln!(file, "accounts = {:?}", all.into_iter().collect::<Vec<_>>()).unwrap();
        }
        let mut call = Call::new("check");
        for (key, value) in given {
            let setting = SETTINGS.iter().find(|setting| setting.key() == key).unwrap();
            call = match source {
                0 => {
                    let quote = if setting.toml() == Toml::String { "\"" } else { "" };
                    writeln!(file, "{key} = {quote}{value}{quote}").unwrap();
                    call
                }
                1 => call.var(&setting.variable().unwrap(), value),
                _ => call.arg(format!("--{}={value}", setting.flag().unwrap())),
            };
        }
        let (config, document) = call.file(file).check();
        let (again, _) = Call::new("check").file(document.clone()).check();
        prop_assert_eq!(config, again, "{}", document);
    }

    #[test]
    fn no_file_makes_it_panic(file in any::<Vec<u8>>(), text in ".{0,200}", toml in "([a-z_.]{1,12} ?= ?(\"[^\"]*\"|[0-9-]{1,20}|true|\\[\\]|\\{\\})\n|\\[[a-z.]{1,9}\\]\n){0,6}") {
        for file in [file, text.into_bytes(), toml.into_bytes()] {
            drop(Call::serve().file(file).parse());
        }
    }
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

/// docs/configuration.md follows from the settings; `UPDATE_DOCS=1` writes it anew.
#[test]
fn the_reference_of_settings_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let wanted = reference();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "docs/configuration.md does not match the settings in src/config; write it anew with\n\
         UPDATE_DOCS=1 cargo test --test it the_reference_of_settings"
    );
}

fn reference() -> String {
    let mut page = include_str!("config/reference.md").to_owned();
    let mut section = None;
    for setting in SETTINGS {
        let (its_section, name) = setting.path();
        if section != Some(its_section) {
            section = Some(its_section);
            match its_section {
                "" => page.push_str("\n## Top of the file\n"),
                _ => write!(page, "\n## `[{its_section}]`\n").unwrap(),
            }
        }
        write!(page, "\n### `{name}`\n\n{}\n\n", setting.help()).unwrap();
        writeln!(page, "- Takes {}.", setting.takes()).unwrap();
        if let Some(default) = setting.default() {
            writeln!(page, "- Default: `{default}`.").unwrap();
        }
        match (setting.flag(), setting.variable()) {
            (Some(flag), Some(variable)) => {
                let short = flag
                    .strip_prefix("emulator-")
                    .map(|short| format!(" (`tapegate emulator`: `--{short}`)"));
                writeln!(
                    page,
                    "- Flag `--{flag}`{}, variable `{variable}`.",
                    short.unwrap_or_default()
                )
                .unwrap();
            }
            _ => page.push_str("- In the file alone.\n"),
        }
    }
    page
}
