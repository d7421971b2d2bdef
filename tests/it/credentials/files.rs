//! Credentials from the files of AWS and from servers: they are read again when they change, and the
//! cause of a failure is shown.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{Router, http::StatusCode};
use serde_json::{Value, json};
use tapegate::grpc::proto::{ListTapesRequest, tape_service_client::TapeServiceClient};
use tonic::{Code, transport::Channel};

use crate::harness::{HttpServer, Program, Reply, Upstream, eventually, get, refusal};

pub(super) async fn upstream() -> Upstream {
    Upstream::answering(|_| async { Reply::ok(&json!({"TapeInfos": []})) }).await
}

/// The program with this home directory and these variables. A failure to get credentials is not
/// tried again by itself, and files are checked often.
pub(super) fn program(upstream: &Upstream, home: &Path, variables: &[(&str, &str)]) -> Program {
    let endpoint = format!("--upstream-endpoint={}", upstream.endpoint());
    let arguments = [
        "serve",
        "--allow-anonymous",
        "--region=us-east-1",
        "--reload-interval=20ms",
        "--upstream-credentials-pause=1h",
        &endpoint,
    ];
    let home = home.display().to_string();
    // No metadata service is asked.
    let ours = [("HOME", home.as_str()), ("AWS_EC2_METADATA_DISABLED", "true")];
    Program::start(&arguments, ours.into_iter().chain(variables.iter().copied()))
}

fn write_keys(home: &Path, id: &str) {
    fs::create_dir_all(home.join(".aws")).unwrap();
    let text = format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = secret-of-the-tests\n");
    // As a secret that is mounted: the file is replaced.
    fs::write(home.join("new"), text).unwrap();
    fs::rename(home.join("new"), home.join(".aws/credentials")).unwrap();
}

/// A profile whose credentials are those that a process prints.
fn write_process(home: &Path, id: &str) {
    fs::create_dir(home.join(".aws")).unwrap();
    let answer = json!({"Version": 1, "AccessKeyId": id, "SecretAccessKey": "secret"});
    fs::write(home.join("answer.json"), answer.to_string()).unwrap();
    let text = format!(
        "[default]\ncredential_process = /bin/cat {}/answer.json\n",
        home.display()
    );
    fs::write(home.join(".aws/config"), text).unwrap();
}

pub(super) async fn list(client: &mut TapeServiceClient<Channel>, limit: i32) -> Result<(), tonic::Status> {
    let request = ListTapesRequest {
        limit,
        ..Default::default()
    };
    let mut pages = client.list_tapes(request).await?.into_inner();
    pages.message().await.map(drop)
}

/// The reasons of `/readyz`, in one text.
pub(super) async fn not_ready_because(program: &Program) -> String {
    let (_, text) = get(&format!("{}/readyz", program.admin)).await;
    let page: Value = serde_json::from_str(&text).unwrap();
    page["reasons"].to_string()
}

#[tokio::test]
async fn keys_that_rotate_in_a_file_under_load_fail_no_call() {
    let (home, upstream) = (tempfile::tempdir().unwrap(), upstream().await);
    write_keys(home.path(), "AKIDNUMBER0");
    let program = program(&upstream, home.path(), &[]);
    let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
    let mut limit = 0;
    for number in 0..5 {
        let id = format!("AKIDNUMBER{number}");
        write_keys(home.path(), &id);
        eventually("the new keys sign", async || {
            limit += 1;
            list(&mut client, limit).await.unwrap();
            upstream.asked().last().unwrap().access_key_id == id
        })
        .await;
    }
    assert_eq!(not_ready_because(&program).await, "[]");
}

