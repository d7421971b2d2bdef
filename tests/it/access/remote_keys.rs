//! Keys of an issuer at a URL: fetched, refreshed, and valid for a bounded time.

use std::{
    future::pending,
    sync::{Arc, Mutex},
};

use axum::{Router, extract::Request, http::StatusCode, response::IntoResponse};
use jsonwebtoken::Algorithm;
use serde_json::json;
use tapegate::grpc::proto::ListTapesRequest;

use super::attacks::OPERATORS;
use crate::harness::{
    AUDIENCE, HttpServer, ISSUER, Service, Signer, Site, bearer, collect, eventually,
    http2::{self, GOAWAY},
    jwks, refusal,
};

/// A key server whose response a test sets.
struct Server {
    url: String,
    state: Arc<Mutex<State>>,
    _http: HttpServer,
}

struct State {
    answer: (StatusCode, String),
    asked: u32,
    authorization: Option<String>,
    is_silent: bool,
}

impl Server {
    async fn start(keys: String) -> Self {
        let state = Arc::new(Mutex::new(State {
            answer: (StatusCode::OK, keys),
            asked: 0,
            authorization: None,
            is_silent: false,
        }));
        let shared = state.clone();
        let router = Router::new().fallback(move |request: Request| {
            let shared = shared.clone();
            async move {
                let (answer, is_silent) = {
                    let mut state = shared.lock().unwrap();
                    state.asked += 1;
                    let authorization = request.headers().get("authorization");
                    state.authorization = authorization.map(|value| value.to_str().unwrap().to_owned());
                    (state.answer.clone(), state.is_silent)
                };
                if is_silent {
                    pending::<()>().await;
                }
                match answer.0 {
                    StatusCode::FOUND => (answer.0, [("location", answer.1)]).into_response(),
                    _ => answer.into_response(),
                }
            }
        });
        let http = HttpServer::start(router).await;
        Self {
            url: format!("{}/keys", http.url),
            state,
            _http: http,
        }
    }

    fn answer(&self, status: StatusCode, body: impl Into<String>) {
        self.state.lock().unwrap().answer = (status, body.into());
    }

    /// From now on it does not answer.
    fn is_silent(&self) {
        self.state.lock().unwrap().is_silent = true;
    }

    fn asked(&self) -> u32 {
        self.state.lock().unwrap().asked
    }
}

/// A site with one identity source: an issuer with its keys at a URL.
fn config(site: &Site, url: &str, more: &str) -> String {
    format!(
        r#"
        region = "us-east-1"
        account_id = "123456789012"
        [policy]
        path = {:?}
        [[auth.jwt]]
        issuer = "{ISSUER}"
        audience = "{AUDIENCE}"
        jwks = "{url}"
        {more}
        "#,
        site.path("policies")
    )
}

/// The reason why a list is rejected; empty if it succeeds.
async fn ask(service: &Service, token: &str) -> String {
    let mut client = bearer(service.channel(), Some(token));
    let request = ListTapesRequest {
        max_items: 1,
        ..Default::default()
    };
    match collect(client.list_tapes(request).await).await {
        Ok(_) => String::new(),
        Err(status) => refusal(&status).reason,
    }
}

/// Waits until a list with this token is rejected with this reason, or succeeds if it is empty.
async fn ends_with(service: &Service, token: &str, reason: &str) {
    eventually(&format!("{reason:?}"), async || {
        ask(service, token).await == reason
    })
    .await;
}

#[tokio::test]
async fn an_unknown_key_id_causes_at_most_one_further_fetch() {
    let site = Site::new();
    let server = Server::start(jwks(&[&site.es256])).await;
    let service = site.run(&config(&site, &server.url, ""), &[]).await;
    let token = site.jwt("somebody", OPERATORS);
    ends_with(&service, &token, "").await;
    assert_eq!(server.asked(), 1);

    // Made-up key ids cause at most one fetch in ten seconds.
    let made_up = Signer::new("made up", Algorithm::ES256).token(&site.claims("somebody", OPERATORS));
    for answer in futures_util::future::join_all((0..50).map(|_| ask(&service, &made_up))).await {
        assert_eq!(answer, "TOKEN_KEY_UNKNOWN");
    }
    assert!(server.asked() <= 2, "{} fetches", server.asked());
    assert_eq!(ask(&service, &token).await, "");
}

