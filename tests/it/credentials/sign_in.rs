//! Profiles of people who signed in: IAM Identity Center (`aws sso login`) and the console
//! (`aws login`). AWS's servers for that stand on loopback.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tapegate::grpc::proto::tape_service_client::TapeServiceClient;
use tempfile::TempDir;

use super::files::{list, not_ready_because, program, upstream};
use crate::harness::{HttpServer, Program, Upstream, eventually};

const SSO: &str = "\
[default]
sso_session = site
sso_account_id = 123456789012
sso_role_name = tapes

[sso-session site]
sso_region = us-east-1
sso_start_url = https://site.awsapps.com/start
";

/// The token of the session `site`. The file has the SHA-1 of that name.
const SSO_TOKEN: &str = ".aws/sso/cache/c099a42a5555825cdb50df0c04932bcd29613457.json";

const LOGIN_SESSION: &str = "arn:aws:iam::123456789012:user/somebody";

/// The servers that AWS has for people who signed in.
struct SignIn {
    server: HttpServer,
    /// The access token that is valid.
    valid: Arc<Mutex<&'static str>>,
}

impl SignIn {
    async fn start() -> Self {
        let valid = Arc::new(Mutex::new("token-1"));
        let (checked, refreshed) = (valid.clone(), valid.clone());
        // IAM Identity Center: credentials of a role for an access token.
        let credentials = async move |headers: HeaderMap| -> Response {
            if headers["x-amz-sso_bearer_token"] != *checked.lock().unwrap() {
                return StatusCode::UNAUTHORIZED.into_response();
            }
            let credentials = json!({
                "accessKeyId": "AKIDSSO", "secretAccessKey": "secret", "sessionToken": "token",
                "expiration": 32_503_680_000_000_u64,
            });
            Json(json!({"roleCredentials": credentials})).into_response()
        };
        // Its OIDC server: a new access token for a refresh token.
        let token = async move |Json(asked): Json<Value>| {
            assert_eq!(asked["refreshToken"], "refresh-1");
            *refreshed.lock().unwrap() = "token-2";
            Json(json!({"accessToken": "token-2", "expiresIn": 3600, "tokenType": "Bearer"}))
        };
        // The sign-in of the console: new credentials for a refresh token and a proof of the key.
        let console = async |headers: HeaderMap, Json(asked): Json<Value>| {
            assert!(headers.contains_key("dpop"));
            assert_eq!(asked["refreshToken"], "refresh-1");
            let credentials =
                json!({"accessKeyId": "AKIDCONSOLE2", "secretAccessKey": "secret", "sessionToken": "token"});
            Json(json!({
                "accessToken": credentials, "tokenType": "aws_sigv4", "expiresIn": 900,
                "refreshToken": "refresh-2",
            }))
        };
        let router = Router::new()
            .route("/federation/credentials", get(credentials))
            .route("/token", post(token))
            .route("/v1/token", post(console));
        let server = HttpServer::start(router).await;
        Self { server, valid }
    }