#[tokio::test]
async fn a_file_that_appears_after_the_start_is_read() {
    let (home, upstream) = (tempfile::tempdir().unwrap(), upstream().await);
    let mut program = program(&upstream, home.path(), &[]);
    program.logged("no AWS credentials").await;
    assert!(
        not_ready_because(&program)
            .await
            .contains("aws_credentials_missing")
    );
    write_keys(home.path(), "AKIDLATE");
    eventually("it is ready", async || not_ready_because(&program).await == "[]").await;
    let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
    list(&mut client, 1).await.unwrap();
    assert_eq!(upstream.asked()[0].access_key_id, "AKIDLATE");
}

#[tokio::test]
async fn the_previous_keys_stay_in_force_while_changed_files_have_none() {
    let (home, upstream) = (tempfile::tempdir().unwrap(), upstream().await);
    write_keys(home.path(), "AKIDGOOD");
    let mut program = program(&upstream, home.path(), &[]);
    let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
    let credentials = home.path().join(".aws/credentials");
    let config = home.path().join(".aws/config");
    let broken = [
        (&credentials, "[default\n", "line 1"),
        (&credentials, "", "profile default is neither in "),
        // A profile that nobody uses.
        (&config, "[profile other]\nnonsense\n", "line 2"),
    ];
    for (number, (file, text, part)) in broken.into_iter().enumerate() {
        fs::write(file, text).unwrap();
        let line = program.logged("the previous version stays in force").await;
        assert!(line.contains("what=\"aws\"") && line.contains(part), "{line}");
        list(&mut client, i32::try_from(number).unwrap() + 1)
            .await
            .unwrap();
        assert_eq!(not_ready_because(&program).await, "[]");
        let (_, metrics) = get(&format!("{}/metrics", program.admin)).await;
        assert!(
            metrics.contains("tapegate_files_broken{tapegate_setting=\"aws\"} 1"),
            "{metrics}"
        );
        let _ = fs::remove_file(&config);
        write_keys(home.path(), "AKIDGOOD");
        program.logged("loaded changed files").await;
    }
    assert!(
        upstream
            .asked()
            .iter()
            .all(|asked| asked.access_key_id == "AKIDGOOD")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_is_named_and_missing_is_no_reason_to_use_another_identity() {
    let (home, upstream) = (tempfile::tempdir().unwrap(), upstream().await);
    let credentials = json!({
        "AccessKeyId": "AKIDCONTAINER", "SecretAccessKey": "secret", "Token": "token",
        "Expiration": "2999-01-01T00:00:00Z",
    });
    let answer = move || std::future::ready(credentials.to_string());
    let server = HttpServer::start(Router::new().fallback(answer)).await;
    let url = format!("{}/credentials", server.url);
    let variables = [
        ("AWS_PROFILE", "misspelt"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url),
    ];
    let mut program = program(&upstream, home.path(), &variables);
    let line = program.logged("no AWS credentials").await;
    assert!(line.contains("profile misspelt is neither in "), "{line}");
}

#[tokio::test]
async fn a_process_that_hangs_is_not_the_fault_of_aws_and_runs_once() {
    let (home, upstream) = (tempfile::tempdir().unwrap(), upstream().await);
    fs::create_dir(home.path().join(".aws")).unwrap();
    let script = format!("echo >> {}/runs; exec sleep 20", home.path().display());
    fs::write(home.path().join("hang.sh"), script).unwrap();
    let text = format!(
        "[default]\ncredential_process = /bin/sh {}/hang.sh\n",
        home.path().display()
    );
    fs::write(home.path().join(".aws/config"), text).unwrap();
    let program = program(&upstream, home.path(), &[]);
    let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
    for limit in 1..3 {
        let status = list(&mut client, limit).await.unwrap_err();
        let told = refusal(&status);
        assert_eq!(
            (told.code, told.reason.as_str()),
            (Code::Unavailable, "NO_AWS_CREDENTIALS")
        );
    }
    let reasons = not_ready_because(&program).await;
    assert!(
        reasons.contains("did not answer within 3s") || reasons.contains("waiting for"),
        "{reasons}"
    );
    assert_eq!(
        fs::read_to_string(home.path().join("runs"))
            .unwrap()
            .lines()
            .count(),
        1
    );
}

#[tokio::test]
async fn what_a_process_writes_to_its_standard_error_is_not_shown() {
    let (home, upstream) = (tempfile::tempdir().unwrap(), upstream().await);
    fs::create_dir(home.path().join(".aws")).unwrap();
    let text = "[default]\ncredential_process = /bin/sh -c 'echo the-secret >&2; exit 3'\n";
    fs::write(home.path().join(".aws/config"), text).unwrap();
    let mut program = program(&upstream, home.path(), &[]);
    // On a busy machine, the process may not have ended before the first line.
    let lines = program.logged_until("its standard error is not shown").await;
    let reasons = not_ready_because(&program).await;
    assert!(reasons.contains("its standard error is not shown"), "{reasons}");
    for shown in lines.iter().chain([&reasons]) {
        assert!(!shown.contains("the-secret"), "{shown}");
    }
}

/// Why there are no credentials, and what an operator has to be told.
struct Case {
    name: &'static str,
    config: &'static str,
    variables: &'static [(&'static str, &'static str)],
    parts: &'static [&'static str],
}

#[tokio::test]
async fn the_cause_is_shown_with_file_and_line_each_time() {
    let upstream = upstream().await;
    const SITE: &[(&str, &str)] = &[("AWS_PROFILE", "site")];
    let cases = [
        Case {
            name: "nothing",
            config: "",
            variables: &[],
            parts: &[
                "environment variables: ",
                "profile default is neither in ",
                "container: ",
            ],
        },
        Case {
            name: "no such profile",
            config: "[profile other]\nregion = us-east-1\n",
            variables: SITE,
            parts: &["profile site is neither in "],
        },
        Case {
            name: "half a key",
            config: "[default]\nregion = us-east-1\n\n[profile site]\naws_access_key_id = AKID\n",
            variables: SITE,
            parts: &["profile site at ", "/.aws/config:4", "aws_secret_access_key"],
        },
        Case {
            name: "no source",
            config: "[profile site]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = base\n",
            variables: SITE,
            parts: &["/.aws/config:1", "base"],
        },
        Case {
            name: "a syntax error",
            config: "[profile site]\nnonsense\n",
            variables: SITE,
            parts: &["line 2", "/.aws/config"],
        },
        Case {
            name: "a missing token",
            config: "",
            variables: &[
                ("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token"),
                ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/x"),
            ],
            parts: &[
                "web identity (AWS_WEB_IDENTITY_TOKEN_FILE=/nowhere/token)",
                "No such file",
            ],
        },
        Case {
            name: "a process that fails",
            config: "[default]\ncredential_process = /bin/sh -c 'exit 3'\n",
            variables: &[],
            parts: &["/.aws/config:1", "exit status"],
        },
    ];
    for Case {
        name,
        config,
        variables,
        parts,
    } in cases
    {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(".aws")).unwrap();
        fs::write(home.path().join(".aws/config"), config).unwrap();
        let mut program = program(&upstream, home.path(), variables);
        let line = program.logged("no AWS credentials").await;
        let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
        // The second and the third attempt have the same cause as the first.
        for limit in 1..3 {
            list(&mut client, limit).await.unwrap_err();
        }
        let reasons = not_ready_because(&program).await;
        for part in parts {
            assert!(line.contains(part), "{name}: no {part} in {line}");
            assert!(reasons.contains(part), "{name}: no {part} in {reasons}");
        }
    }
}