/// The library for HTTP/2 counts small frames that nobody has read yet, as those of calls that wait, and closes
/// the connection beyond a limit.
#[tokio::test]
async fn as_many_calls_as_there_may_be_streams_can_wait_with_small_messages() {
    const STREAMS: u32 = 200;
    let site = Site::new();
    let server = Server::start(jwks(&[&site.es256])).await;
    let refreshed = config(&site, &server.url, "jwks_refresh = \"1s\"");
    let service = site.run(&refreshed, &[]).await;
    ends_with(&service, &site.jwt("somebody", OPERATORS), "").await;
    server.is_silent();
    let asked = server.asked();
    // Calls with an unknown key wait for the keys that are being fetched.
    eventually("a fetch", async || server.asked() > asked).await;
    let made_up = Signer::new("made up", Algorithm::ES256).token(&site.claims("somebody", OPERATORS));
    let bearer = format!("Bearer {made_up}");
    let (mut writer, mut reader) = http2::connect(service.addresses.grpc, 1 << 20, None).await;
    for number in 0..STREAMS {
        let stream = 2 * number + 1;
        writer
            .head(stream, "ListTapes", &[("authorization", &bearer)])
            .await;
        // An empty message, and then the end of the stream in a frame of its own, as tonic sends them.
        writer.frame(http2::DATA, 0, stream, &[0; 5]).await.unwrap();
        writer
            .frame(http2::DATA, http2::END_STREAM, stream, &[])
            .await
            .unwrap();
    }
    let mut ended = 0;
    while ended < STREAMS {
        let frame = reader.frame().await.unwrap().expect("the connection is open");
        assert_ne!(frame.kind, GOAWAY, "{frame:?}");
        ended += u32::from(frame.stream != 0 && frame.ends(frame.stream));
    }
}

#[tokio::test]
async fn a_new_key_is_fetched_for_its_first_token() {
    let site = Site::new();
    let server = Server::start(jwks(&[&site.es256])).await;
    let service = site
        .run(&config(&site, &server.url, "jwks_refresh = \"1h\""), &[])
        .await;
    ends_with(&service, &site.jwt("somebody", OPERATORS), "").await;
    let newer = Signer::new("newer", Algorithm::ES256);
    server.answer(StatusCode::OK, jwks(&[&site.es256, &newer]));
    // The minimum interval between two fetches is ten seconds.
    ends_with(&service, &newer.token(&site.claims("somebody", OPERATORS)), "").await;
}

#[tokio::test]
async fn stale_keys_are_valid_for_max_stale_and_missing_keys_make_the_service_not_ready() {
    let site = Site::new();
    let server = Server::start(jwks(&[&site.es256])).await;
    server.answer(StatusCode::INTERNAL_SERVER_ERROR, "");
    let more = "jwks_refresh = \"1s\"\njwks_max_stale = \"2s\"\njwks_timeout = \"500ms\"";
    let service = site
        .run(&config(&site, &server.url, more), &["--auth-remember=0s"])
        .await;
    let token = site.jwt("somebody", OPERATORS);
    assert_eq!(ask(&service, &token).await, "IDENTITY_KEYS_UNAVAILABLE");
    service.not_ready().await;
    let (_, page) = service.admin("/readyz").await;
    assert!(
        page.contains("identity_keys_missing") && page.contains(&server.url),
        "{page}"
    );
    let (_, metrics) = service.admin("/metrics").await;
    let failures = metrics
        .lines()
        .find_map(|line| line.strip_prefix("tapegate_auth_key_fetch_failures_total "));
    assert!(failures.unwrap().parse::<u32>().unwrap() >= 1, "{metrics}");

    server.answer(StatusCode::OK, jwks(&[&site.es256]));
    ends_with(&service, &token, "").await;
    eventually("ready", async || service.admin("/readyz").await.0 == 200).await;
    // During an outage the old keys stay valid for a time.
    let huge = format!("{{\"keys\": [{}]}}", "1,".repeat(1 << 20));
    let asked = server.asked();
    server.answer(StatusCode::BAD_GATEWAY, "busy");
    eventually("a fetch fails", async || server.asked() > asked).await;
    assert_eq!(ask(&service, &token).await, "", "stale keys are not valid");
    // Invalid responses do not replace them.
    for (status, body) in [
        (StatusCode::OK, "<html>"),
        (StatusCode::OK, "{\"keys\": []}"),
        (StatusCode::OK, &huge),
        (StatusCode::FOUND, &server.url),
    ] {
        let asked = server.asked();
        server.answer(status, body);
        eventually("another fetch", async || server.asked() > asked).await;
    }
    ends_with(&service, &token, "IDENTITY_KEYS_UNAVAILABLE").await;
    service.not_ready().await;
}

