//! Settings from flags, variables and a file: a configuration or everything wrong with it.

use std::{ffi::OsString, fs, process::Command, time::Duration};

use secrecy::ExposeSecret;
use tapegate_emulator::{
    Account, BarcodeScope, Config, ConfigFaults, Credentials, Flags, Role, Setting, Settings, Variables, cli,
};

/// A command line of the emulator, with its variables and its file.
#[derive(Clone, Default)]
pub(super) struct Call {
    arguments: Vec<OsString>,
    variables: Variables,
    file: Option<String>,
}

/// The name of the file in every message.
const FILE: &str = "emulator.toml";

impl Call {
    pub(super) fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    fn var(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    pub(super) fn file(mut self, content: impl Into<String>) -> Self {
        self.file = Some(content.into());
        self
    }

    fn read(&self, flags: Flags) -> Result<Config, ConfigFaults> {
        let directory = tempfile::tempdir().unwrap();
        let mut variables = self.variables.clone();
        if let Some(content) = &self.file {
            let path = directory.path().join(FILE);
            fs::write(&path, content).unwrap();
            variables.insert("TAPEGATE_EMULATOR_CONFIG".into(), path.into());
        }
        let command = clap::Command::new("emulator").args(flags.arguments());
        let name = OsString::from("emulator");
        let arguments = std::iter::once(&name).chain(&self.arguments);
        flags.read(&command.get_matches_from(arguments), &variables, |_| Vec::new())
    }

    pub(super) fn config(&self) -> Config {
        self.read(Flags::ALONE).unwrap()
    }

    /// Every fault, with the folder of the file taken off.
    fn faults(&self) -> Vec<String> {
        let faults = self.read(Flags::ALONE).unwrap_err().to_string();
        let shorten = |line: &str| match line.find(FILE) {
            Some(at) if line.starts_with('/') => line[at..].to_owned(),
            _ => line.to_owned(),
        };
        faults.lines().map(shorten).collect()
    }
}

#[test]
fn without_settings_an_emulator_is_that_of_the_library() {
    let config = Call::default().config();
    assert_eq!(config.listen.to_string(), "127.0.0.1:4588");
    assert_eq!(config.state, None);
    // Field by field, and with no secret to hide.
    assert_eq!(
        format!("{:#?}", config.settings),
        format!("{:#?}", Settings::default())
    );
}

#[test]
fn the_default_of_every_setting_is_valid_and_every_setting_says_what_it_takes() {
    for setting in Setting::all() {
        assert!(
            !setting.takes.is_empty() && !setting.help.is_empty(),
            "{setting:?}"
        );
        let Some(default) = setting.default else {
            continue;
        };
        let quote = match default.parse::<i64>().is_ok() || default.parse::<bool>().is_ok() {
            true if setting.key != "account_id" => "",
            _ => "'",
        };
        let line = format!("{} = {quote}{default}{quote}", setting.key);
        assert!(Call::default().file(&line).read(Flags::ALONE).is_ok(), "{line}");
    }
}

#[test]
fn a_flag_takes_precedence_over_a_variable_and_that_over_the_file() {
    // Every way of giving a setting in some of the three places.
    for given in 0..8u8 {
        let [in_file, in_variable, in_flag] = [1, 2, 4].map(|bit| given & bit != 0);
        let (mut call, mut wanted) = (Call::default(), 250);
        if in_file {
            (call, wanted) = (call.file("seed_tapes = 1"), 1);
        }
        if in_variable {
            (call, wanted) = (call.var("TAPEGATE_EMULATOR_SEED_TAPES", "2"), 2);
        }
        if in_flag {
            (call, wanted) = (call.arg("--seed-tapes=3"), 3);
        }
        assert_eq!(call.config().settings.seed_tapes, wanted, "{given:b}");
    }
}

#[test]
fn the_everyday_settings_are_flags_variables_and_keys() {
    let by_flag = Call::default()
        .arg("--listen=127.0.0.1:7")
        .arg("--seed-tapes=9")
        .arg("--time-scale=43200")
        .arg("--access-key-id=AKID")
        .arg("--secret-access-key=hush");
    let by_variable = Call::default()
        .var("TAPEGATE_EMULATOR_LISTEN", "127.0.0.1:7")
        .var("TAPEGATE_EMULATOR_SEED_TAPES", "9")
        .var("TAPEGATE_EMULATOR_TIME_SCALE", "43200")
        .var("TAPEGATE_EMULATOR_ACCESS_KEY_ID", "AKID")
        .var("TAPEGATE_EMULATOR_SECRET_ACCESS_KEY", "hush");
    let by_file = Call::default().file(
        "listen = '127.0.0.1:7'\nseed_tapes = 9\ntime_scale = 43200\naccess_key_id = 'AKID'\n\
         secret_access_key = 'hush'\n",
    );
    let in_dev = Call::default()
        .arg("--emulator-listen=127.0.0.1:7")
        .arg("--emulator-seed-tapes=9")
        .arg("--emulator-time-scale=43200")
        .arg("--emulator-access-key-id=AKID")
        .arg("--emulator-secret-access-key=hush");
    for config in [
        by_flag.config(),
        by_variable.config(),
        by_file.config(),
        in_dev.read(Flags::EMBEDDED).unwrap(),
    ] {
        assert_eq!(config.listen.to_string(), "127.0.0.1:7");
        assert_eq!(config.settings.seed_tapes, 9);
        assert_eq!(config.settings.time_scale, 43_200);
        let [credentials] = &config.settings.credentials[..] else {
            panic!("{:?}", config.settings.credentials);
        };
        assert_eq!(credentials.access_key_id, "AKID");
        assert_eq!(credentials.secret_access_key.expose_secret(), "hush");
    }
}

#[test]
fn the_file_is_named_by_a_flag_or_a_variable() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mine.toml");
    fs::write(&path, "barcode_scope = 'account'").unwrap();
    let call = Call::default()
        .arg(format!("--config={}", path.display()))
        .file("barcode_scope = 'region'");
    let config = call.config();
    assert_eq!(config.settings.undocumented.barcode_scope, BarcodeScope::Account);
    assert_eq!(
        Call::default().arg("--config=").faults(),
        ["--config: is empty; give the path of a TOML file, or leave it out"]
    );
    let missing = Call::default().arg("--config=/nowhere/x.toml").faults();
    assert!(
        missing[0].starts_with("/nowhere/x.toml: cannot be read: "),
        "{missing:?}"
    );
}