#[tokio::test]
async fn a_process_of_the_profile_provides_credentials() {
    let (home, upstream) = (tempfile::tempdir().unwrap(), upstream().await);
    write_process(home.path(), "AKIDPROCESS");
    let program = program(&upstream, home.path(), &[]);
    let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
    list(&mut client, 1).await.unwrap();
    assert_eq!(upstream.asked()[0].access_key_id, "AKIDPROCESS");
}

#[tokio::test]
async fn a_line_end_in_a_credential_is_told_and_panics_nothing() {
    let (home, upstream) = (tempfile::tempdir().unwrap(), upstream().await);
    write_process(home.path(), "AKIDPROCESS\n");
    let mut program = program(&upstream, home.path(), &[]);
    let line = program.logged("no AWS credentials").await;
    assert!(
        line.contains("the access key id is empty, or has characters"),
        "{line}"
    );
}

// The server has to answer while the program starts, which this test waits for.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_credentials_that_fails_before_they_expire_fails_no_call() {
    let (home, upstream) = (tempfile::tempdir().unwrap(), upstream().await);
    let asked = Arc::new(AtomicU32::new(0));
    let count = asked.clone();
    let answer = move || {
        let number = count.fetch_add(1, Ordering::Relaxed);
        let in_a_minute = jiff::Timestamp::now() + Duration::from_secs(60);
        let credentials = json!({
            "AccessKeyId": "AKIDFIRST", "SecretAccessKey": "secret", "Token": "token",
            // The cache of the SDK asks again ten seconds before the end; it is always that time here.
            "Expiration": (in_a_minute - Duration::from_secs(47)).strftime("%FT%TZ").to_string(),
        });
        async move {
            match number {
                0 => Ok(credentials.to_string()),
                _ => Err(StatusCode::INTERNAL_SERVER_ERROR),
            }
        }
    };
    let server = HttpServer::start(Router::new().fallback(answer)).await;
    let url = format!("{}/credentials", server.url);
    let program = program(
        &upstream,
        home.path(),
        &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url)],
    );
    let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
    for limit in 1..4 {
        let listed = list(&mut client, limit).await;
        assert!(listed.is_ok(), "{}", not_ready_because(&program).await);
    }
    assert!(asked.load(Ordering::Relaxed) > 1);
    assert!(
        upstream
            .asked()
            .iter()
            .all(|asked| asked.access_key_id == "AKIDFIRST")
    );
}