#[tokio::test]
async fn a_kubernetes_cluster_can_be_an_issuer() {
    let site = Site::new();
    site.policies(r#"permit (principal in TapeGate::Group::"ns:backup", action, resource);"#);
    let server = Server::start(jwks(&[&site.rs256])).await;
    site.write("own-token", "token-of-the-service\n");
    let more = format!(
        "groups_claim = \"/kubernetes.io/namespace\"\ngroups_prefix = \"ns:\"\njwks_token_file = {:?}",
        site.path("own-token")
    );
    let service = site.run(&config(&site, &server.url, &more), &[]).await;
    let claims = |namespace: &str| {
        json!({
            "aud": [AUDIENCE], "exp": crate::harness::in_seconds(3600), "iat": crate::harness::in_seconds(0),
            "nbf": crate::harness::in_seconds(0), "iss": ISSUER, "sub": format!("system:serviceaccount:{namespace}:agent"),
            "kubernetes.io": {
                "namespace": namespace, "pod": { "name": "agent-0", "uid": "1" },
                "serviceaccount": { "name": "agent", "uid": "2" },
            },
        })
    };
    ends_with(&service, &site.rs256.token(&claims("backup")), "").await;
    assert_eq!(
        ask(&service, &site.rs256.token(&claims("default"))).await,
        "PERMISSION_DENIED"
    );
    let authorization = server.state.lock().unwrap().authorization.clone();
    assert_eq!(authorization.as_deref(), Some("Bearer token-of-the-service"));
}

#[tokio::test]
async fn the_start_waits_for_the_keys_of_every_issuer_though_others_can_call() {
    let site = Site::new();
    let server = Server::start(jwks(&[&site.es256])).await;
    server.answer(StatusCode::INTERNAL_SERVER_ERROR, "");
    let tokens = format!(
        "jwks_refresh = \"1s\"\n[auth.tokens]\nfile = {:?}",
        site.path("tokens.toml")
    );
    let token = site.token("agent-7", OPERATORS);
    let service = site.run(&config(&site, &server.url, &tokens), &[]).await;
    service.not_ready().await;
    let (code, page) = service.admin("/readyz").await;
    assert_eq!(code, 503);
    assert!(
        page.contains("identity_keys_awaited") && page.contains(&server.url),
        "{page}"
    );
    let (_, metrics) = service.admin("/metrics").await;
    assert!(!metrics.contains("tapegate_auth_keys_age_seconds{"), "{metrics}");
    // Callers with tokens are served all the same.
    assert_eq!(ask(&service, &token).await, "");

    server.answer(StatusCode::OK, jwks(&[&site.es256]));
    eventually("ready", async || service.admin("/readyz").await.0 == 200).await;
    assert_eq!(ask(&service, &site.jwt("somebody", OPERATORS)).await, "");
    let (_, metrics) = service.admin("/metrics").await;
    assert!(metrics.contains("tapegate_auth_keys_age_seconds{"), "{metrics}");
    // After the start, the old keys count, and the other source.
    let asked = server.asked();
    server.answer(StatusCode::BAD_GATEWAY, "");
    eventually("a fetch fails", async || server.asked() > asked + 1).await;
    assert_eq!(service.admin("/readyz").await.0, 200);
}
