//! AWS rejects credentials that the SDK's default chain fetched from a container endpoint.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{Router, routing::get};
use futures_util::future::join_all;
use serde_json::json;
use tokio::sync::{Barrier, watch};
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};

use super::list;
use crate::harness::{self, HttpServer, Program, Reply, Upstream};

/// Hands out credentials without end, the newest pair each time, and counts.
struct Endpoints {
    url: String,
    newest: Arc<watch::Sender<u32>>,
    fetched: Arc<Mutex<BTreeMap<u32, usize>>>,
    _server: HttpServer,
}

impl Endpoints {
    async fn start() -> Self {
        let newest = Arc::new(watch::Sender::new(1));
        let fetched = Arc::<Mutex<BTreeMap<u32, usize>>>::default();
        let router = {
            let (newest, fetched) = (newest.clone(), fetched.clone());
            Router::new().route(
                "/credentials",
                get(move || {
                    let pair = *newest.borrow();
                    *fetched.lock().unwrap().entry(pair).or_default() += 1;
                    let body = json!({
                        "AccessKeyId": format!("AKID{pair}"), "SecretAccessKey": "secret", "Token": "token",
                        "Expiration": "2099-01-01T00:00:00Z",
                    });
                    std::future::ready(body.to_string())
                }),
            )
        };
        let server = HttpServer::start(router).await;
        Self {
            url: format!("{}/credentials", server.url),
            newest,
            fetched,
            _server: server,
        }
    }

    /// From now on it hands out the next pair.
    fn rotate(&self) {
        self.newest.send_modify(|pair| *pair += 1);
    }

    /// How often each pair was fetched.
    fn fetched(&self) -> Vec<usize> {
        self.fetched.lock().unwrap().values().copied().collect()
    }

    /// The service with these credentials, and a channel to it.
    async fn serve(&self, upstream: &Upstream) -> (Program, Channel) {
        self.serve_paced(upstream, "1").await
    }

    /// The same, slowed down no further than to so many attempts a second.
    async fn serve_paced(&self, upstream: &Upstream, floor: &'static str) -> (Program, Channel) {
        let (upstream, url) = (upstream.endpoint(), self.url.clone());
        // It asks for credentials before it says where it listens.
        let start = move || {
            let variables = [
                ("HOME", "/nonexistent"),
                ("AWS_EC2_METADATA_DISABLED", "true"),
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str()),
                ("TAPEGATE_UPSTREAM_CREDENTIALS_PAUSE", "1h"),
                ("TAPEGATE_PACE_FLOOR", floor),
                ("TAPEGATE_LOG_FILTER", "error"),
            ];
            Program::serve(&upstream, variables)
        };
        let program = tokio::task::spawn_blocking(start).await.unwrap();
        let channel = Endpoint::from_shared(program.grpc.clone())
            .unwrap()
            .connect_lazy();
        (program, channel)
    }
}

fn refused(code: &str) -> Reply {
    Reply::aws(400, &json!({ "__type": code, "message": "no" }))
}

fn none() -> Reply {
    Reply::ok(&json!({ "TapeInfos": [] }))
}

/// An AWS that takes every key but the first, which it refuses with `code` once it is revoked. From
/// then on it answers requests when `at_once` that were signed with one key are there: calls that
/// were held back would wait for ever.
async fn without_the_first(code: &'static str, at_once: usize) -> (Upstream, Arc<watch::Sender<bool>>) {
    let revoked = Arc::new(watch::Sender::new(false));
    let together = [0, 1].map(|_| Arc::new(Barrier::new(at_once)));
    let upstream = {
        let revoked = revoked.clone();
        Upstream::answering(move |asked| {
            let is_revoked = *revoked.borrow();
            let is_first = asked.access_key_id == "AKID1";
            let together = together[usize::from(is_first)].clone();
            async move {
                if is_revoked {
                    together.wait().await;
                }
                match is_revoked && is_first {
                    true => refused(code),
                    false => none(),
                }
            }
        })
    };
    (upstream.await, revoked)
}

