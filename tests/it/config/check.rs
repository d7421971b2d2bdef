//! The output of `tapegate check`.

use std::fmt::Write;

use proptest::prelude::*;

use super::*;

#[test]
fn check_prints_the_origin_of_each_value() {
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

#[test]
fn check_prints_what_is_reached_without_a_proxy() {
    let call = Call::new("check")
        .arg("--allow-anonymous")
        .arg("--region=us-east-1")
        .var("NO_PROXY", "10.0.0.0/8,.corp.example");
    assert!(!call.check().1.contains("without a proxy"));
    let (_, document) = call.var("HTTPS_PROXY", "http://proxy.example:3128").check();
    let line =
        "# without a proxy: loopback and link-local addresses, 10.0.0.0/8, corp.example and its subdomains";
    assert!(document.lines().any(|found| found == line), "{document}");
}

#[test]
fn check_warns_of_a_profile_that_is_in_no_aws_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name| folder.path().join(name);
    std::fs::write(path("config"), "[profile there]\n").unwrap();
    std::fs::write(path("credentials"), "[keys]\naws_access_key_id = AKIDEXAMPLE\n").unwrap();
    let advice = |profile: &str| {
        let account = format!(
            "[[account]]\nid = '123456789012'\nrole = 'arn:aws:iam::123456789012:role/tapegate'\nprofile = '{profile}'\n"
        );
        let call = Call::new("check")
            .arg("--allow-anonymous")
            .arg("--region=us-east-1")
            .var("AWS_CONFIG_FILE", path("config"))
            .var("AWS_SHARED_CREDENTIALS_FILE", path("credentials"))
            .file(account);
        match call.parse() {
            Ok(Command::Check(checked)) => checked.warnings().to_string(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(advice("there"), "");
    assert_eq!(advice("keys"), "");
    let searched = format!(
        "{} or {}",
        path("config").display(),
        path("credentials").display()
    );
    assert_eq!(
        advice("gone"),
        format!(
            "warning: account.profile: profile gone of account 123456789012 is not in {searched}; correct the name, or \
             write the profile\n"
        )
    );
}

#[test]
fn a_variable_of_two_settings_has_each_fault_once() {
    let faults = Call::serve().var("AWS_ENDPOINT_URL", "ftp://a.example").faults();
    let told = faults
        .iter()
        .filter(|fault| fault.starts_with("AWS_ENDPOINT_URL"));
    assert_eq!(told.count(), 1, "{faults:?}");
}

proptest! {
    #[test]
    fn check_prints_a_file_that_gives_the_same_settings(
        ports in (0..=u16::MAX, 0..=u16::MAX).prop_filter("two", |(a, b)| a != b),
        region in "[a-z0-9-]{1,64}",
        more in proptest::collection::btree_set("[a-z]{2}-[a-z]{4}-[0-9]", 0..4),
        account in proptest::option::of("[0-9]{12}"),
        accounts in proptest::option::of(proptest::collection::btree_set("[0-9]{12}", 0..2)),
        endpoint in proptest::option::of("https?://[a-z]{1,9}(:[1-9][0-9]{0,3})?/?"),
        spans in (1..=60_000u64, 0..=540_000u64, 0..=3_000_000u64),
        waits in (0..=600_000_000u64, 0..=3_600_000_000u64),
        (min, more_gib) in (1..=1_000_000_000i64, 0..=7_000_000_000i64),
        bytes in (65_536..=4_194_304u32, 1024..=1_073_741_824u32),
        streams in 1..=10_000u32,
        filter in "(info|warn|off)(,[a-z_]{1,8}=(debug|trace))?",
        json: bool,
        // The file, variables, or flags.
        source in 0..3u8,
    ) {
        let micros = |micros| format!("{}us", micros);
        let mut given = vec![
            ("listen", format!("127.0.0.1:{}", ports.0)),
            ("admin_listen", format!("[::1]:{}", ports.1)),
            ("allow_anonymous", "true".to_owned()),
            ("region", region.clone()),
            ("max_request_bytes", bytes.0.to_string()),
            ("max_concurrent_streams", format!("{streams}")),
            ("upstream.connect_timeout", format!("{}ms", spans.0)),
            ("upstream.attempt_timeout", format!("{}ms", spans.0 + spans.1)),
            ("upstream.operation_timeout", format!("{}ms", spans.0 + spans.1 + spans.2)),
            ("upstream.create_timeout", format!("{}ms", spans.0 + spans.1)),
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
            // An empty list allows any account, also if there is an `account_id`.
            let only = accounts.iter().map(|any| account.as_ref().unwrap_or(any));
            writeln!(file, "accounts = {:?}", only.collect::<Vec<_>>()).unwrap();
        }
        let mut call = Call::new("check");
        for (key, value) in given {
            let setting = SETTINGS.iter().find(|setting| setting.key() == key).unwrap();
            call = match source {
                0 => {
                    let quote = if setting.toml() == TomlType::String { "\"" } else { "" };
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
    fn no_file_causes_a_panic(file in any::<Vec<u8>>(), text in ".{0,200}", toml in "([a-z_.]{1,12} ?= ?(\"[^\"]*\"|[0-9-]{1,20}|true|\\[\\]|\\{\\})\n|\\[[a-z.]{1,9}\\]\n){0,6}") {
        for file in [file, text.into_bytes(), toml.into_bytes()] {
            drop(Call::serve().file(file).parse());
        }
    }
}