#[test]
fn everything_wrong_is_reported_at_once_with_its_place_and_what_is_right() {
    let call = Call::default()
        .file(
            "seed_tapes = -5\ntoken_scop = 'region'\ntoken_scope = 'regoin'\ncreating_time = 5\n\
             worm_when_false = 'yes'\ninternal_server_error_status = 404\n\
             tapes_per_page = 99999999999999999999\n[emulator]\nlisten = 'x'\n",
        )
        .arg("--listen=nowhere")
        .var("TAPEGATE_EMULATOR_ACCOUNT_ID", "12")
        .var("TAPEGATE_EMULATOR_SEED_TAPE", "1")
        .var("TAPEGATE_EMULATOR_CREATING_TIME", "5s")
        // Of Kubernetes.
        .var("TAPEGATE_EMULATOR_SERVICE_HOST", "10.0.0.1")
        .var("TAPEGATE_EMULATOR_PORT_4588_TCP_ADDR", "10.0.0.1");
    assert_eq!(
        call.faults(),
        [
            "emulator.toml:1:14: seed_tapes: -5 is wrong; it takes a whole number from 0 to 1000000",
            "emulator.toml:2:1: there is no setting \"token_scop\"; did you mean token_scope?",
            "emulator.toml:3:15: token_scope: \"regoin\" is wrong; it takes one of region, gateway, account",
            "emulator.toml:4:17: creating_time: 5 is wrong; it takes a duration from 0s to 30days, such as 500ms, \
             30s or 1m 30s",
            "emulator.toml:5:19: worm_when_false: \"yes\" is wrong; it takes a boolean",
            "emulator.toml:6:32: internal_server_error_status: 404 is wrong; it takes 500 or 400",
            "emulator.toml:7:18: tapes_per_page: \"99999999999999999999\" is wrong; it takes a whole number from 1 \
             to 100000",
            "emulator.toml:8:2: there is no section \"emulator\"; write every setting of the emulator at the top of \
             the file, without a section",
            "TAPEGATE_EMULATOR_ACCOUNT_ID: \"12\" is wrong; it takes an AWS account of 12 digits, such as 123456789012",
            "TAPEGATE_EMULATOR_CREATING_TIME: creating_time has no variable; set it in the file that \
             TAPEGATE_EMULATOR_CONFIG names",
            "TAPEGATE_EMULATOR_SEED_TAPE: there is no variable \"TAPEGATE_EMULATOR_SEED_TAPE\"; did you mean \
             TAPEGATE_EMULATOR_SEED_TAPES?",
            "--listen: \"nowhere\" is wrong; it takes an IP address and a port, such as 127.0.0.1:4588 or \
             [::1]:4588 (port 0: any free port)",
        ]
    );
    let broken = Call::default().file("listen = \nseed_tapes = 'x").faults();
    assert!(
        broken.len() == 2 && broken.iter().all(|fault| fault.contains("is not TOML: ")),
        "{broken:?}"
    );
}