#[tokio::test]
async fn calls_with_an_expired_token_are_retried_once_after_one_refresh() {
    const CALLS: usize = 60;
    let (upstream, revoked) = without_the_first("ExpiredTokenException", CALLS).await;
    let endpoints = Endpoints::start().await;
    let (program, channel) = endpoints.serve(&upstream).await;
    assert_eq!(list(channel.clone(), 1).await, (Code::Ok, "1".to_owned()));
    let before = endpoints.fetched();

    endpoints.rotate();
    revoked.send_replace(true);
    let calls = (1..).take(CALLS).map(|limit| list(channel.clone(), limit));
    for ended in join_all(calls).await {
        assert_eq!(ended, (Code::Ok, "2".to_owned()));
    }
    assert_eq!(endpoints.fetched(), [before[0], 1]);
    assert_eq!(upstream.asked().len(), 1 + 2 * CALLS);
    let (status, _) = harness::get(&format!("{}/readyz", program.admin)).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn expired_token_is_handled_like_expired_token_exception() {
    let (upstream, revoked) = without_the_first("ExpiredToken", 1).await;
    let endpoints = Endpoints::start().await;
    let (_program, channel) = endpoints.serve(&upstream).await;
    assert_eq!(list(channel.clone(), 1).await, (Code::Ok, "1".to_owned()));
    endpoints.rotate();
    revoked.send_replace(true);
    assert_eq!(list(channel.clone(), 1).await, (Code::Ok, "2".to_owned()));
}

/// A throttle before, or after, does not use up the one repeat.
#[tokio::test]
async fn expired_credentials_are_refreshed_at_any_attempt() {
    let busy = Reply::aws(
        503,
        &json!({ "__type": "ServiceUnavailable", "message": "later" }),
    );
    let expired = refused("ExpiredTokenException");
    let upstream = Upstream::script([busy.clone(), expired, busy, none()]).await;
    let endpoints = Endpoints::start().await;
    let (_program, channel) = endpoints.serve(&upstream).await;
    assert_eq!(list(channel, 1).await, (Code::Ok, "4".to_owned()));
}

#[tokio::test]
async fn a_provider_without_new_credentials_is_not_asked_repeatedly() {
    let upstream = Upstream::always(refused("ExpiredTokenException")).await;
    let endpoints = Endpoints::start().await;
    let (program, channel) = endpoints.serve_paced(&upstream, "1000").await;
    let first = endpoints.fetched();
    assert_eq!(
        list(channel.clone(), 1).await,
        (Code::Unavailable, "2".to_owned())
    );
    let calls = (2..40).map(|limit| list(channel.clone(), limit));
    assert!(
        join_all(calls)
            .await
            .iter()
            .all(|(code, _)| *code == Code::Unavailable)
    );
    // What was fetched anew for the first one.
    assert_eq!(endpoints.fetched(), [first[0] + 1]);
    let (status, body) = harness::get(&format!("{}/readyz", program.admin)).await;
    assert_eq!(status, 503);
    assert!(body.contains("ExpiredTokenException"), "{body}");
}

/// A key that was taken away is not repeated with, but not kept either.
#[tokio::test]
async fn a_rotated_key_is_rejected_once() {
    let (upstream, revoked) = without_the_first("UnrecognizedClientException", 1).await;
    let endpoints = Endpoints::start().await;
    let (program, channel) = endpoints.serve(&upstream).await;
    assert_eq!(list(channel.clone(), 1).await, (Code::Ok, "1".to_owned()));
    endpoints.rotate();
    revoked.send_replace(true);
    assert_eq!(list(channel.clone(), 1).await, (Code::Internal, "1".to_owned()));
    assert_eq!(list(channel.clone(), 1).await, (Code::Ok, "1".to_owned()));
    let (status, _) = harness::get(&format!("{}/readyz", program.admin)).await;
    assert_eq!(status, 200);
}
