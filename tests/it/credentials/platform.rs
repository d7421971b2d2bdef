//! Credentials that a platform provides: a web identity token (EKS, IRSA) and an EC2 instance.
//! The tests of a container's are in `files` and `refresh`.

use std::fs;

use axum::{
    Router,
    http::HeaderMap,
    routing::{get, put},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::json;
use tapegate::grpc::proto::tape_service_client::TapeServiceClient;
use tapegate_emulator::{Emulator, Settings};
use tokio::net::TcpListener;

use super::files::{list, upstream};
use crate::harness::{HttpServer, Program, in_seconds};

const ROLE: &str = "arn:aws:iam::123456789012:role/tapegate";

#[tokio::test(flavor = "multi_thread")]
async fn a_web_identity_token_provides_the_credentials_of_a_role() {
    let emulator = Emulator::new(Settings::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = emulator.clone();
    tokio::spawn(async move { served.serve(listener, std::future::pending()).await });
    let folder = tempfile::tempdir().unwrap();
    let part = |json: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    let token = format!(
        "{}.{}.{}",
        part(json!({"alg": "RS256"})),
        part(json!({
            "iss": "https://oidc.example.org", "sub": "system:serviceaccount:backup:tapegate",
            "aud": "sts.amazonaws.com", "exp": in_seconds(3600),
        })),
        BASE64_URL_SAFE_NO_PAD.encode("signature")
    );
    fs::write(folder.path().join("token"), token).unwrap();
    let file = folder.path().join("token").display().to_string();
    let endpoint = format!("--upstream-endpoint={url}");
    let arguments = ["serve", "--allow-anonymous", "--region=us-east-1", &endpoint];
    let variables = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.as_str()),
        ("AWS_ROLE_ARN", ROLE),
        ("AWS_ROLE_SESSION_NAME", "pod-7"),
        ("AWS_ENDPOINT_URL_STS", &url),
    ];
    let program = Program::start(&arguments, variables);
    let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
    list(&mut client, 1).await.unwrap();
    let call = emulator.calls().pop().unwrap();
    assert_eq!(
        (
            call.operation,
            call.role_arn.as_deref(),
            call.session_name.as_deref()
        ),
        ("ListTapes", Some(ROLE), Some("pod-7"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_of_an_instance_provides_credentials() {
    let upstream = upstream().await;
    // IMDSv2: a session token, the name of the role, its credentials.
    let token = put(async || ([("x-aws-ec2-metadata-token-ttl-seconds", "21600")], "session"));
    let is_in_session = |headers: &HeaderMap| headers["x-aws-ec2-metadata-token"] == "session";
    let name = get(async move |headers: HeaderMap| {
        assert!(is_in_session(&headers));
        "tapegate"
    });
    let credentials = get(async move |headers: HeaderMap| {
        assert!(is_in_session(&headers));
        let credentials = json!({
            "Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "AKIDINSTANCE", "SecretAccessKey": "secret",
            "Token": "token", "LastUpdated": "2020-01-01T00:00:00Z", "Expiration": "2999-01-01T00:00:00Z",
        });
        credentials.to_string()
    });
    let folder = "/latest/meta-data/iam/security-credentials";
    let router = Router::new()
        .route("/latest/api/token", token)
        .route(&format!("{folder}/"), name)
        .route(&format!("{folder}/tapegate"), credentials);
    let server = HttpServer::start(router).await;
    let endpoint = format!("--upstream-endpoint={}", upstream.endpoint());
    let arguments = ["serve", "--allow-anonymous", "--region=us-east-1", &endpoint];
    let program = Program::start(
        &arguments,
        [("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url.as_str())],
    );
    let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
    list(&mut client, 1).await.unwrap();
    assert_eq!(upstream.asked()[0].access_key_id, "AKIDINSTANCE");
}