#[test]
fn tables_of_a_file_describe_accounts_and_roles() {
    let config = Call::default()
        .file(
            "seed_tapes = 10\n[[account]]\nid = \"210987654321\"\nseed_tapes = 3\n\
             [[account]]\nid = \"333333333333\"\nregion = \"cn-north-1\"\n\
             [[role]]\narn = \"arn:aws:iam::210987654321:role/backup/Tapes\"\nexternal_id = \"vault-7\"\n\
             trusted_accounts = [\"123456789012\"]\nrefused_sessions = [\"pod-7\"]\nmax_session_duration = \"2h\"\n\
             [[role]]\narn = \"arn:aws-cn:iam::333333333333:role/Tapes\"\nrefused = true\n",
        )
        .config();
    let settings = config.settings;
    assert_eq!(
        settings.accounts,
        [
            Account {
                seed_tapes: Some(3),
                ..Account::new("210987654321")
            },
            Account {
                region: "cn-north-1".to_owned(),
                ..Account::new("333333333333")
            },
        ]
    );
    assert_eq!(
        settings.roles,
        [
            Role {
                external_id: Some("vault-7".to_owned()),
                trusted_accounts: Some(vec!["123456789012".to_owned()]),
                refused_sessions: vec!["pod-7".to_owned()],
                max_session_duration: Duration::from_secs(7_200),
                ..Role::new("arn:aws:iam::210987654321:role/backup/Tapes")
            },
            Role {
                refused: true,
                ..Role::new("arn:aws-cn:iam::333333333333:role/Tapes")
            },
        ]
    );
}

#[test]
fn everything_wrong_with_tables_is_reported_at_once() {
    let file = "[[account]]\nid = \"12\"\nregion = \"Mars\"\ncolor = 1\n\
                [[account]]\nid = \"333333333333\"\nregion = \"cn-north-1\"\n\
                [[account]]\nid = \"333333333333\"\n\
                [[role]]\narn = \"Tapes\"\nexternal_id = \"a\"\nmax_session_duration = \"13h\"\n\
                [[role]]\narn = \"arn:aws:iam::999999999999:role/Tapes\"\n\
                [[role]]\narn = \"arn:aws:iam::333333333333:role/Tapes\"\n";
    assert_eq!(
        Call::default().file(file).faults(),
        [
            "emulator.toml:1:1: account.color: is unknown; the members are id, region, seed_tapes",
            "emulator.toml:1:1: account.id: \"12\" is wrong; it takes an AWS account of 12 digits, such as 123456789012",
            "emulator.toml:1:1: account.region: \"Mars\" is wrong; it takes a region, such as us-east-1",
            "emulator.toml:8:1: account.id: 333333333333 has two tables; keep one",
            "emulator.toml:10:1: role.arn: \"Tapes\" is wrong; it takes the ARN of an IAM role, such as \
             arn:aws:iam::123456789012:role/Tapes",
            "emulator.toml:10:1: role.external_id: \"a\" is wrong; it takes 2 to 1224 letters, digits and \
             characters of _+=,.@:/-",
            "emulator.toml:10:1: role.max_session_duration: \"13h\" is wrong; it takes a duration from 1h to 12h, \
             such as 4h",
            "emulator.toml:14:1: role.arn: the emulator has no account 999999999999; add [[account]] with id = \
             \"999999999999\"",
            "emulator.toml:16:1: role.arn: the partition aws is not that of the region of account 333333333333; \
             change one of them",
        ]
    );
    assert_eq!(
        Call::default()
            .file("[account]\nid = \"210987654321\"\n")
            .faults(),
        ["emulator.toml:1:1: account: write each one as a table that begins with [[account]]"]
    );
}

