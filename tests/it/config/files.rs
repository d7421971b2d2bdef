//! The files that settings and variables name: each is opened at the start, and is a regular file.

use std::{os::unix::fs::symlink, path::PathBuf, process::Command};

use super::*;
use crate::harness::Site;

fn named_pipe(path: PathBuf) -> PathBuf {
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

/// To open a named pipe would wait for ever.
#[test]
fn a_named_pipe_in_place_of_a_file_is_a_fault_of_its_setting() {
    let site = Site::new();
    let pipe = named_pipe(site.path("pipe"));
    symlink("pipe", site.path("link")).unwrap();
    let link = site.path("link");
    named_pipe(site.path("policies/pipe.cedar"));
    let config = format!(
        r#"
region = "us-east-1"
account_id = "123456789012"
[[auth.jwt]]
issuer = "a"
audience = "b"
jwks = {pipe:?}
[[auth.jwt]]
issuer = "c"
audience = "d"
jwks = "https://keys.example"
jwks_ca = {pipe:?}
jwks_token_file = {pipe:?}
"#
    );
    let mut call = Call::new("check").file(config);
    let settings = [
        "tls-cert",
        "tls-key",
        "tls-client-ca",
        "auth-tokens-file",
        "audit-file",
    ];
    for flag in settings {
        call = call.arg(format!("--{flag}={}", link.display()));
    }
    call = call.arg(format!("--policy-path={}", site.path("policies").display()));
    let variables = [
        "AWS_CA_BUNDLE",
        "AWS_CONFIG_FILE",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "SSL_CERT_FILE",
    ];
    for name in variables {
        call = call.var(name, &pipe);
    }
    let faults = call.faults();
    let keys = ["jwks", "jwks_ca", "jwks_token_file"].map(|key| format!(": auth.jwt.{key}: "));
    let flags = settings.map(|flag| format!("--{flag}: "));
    let places = keys.into_iter().chain(flags);
    let places: Vec<_> = places
        .chain(["--policy-path: ".to_owned()])
        .chain(variables.map(|name| format!("{name}: ")))
        .collect();
    assert_eq!(faults.len(), places.len(), "{faults:#?}");
    for place in &places {
        let fault = faults.iter().find(|fault| fault.contains(place));
        let fault = fault.unwrap_or_else(|| panic!("no {place} in {faults:#?}"));
        assert!(
            fault.contains(site.path("").to_str().unwrap())
                && fault.contains("it is a named pipe, not a regular file"),
            "{fault}"
        );
    }
}

#[test]
fn a_named_pipe_in_the_home_of_aws_files_is_a_fault() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(".aws")).unwrap();
    for name in ["config", "credentials"] {
        named_pipe(home.path().join(".aws").join(name));
    }
    let faults = Call::serve().var("HOME", home.path()).faults();
    assert_eq!(faults.len(), 2, "{faults:#?}");
    assert!(
        faults.iter().all(|fault| fault.contains("it is a named pipe")),
        "{faults:#?}"
    );
    // A home that cannot have files, as that of a service has none.
    Call::serve().var("HOME", "/dev/null").config();
}

#[test]
fn the_configuration_is_a_regular_file() {
    for (path, what) in [("/dev/null", "a device"), ("/", "a directory")] {
        assert_faults(
            &Call::serve().arg("--config").arg(path),
            &[(&format!("{path}: cannot be read: it is {what}"), "TOML file")],
        );
    }
}

#[test]
fn check_opens_the_audit_file_and_makes_and_changes_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let with = |name: &str| Call::serve().arg(format!("--audit-file={}", path(name).display()));
    with("audit.jsonl").config();
    assert!(!path("audit.jsonl").exists());

    fs::write(path("old.jsonl"), "a record\n").unwrap();
    let before = fs::metadata(path("old.jsonl")).unwrap().modified().unwrap();
    with("old.jsonl").config();
    assert_eq!(fs::read_to_string(path("old.jsonl")).unwrap(), "a record\n");
    assert_eq!(
        fs::metadata(path("old.jsonl")).unwrap().modified().unwrap(),
        before
    );

    assert_faults(
        &with("missing/audit.jsonl"),
        &[(
            "--audit-file: ",
            "missing/audit.jsonl cannot be written: No such file",
        )],
    );
    assert_faults(&with("old.jsonl/x"), &[("--audit-file: ", "Not a directory")]);
}
