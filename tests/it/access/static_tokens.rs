//! `tapegate token list` and `tapegate token revoke`, with a running service.

use std::{
    fs,
    os::unix::fs::symlink,
    process::{Command, Output},
};

use tapegate::grpc::proto::ListTapesRequest;

use crate::harness::{Service, Site, bearer, collect, eventually, refusal};

fn token(site: &Site, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tapegate"))
        .arg("token")
        .args(arguments)
        .arg(format!("--file={}", site.path("tokens.toml").display()))
        .output()
        .unwrap()
}

async fn list(service: &Service, token: &str) -> Result<(), String> {
    let mut client = bearer(service.channel(), Some(token));
    let listed = collect(client.list_tapes(ListTapesRequest::default()).await).await;
    listed.map(drop).map_err(|status| refusal(&status).reason)
}

#[tokio::test]
async fn a_running_service_rejects_a_revoked_token_and_no_other() {
    let site = Site::new();
    let revoked = site.token("agent-7", &["operators"]);
    let kept = site.token("agent-8", &["operators"]);
    let service = site.run(&site.config(), &[]).await;
    assert_eq!(list(&service, &revoked).await, Ok(()));

    let listed = token(&site, &["list"]);
    let text = String::from_utf8(listed.stdout).unwrap();
    assert!(text.contains("agent-7") && text.contains("operators"), "{text}");
    for secret in [&revoked, &kept] {
        // PREFIX_ID_SECRET; the secret can have further ones.
        let secret = secret.splitn(3, '_').nth(2).unwrap();
        assert!(!text.contains(secret), "{text}");
    }

    let missing = token(&site, &["revoke", "--name=agent-9"]);
    assert_eq!(missing.status.code(), Some(1));
    let told = String::from_utf8(missing.stderr).unwrap();
    assert!(told.contains(r#""agent-7", "agent-8""#), "{told}");

    assert!(token(&site, &["revoke", "--name=agent-7"]).status.success());
    eventually("the token is rejected", async || {
        list(&service, &revoked).await == Err("TOKEN_UNKNOWN".to_owned())
    })
    .await;
    assert_eq!(list(&service, &kept).await, Ok(()));
}

#[test]
fn a_path_that_is_no_file_is_neither_read_nor_replaced() {
    let site = Site::new();
    let pipe = site.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    symlink("nowhere.toml", site.path("link")).unwrap();
    let paths = [
        (pipe.as_path(), "it is a named pipe"),
        ("/dev/null".as_ref(), "it is a device"),
        (
            &site.path("link"),
            "it is a symbolic link to a file that does not exist",
        ),
        (&site.path("policies"), "it is a directory"),
    ];
    for (path, what) in paths {
        let before = fs::symlink_metadata(path).unwrap().file_type();
        for command in [
            &["list"][..],
            &["new", "--name=agent"],
            &["revoke", "--name=agent"],
        ] {
            let refused = Command::new(env!("CARGO_BIN_EXE_tapegate"))
                .arg("token")
                .args(command)
                .arg(format!("--file={}", path.display()))
                .output()
                .unwrap();
            let told = String::from_utf8(refused.stderr).unwrap();
            assert_eq!(refused.status.code(), Some(1), "{told}");
            assert!(
                told.contains(what) && told.contains(path.to_str().unwrap()),
                "{told}"
            );
            assert_eq!(fs::symlink_metadata(path).unwrap().file_type(), before);
        }
    }
    assert!(!site.path("nowhere.toml").exists());
}

#[test]
fn a_missing_file_and_an_empty_name_are_told_with_what_to_do() {
    let site = Site::new();
    fs::remove_file(site.path("tokens.toml")).unwrap();
    for command in [&["list"][..], &["revoke", "--name=agent"]] {
        let missing = token(&site, command);
        let told = String::from_utf8(missing.stderr).unwrap();
        assert_eq!(missing.status.code(), Some(1));
        assert!(
            told.contains("there is no file of tokens at ") && told.contains("tapegate token new"),
            "{told}"
        );
    }
    for command in [
        &["new", "--name="][..],
        &["new", "--name=agent", "--group="],
        &["revoke", "--name="],
        &["revoke", "--id="],
    ] {
        assert_eq!(token(&site, command).status.code(), Some(2), "{command:?}");
    }
    assert!(!site.path("tokens.toml").exists());
}

#[test]
fn the_list_of_tokens_is_in_columns() {
    let site = Site::new();
    for name in ["a", "a name that is long", "b\u{e9}"] {
        site.token(name, &["group"]);
    }
    let listed = String::from_utf8(token(&site, &["list"]).stdout).unwrap();
    let columns: Vec<_> = listed
        .lines()
        .map(|line| {
            line.chars()
                .rev()
                .position(|c| c == ' ')
                .map(|from_end| line.chars().count() - from_end)
        })
        .collect();
    assert_eq!(columns.len(), 4, "{listed}");
    assert!(columns.iter().all(|column| *column == columns[0]), "{listed}");
}