#[test]
fn no_secret_is_ever_shown() {
    const SECRET: &str = "hush-hush-hush";
    let call = Call::default().var("TAPEGATE_EMULATOR_ACCESS_KEY_ID", "AKID");
    let set = call.clone().var("TAPEGATE_EMULATOR_SECRET_ACCESS_KEY", SECRET);
    for flags in [Flags::ALONE, Flags::EMBEDDED] {
        let shown = format!("{:?}", set.read(flags));
        assert!(shown.contains("AKID") && !shown.contains(SECRET), "{shown}");
    }
    // Nor a wrong one.
    let wrong = call.var(
        "TAPEGATE_EMULATOR_SECRET_ACCESS_KEY",
        format!("{SECRET} {SECRET}"),
    );
    let faults = wrong.faults();
    assert!(
        faults[0].starts_with("TAPEGATE_EMULATOR_SECRET_ACCESS_KEY: the value (not shown) is wrong"),
        "{faults:?}"
    );
    assert!(!format!("{:?}", wrong.read(Flags::ALONE)).contains(SECRET));
    // Nor by a syntax error on its line.
    let file = format!("access_key_id = 'AKID'\nsecret_access_key = '{SECRET}', x");
    let broken = Call::default().file(file).faults();
    assert!(!broken.concat().contains(SECRET), "{broken:?}");
}

#[test]
fn both_halves_of_the_pair_are_set_or_neither() {
    assert_eq!(
        Call::default().file("access_key_id = 'AKID'").faults(),
        ["secret_access_key: is not set, but access_key_id is; set both or neither"]
    );
    assert_eq!(
        Call::default().arg("--secret-access-key=hush").faults(),
        ["access_key_id: is not set, but secret_access_key is; set both or neither"]
    );
}

#[test]
fn help_names_the_everyday_settings_with_default_and_variable() {
    let help = cli::command("emulator").render_help().to_string();
    for part in [
        "--listen <ADDRESS>",
        "default 250; TAPEGATE_EMULATOR_SEED_TAPES",
        "--config <FILE>",
        "TAPEGATE_EMULATOR_CONFIG",
        "--log-filter <FILTER>",
        "TAPEGATE_LOG_FORMAT",
    ] {
        assert!(help.contains(part), "no {part} in\n{help}");
    }
    assert!(!help.contains("--token-scope"));
}

#[test]
fn a_minimum_is_not_above_its_maximum() {
    assert_eq!(
        Call::default()
            .file("max_tape_size_gib = 99\nmin_retrieving_time_glacier = '6h'")
            .faults(),
        [
            "emulator.toml:1:21: max_tape_size_gib: 99 is below min_tape_size_gib (100); raise it",
            "emulator.toml:2:31: min_retrieving_time_glacier: 6h is above max_retrieving_time_glacier (5h); lower it",
        ]
    );
}

#[test]
fn fault_rules_are_read_from_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("faults.json");
    let call = |text: &str| {
        fs::write(&path, text).unwrap();
        Call::default().arg(format!("--faults={}", path.display()))
    };

    let right = call(r#"[{"kind": "reset", "when": "after"}, {"kind": "hang", "share": 0.1}]"#);
    let settings = right.arg("--fault-seed=7").config().settings;
    assert_eq!(settings.faults.len(), 2);
    assert_eq!(settings.fault_seed, 7);

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

    assert!(call("{").faults()[0].contains("the rules are not JSON"));
    fs::remove_file(&path).unwrap();
    let missing = Call::default().arg(format!("--faults={}", path.display()));
    assert!(
        missing.faults()[0].contains("cannot read "),
        "{:?}",
        missing.faults()
    );
}

