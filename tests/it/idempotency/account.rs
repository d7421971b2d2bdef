use aws_credential_types::Credentials;
use aws_sdk_storagegateway::{
    Client, Config,
    config::{BehaviorVersion, Region, retry::RetryConfig},
    types::Tape,
};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy, rt::TokioExecutor};
use serde_json::Value;
use tapegate_emulator::{Emulator, Settings};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::harness::GATEWAY;

/// An emulated account, on a socket of its own: faults go in by the control API, and what is
/// true of it is read by the SDK, past every service.
pub struct Account {
    pub endpoint: String,
    pub emulator: Emulator,
    client: Client,
    serving: JoinHandle<()>,
}

impl Account {
    pub async fn new(settings: Settings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let emulator = Emulator::new(settings);
        let served = emulator.clone();
        let serving = tokio::spawn(async move {
            served.serve(listener, std::future::pending()).await.unwrap();
        });
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(&endpoint)
            .credentials_provider(Credentials::from_keys("AKIDTRUTH", "secret-of-the-truth", None))
            .retry_config(RetryConfig::standard());
        Self {
            endpoint,
            emulator,
            client: Client::from_conf(config.build()),
            serving,
        }
    }

    /// Past every service.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Puts these rules in the place of those in force.
    pub async fn faults(&self, rules: &Value) {
        self.control("DELETE", String::new()).await;
        if rules != &Value::Array(Vec::new()) {
            self.control("POST", rules.to_string()).await;
        }
    }

    async fn control(&self, method: &str, body: String) {
        let client = legacy::Client::builder(TokioExecutor::new()).build_http();
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/_emulator/faults", self.endpoint));
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let answer = client.request(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(status.is_success(), "{}", String::from_utf8_lossy(&body));
    }

    /// All tapes of the library.
    pub async fn library(&self) -> Vec<Tape> {
        let pages = self.client.describe_tapes().gateway_arn(GATEWAY);
        let rows = pages.into_paginator().page_size(1000).items().send();
        rows.collect::<Result<Vec<_>, _>>().await.unwrap()
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