    /// The variables that lead to these servers.
    fn variables(&self) -> [(&'static str, &str); 3] {
        [
            "AWS_ENDPOINT_URL_SSO",
            "AWS_ENDPOINT_URL_SSO_OIDC",
            "AWS_ENDPOINT_URL_SIGNIN",
        ]
        .map(|name| (name, self.server.url.as_str()))
    }
}

fn write(home: &Path, name: &str, text: &str) {
    let path = home.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A token of IAM Identity Center with these other members.
fn sso_token(expires: &str, others: Value) -> String {
    let mut token = json!({
        "accessToken": "token-1", "expiresAt": expires, "region": "us-east-1",
        "startUrl": "https://site.awsapps.com/start",
    });
    let Value::Object(others) = others else { panic!() };
    token.as_object_mut().unwrap().extend(others);
    token.to_string()
}

/// The file of the console's session, with credentials that expire then.
fn write_console_session(home: &Path, expires: &str) {
    // An EC key (RFC 5915) whose secret is 32 ones.
    let key = [&[0x30, 0x25, 0x02, 0x01, 0x01, 0x04, 0x20][..], &[1; 32]].concat();
    let key = format!(
        "-----BEGIN EC PRIVATE KEY-----\n{}\n-----END EC PRIVATE KEY-----\n",
        BASE64_STANDARD.encode(key)
    );
    let session = json!({
        "accessToken": {
            "accessKeyId": "AKIDCONSOLE1", "secretAccessKey": "secret", "sessionToken": "token",
            "accountId": "123456789012", "expiresAt": expires,
        },
        "tokenType": "aws_sigv4", "refreshToken": "refresh-1", "dpopKey": key,
        "clientId": "arn:aws:signin:::devtools/same-device",
    });
    let name: String = Sha256::digest(LOGIN_SESSION)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    write(
        home,
        &format!(".aws/login/cache/{name}.json"),
        &session.to_string(),
    );
}

/// An empty home directory, an upstream and the servers for signing in.
async fn world() -> (TempDir, Upstream, SignIn) {
    (
        tempfile::tempdir().unwrap(),
        upstream().await,
        SignIn::start().await,
    )
}

/// The key id that signs a call.
async fn signing_key(program: &Program, upstream: &Upstream) -> String {
    let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
    let listed = list(&mut client, 1).await;
    assert!(listed.is_ok(), "{}", not_ready_because(program).await);
    upstream.asked().last().unwrap().access_key_id.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_iam_identity_center_provides_credentials() {
    let (home, upstream, servers) = world().await;
    write(home.path(), ".aws/config", SSO);
    write(
        home.path(),
        SSO_TOKEN,
        &sso_token("2999-01-01T00:00:00Z", json!({})),
    );
    let program = program(&upstream, home.path(), &servers.variables());
    assert_eq!(signing_key(&program, &upstream).await, "AKIDSSO");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_session_of_iam_identity_center_is_renewed_with_its_refresh_token() {
    let (home, upstream, servers) = world().await;
    write(home.path(), ".aws/config", SSO);
    let refresh = json!({
        "refreshToken": "refresh-1", "clientId": "client", "clientSecret": "secret",
        "registrationExpiresAt": "2999-01-01T00:00:00Z",
    });
    write(
        home.path(),
        SSO_TOKEN,
        &sso_token("2001-01-01T00:00:00Z", refresh),
    );
    let program = program(&upstream, home.path(), &servers.variables());
    assert_eq!(signing_key(&program, &upstream).await, "AKIDSSO");
    // Other programs of this user find the new token.
    let kept = fs::read_to_string(home.path().join(SSO_TOKEN)).unwrap();
    assert!(kept.contains("token-2"), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ended_names_the_command_and_a_new_one_is_read() {
    let (home, upstream, servers) = world().await;
    write(home.path(), ".aws/config", SSO);
    write(
        home.path(),
        SSO_TOKEN,
        &sso_token("2001-01-01T00:00:00Z", json!({})),
    );
    let mut program = program(&upstream, home.path(), &servers.variables());
    let line = program.logged("no AWS credentials").await;
    for part in [
        "profile default at ",
        "/.aws/config:1",
        "expired",
        "`aws sso login --profile default`",
    ] {
        assert!(line.contains(part), "no {part} in {line}");
    }
    *servers.valid.lock().unwrap() = "token-1";
    write(
        home.path(),
        SSO_TOKEN,
        &sso_token("2999-01-01T00:00:00Z", json!({})),
    );
    let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
    eventually("the new session is read", async || {
        list(&mut client, 1).await.is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_the_console_provides_credentials_and_is_renewed() {
    let (upstream, servers) = (upstream().await, SignIn::start().await);
    for (expires, key) in [
        ("2999-01-01T00:00:00Z", "AKIDCONSOLE1"),
        ("2001-01-01T00:00:00Z", "AKIDCONSOLE2"),
    ] {
        let home = tempfile::tempdir().unwrap();
        write(
            home.path(),
            ".aws/config",
            &format!("[default]\nlogin_session = {LOGIN_SESSION}\n"),
        );
        write_console_session(home.path(), expires);
        let program = program(&upstream, home.path(), &servers.variables());
        assert_eq!(signing_key(&program, &upstream).await, key);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_session_of_the_console_names_the_command() {
    let (home, upstream, servers) = world().await;
    let config = format!("[profile site]\nlogin_session = {LOGIN_SESSION}\n");
    write(home.path(), ".aws/config", &config);
    let variables = [&servers.variables()[..], &[("AWS_PROFILE", "site")]].concat();
    let mut program = program(&upstream, home.path(), &variables);
    let line = program.logged("no AWS credentials").await;
    for part in [
        "profile site at ",
        ".aws/login/cache/",
        "`aws login --profile site`",
    ] {
        assert!(line.contains(part), "no {part} in {line}");
    }
}
