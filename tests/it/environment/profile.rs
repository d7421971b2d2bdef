//! The AWS profile: what it says beside credentials acts and is shown, or is a fault with its line.

use std::{fs, process::Command};

use tapegate::grpc::proto::{ListTapesRequest, tape_service_client::TapeServiceClient};

use crate::harness::{Program, Service, collect};

const KEYS: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "AKIDTEST"),
    ("AWS_SECRET_ACCESS_KEY", "secret-of-the-tests"),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_endpoint_of_a_profile_is_called_and_shown() {
    let upstream = Service::dev(&[]).await;
    let url = format!("http://{}", upstream.emulator.unwrap());
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config");
    let text = format!(
        "[profile site]\nretry_mode = legacy\nmax_attempts = 0\nservices = mine\n\
         [services mine]\nstorage_gateway =\n  endpoint_url = {url}\n"
    );
    fs::write(&file, text).unwrap();
    let config = file.display().to_string();
    let variables = [("AWS_CONFIG_FILE", config.as_str()), ("AWS_PROFILE", "site")];
    let arguments = ["serve", "--allow-anonymous", "--region=us-east-1"];
    let mut program = Program::start(&arguments, variables.into_iter().chain(KEYS));
    let line = program.logged("a variable has no effect").await;
    assert!(line.contains(&format!("max_attempts at {config}:3")), "{line}");
    let line = program.logged("the service has started").await;
    assert!(line.contains(&format!("{url}/ ({config}:7:1)")), "{line}");
    let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
    let pages = collect(client.list_tapes(ListTapesRequest::default()).await).await;
    assert!(!pages.unwrap().is_empty());
}

#[test]
fn what_a_profile_cannot_say_is_told_with_its_line() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(".aws")).unwrap();
    let file = home.path().join(".aws/config");
    fs::write(
        &file,
        "[default]\nuse_fips_endpoint = maybe\nca_bundle = /nonexistent.pem\nendpoint_url = nonsense\n",
    )
    .unwrap();
    for command in ["check", "serve"] {
        let ended = Command::new(env!("CARGO_BIN_EXE_tapegate"))
            .args([command, "--allow-anonymous", "--region=us-east-1"])
            .env_clear()
            .env("HOME", home.path())
            .output()
            .unwrap();
        assert_eq!(ended.status.code(), Some(2));
        let told = String::from_utf8(ended.stderr).unwrap();
        for part in [
            ":2:1: use_fips_endpoint: is \"maybe\"",
            ":3:1: ca_bundle: ",
            ":4:1: upstream.endpoint: invalid value \"nonsense\"",
        ] {
            assert!(told.contains(&format!("{}{part}", file.display())), "{told}");
        }
    }
}
