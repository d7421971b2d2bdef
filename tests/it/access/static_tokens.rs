//! `tapegate token list` and `tapegate token revoke`, with a running service.

use std::process::{Command, Output};

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
        let (_, secret) = secret.rsplit_once('_').unwrap();
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
