//! No output of the program contains a secret that it was given, even at the log level trace.

use std::{
    fs::File,
    process::{Command, Stdio},
};

use serde_json::json;
use tapegate::grpc::proto::{CreateTapeWithBarcodeRequest, DescribeTapesRequest, ListTapesRequest};
use tokio::time::{Duration, sleep};

use super::attacks::OPERATORS;
use crate::harness::{
    GATEWAY, Reply, SIZE, Service, Site, Upstream, Valid, bearer, client_config, collect, in_seconds,
    refusal, secrets, tape_arn, tls_channel,
};

/// The KMS key in AWS's response, which no caller has sent.
const KMS_KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/planted-and-never-sent";
const SECRET: &str = "planted/secret+access/key";
const SESSION: &str = "planted/session+token==";

/// An upstream that repeats the signed text in its error, as AWS does.
async fn aws() -> Upstream {
    Upstream::answering(|asked| {
        let reply = match asked.operation.as_str() {
            "DescribeTapes" => Reply::ok(&json!({ "Tapes": [{
                "TapeARN": tape_arn("SECRET01"), "TapeBarcode": "SECRET01", "KMSKey": KMS_KEY,
            }] })),
            "ListTapes" => Reply::aws(
                403,
                &json!({
                    "__type": "InvalidSignatureException",
                    "message": format!("The canonical request should have been x-amz-security-token:{SESSION}"),
                }),
            ),
            _ => Reply::aws(
                400,
                &json!({
                    "__type": "InvalidGatewayRequestException", "message": "the gateway is busy",
                    "error": { "errorCode": "GatewayInternalError" },
                }),
            ),
        };
        std::future::ready(reply)
    })
    .await
}

#[tokio::test]
async fn no_secret_is_logged_at_any_level() {
    let site = Site::new();
    let upstream = aws().await;
    let key_line = std::fs::read_to_string(site.path("server.key")).unwrap();
    let key_line = key_line.lines().nth(1).unwrap();
    std::fs::write(site.path("tapegate.toml"), site.config_with_tls()).unwrap();
    let (token, jwt) = (site.token("somebody", OPERATORS), site.jwt("somebody", OPERATORS));
    let expired = site.token_until("somebody", OPERATORS, in_seconds(-1));
    let (out, log) = (site.path("stdout"), site.path("stderr"));
    let mut program = Command::new(env!("CARGO_BIN_EXE_tapegate"))
        .args([
            "serve",
            "--log-filter=trace",
            "--log-format=json",
            "--audit-reads",
            "--listen=127.0.0.1:0",
        ])
        .args(["--admin-listen=127.0.0.1:0", "--retry-base=1ms", "--config"])
        .arg(site.path("tapegate.toml"))
        .arg(format!("--upstream-endpoint={}", upstream.endpoint()))
        .env_clear()
        .envs([
            ("AWS_ACCESS_KEY_ID", "AKIDTEST"),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
            ("AWS_SESSION_TOKEN", SESSION),
        ])
        .stdout(Stdio::from(File::create(&out).unwrap()))
        .stderr(Stdio::from(File::create(&log).unwrap()))
        .spawn()
        .unwrap();
    let read = |path| std::fs::read_to_string(path).unwrap();
    while !read(&out).contains('\n') {
        sleep(Duration::from_millis(10)).await;
    }
    let first = read(&out);
    let grpc = first
        .split_whitespace()
        .find_map(|word| word.strip_prefix("grpc="))
        .unwrap();
    let admin = first
        .split_whitespace()
        .find_map(|word| word.strip_prefix("admin="))
        .unwrap();

    let certified = site.ca.client(&["spiffe://example.org/agent"], Valid::Now);
    let connect = || {
        tls_channel(
            grpc.parse().unwrap(),
            client_config(&site.ca.pem(), Some(&certified)),
        )
    };
    let forged = format!("{jwt}AAAA");
    let mut said = Vec::new();
    for token in [&token, &jwt, &expired, &forged] {
        let mut client = bearer(connect(), Some(token));
        let described = client
            .describe_tapes(DescribeTapesRequest {
                gateway_arn: GATEWAY.into(),
                ..Default::default()
            })
            .await;
        if let Ok(pages) = described {
            let pages = collect(Ok(pages)).await.unwrap();
            assert_eq!(pages[0].tapes[0].kms_key.as_deref(), Some(KMS_KEY));
        }
        let listed = client.list_tapes(ListTapesRequest::default()).await.unwrap_err();
        let created = client
            .create_tape_with_barcode(CreateTapeWithBarcodeRequest {
                gateway_arn: GATEWAY.into(),
                tape_size_in_bytes: SIZE,
                tape_barcode: "SECRET02".into(),
                kms_encrypted: Some(true),
                kms_key: Some("alias/of-the-caller".into()),
                ..Default::default()
            })
            .await
            .unwrap_err();
        said.extend([listed, created].map(|status| format!("{status:?} {:?}", refusal(&status))));
    }
    bearer(connect(), None)
        .list_tapes(ListTapesRequest::default())
        .await
        .unwrap_err();
    // The errors of invalid files do not contain their text.
    site.write(
        "server.key",
        "-----BEGIN PRIVATE KEY-----\nplanted+half+of+a+key\n",
    );
    site.write("tokens.toml", "[[token]]\nid = \"planted-in-the-wrong-place\"\n");
    while read(&log).matches("changed files are invalid").count() < 2 {
        sleep(Duration::from_millis(20)).await;
    }
    said.push(crate::harness::get(&format!("http://{admin}/readyz")).await.1);
    program.kill().unwrap();
    program.wait().unwrap();
    said.extend([read(&out), read(&log)]);
    let check = Command::new(env!("CARGO_BIN_EXE_tapegate"))
        .args(["check", "--config"])
        .arg(site.path("tapegate.toml"))
        .output()
        .unwrap();
    said.push(String::from_utf8([check.stdout, check.stderr].concat()).unwrap());

    let said = said.join("\n");
    assert!(
        said.contains("tapegate::audit") && said.contains("DEBUG"),
        "the output is incomplete"
    );
    let secrets = [
        ("the static token", token.as_str()),
        ("its secret half", &token[token.len() - 40..]),
        ("the JWT", &jwt),
        ("its signature", jwt.rsplit('.').next().unwrap()),
        ("the expired token", &expired),
        ("the AWS secret", SECRET),
        ("the AWS session token", SESSION),
        ("the KMS key of AWS", KMS_KEY),
        ("the KMS key of the caller", "alias/of-the-caller"),
        ("half of a private key", "planted+half+of+a+key"),
        ("a value in the file of tokens", "planted-in-the-wrong-place"),
        ("the private key", key_line),
    ];
    for (name, secret) in secrets {
        let line = said.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{name} is in {line:?}");
    }
}

#[tokio::test]
async fn a_kms_key_in_a_message_of_aws_is_removed() {
    secrets::plant(KMS_KEY);
    let message = format!("The key {KMS_KEY} is disabled.");
    let body = json!({ "__type": "InvalidGatewayRequestException", "message": message });
    let upstream = Upstream::always(Reply::aws(400, &body)).await;
    let service = Service::over(&upstream, &["--log-filter=trace"]).await;
    let listed = collect(service.client().list_tapes(ListTapesRequest::default()).await).await;
    let status = listed.unwrap_err();
    assert!(status.message().contains("is disabled"), "{status:?}");
    assert!(!format!("{status:?}").contains("planted-and-never-sent"));
}