#[test]
fn credentials_are_read_from_a_shared_credentials_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("credentials");
    let call = |text: &str| {
        fs::write(&path, text).unwrap();
        Call::default().arg(format!("--credentials={}", path.display()))
    };

    let text = "# of the tests\n\
                [default]\naws_access_key_id = AKIDONE\naws_secret_access_key=one/+= # a comment\nregion = x\n\n\
                [short-lived]\r\nAWS_ACCESS_KEY_ID=ASIATWO\r\n\taws_secret_access_key = two\r\n; another\r\n\
                aws_session_token = a/token==";
    let shown = |all: &[Credentials]| {
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
    let config = call(text).config();
    assert_eq!(shown(&config.settings.credentials), of_file);
    let with_pair = call(text)
        .arg("--access-key-id=AKIDOWN")
        .var("TAPEGATE_EMULATOR_SECRET_ACCESS_KEY", "hush")
        .config();
    let all = shown(&with_pair.settings.credentials);
    assert_eq!(all[0].0, with_pair.pair.unwrap().access_key_id);
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
    let faults = call(wrong).faults();
    let expected = [
        "line 1: is before the first profile",
        "line 2: begins with [ and does not end with ]",
        "line 4: profile two: aws_access_key_id (not shown) is wrong; it takes",
        "line 5: profile two: aws_secret_access_key (not shown) is wrong; it takes",
        "line 6: is not of the form name = value",
        "line 9: profile three has aws_secret_access_key twice",
        "line 10: profile three: aws_session_token (not shown) is wrong; it takes",
        "line 7: profile three has no aws_access_key_id",
        "line 11: the name of a profile has no spaces",
        "line 11: profile profile four has no aws_secret_access_key",
        "line 13: profile three appears twice",
        "line 13: profile three has no aws_access_key_id",
        "line 13: profile three has no aws_secret_access_key",
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
    let twice = call(&format!("[one]\n{pair}[two]\n{pair}"));
    assert!(
        twice.faults()[0].ends_with("profile two has the same access key id as profile one"),
        "{:?}",
        twice.faults()
    );
    let twice = call(&format!("[one]\n{pair}"))
        .arg("--access-key-id=AKIDONE")
        .var("TAPEGATE_EMULATOR_SECRET_ACCESS_KEY", "hush");
    assert!(
        twice.faults()[0].ends_with("profile one has the same access key id as the emulator's own pair"),
        "{:?}",
        twice.faults()
    );
    let empty = call("# nobody\n").faults();
    assert!(
        empty[0].ends_with("has no profile; one begins with [NAME]"),
        "{empty:?}"
    );
    fs::remove_file(&path).unwrap();
    let missing = Call::default().arg(format!("--credentials={}", path.display()));
    assert!(
        missing.faults()[0].contains("cannot be read: "),
        "{:?}",
        missing.faults()
    );
}

#[test]
fn a_named_pipe_is_not_opened() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for flag in ["--config", "--credentials", "--faults"] {
        let faults = Call::default().arg(format!("{flag}={}", pipe.display())).faults();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].contains("it is not a regular file"), "{faults:?}");
    }
}

/// The program reads all variables that begin with `TAPEGATE_`, so one that it does not know is misspelt.
#[test]
fn a_misspelt_variable_of_the_program_is_a_fault() {
    let run = |variables: &[(&str, &str)]| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_tapegate-emulator"));
        program.env_clear().envs(variables.iter().copied());
        program.arg("--listen=nowhere").output().unwrap()
    };
    let told = run(&[
        ("TAPEGATE_EMULATR_SEED_TAPES", "7"),
        ("TAPEGATE_LOG_FILTR", "warn"),
        ("TAPEGATE_EMULATOR_SEED_TAPE", "7"),
        // Of Kubernetes, for a Service of this name; and empty, so not set.
        ("TAPEGATE_PORT", "tcp://10.0.0.1:50051"),
        ("TAPEGATE_SERVICE_HOST", "10.0.0.1"),
        ("TAPEGATE_LOG_FORMATS", ""),
    ]);
    assert_eq!(told.status.code(), Some(2));
    let told = String::from_utf8(told.stderr).unwrap();
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines.len(), 4, "{told}");
    for (line, part) in lines.iter().zip([
        "TAPEGATE_EMULATOR_SEED_TAPE: ",
        "TAPEGATE_EMULATR_SEED_TAPES: there is no variable \"TAPEGATE_EMULATR_SEED_TAPES\"; did you mean TAPEGATE_EMULATOR_SEED_TAPES?",
        "TAPEGATE_LOG_FILTR: there is no variable \"TAPEGATE_LOG_FILTR\"; did you mean TAPEGATE_LOG_FILTER?",
        "--listen: ",
    ]) {
        assert!(line.starts_with(part), "{part} in {told}");
    }
}