#[tokio::test]
async fn a_named_pipe_in_place_of_a_token_stops_no_probe_and_no_other_call() {
    for is_in_profile in [false, true] {
        let (home, upstream) = (tempfile::tempdir().unwrap(), upstream().await);
        let token = home.path().join("token");
        fs::write(&token, "a token").unwrap();
        let role = "arn:aws:iam::123456789012:role/x";
        let file = token.display().to_string();
        let mut variables = vec![("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")];
        if is_in_profile {
            fs::create_dir(home.path().join(".aws")).unwrap();
            let text = format!("[default]\nrole_arn = {role}\nweb_identity_token_file = {file}\n");
            fs::write(home.path().join(".aws/config"), text).unwrap();
        } else {
            variables.extend([
                ("AWS_WEB_IDENTITY_TOKEN_FILE", file.as_str()),
                ("AWS_ROLE_ARN", role),
            ]);
        }
        let mut program = program(&upstream, home.path(), &variables);
        program.logged("no AWS credentials").await;
        fs::remove_file(&token).unwrap();
        assert!(
            std::process::Command::new("mkfifo")
                .arg(&token)
                .status()
                .unwrap()
                .success()
        );
        let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
        // More than there are threads.
        let calls = (1..20).map(|limit| {
            let mut client = client.clone();
            tokio::spawn(async move { list(&mut client, limit).await })
        });
        for call in calls.collect::<Vec<_>>() {
            let status = call.await.unwrap().unwrap_err();
            assert_eq!(refusal(&status).reason, "NO_AWS_CREDENTIALS");
        }
        assert_eq!(get(&format!("{}/livez", program.admin)).await.0, 200);
        let status = list(&mut client, 30).await.unwrap_err();
        assert_eq!(refusal(&status).reason, "NO_AWS_CREDENTIALS");
        program.ask_to_stop();
        assert_eq!(program.ended().await.0, Some(0));
    }
}
