//! The emulator as AWS clients meet it: the Rust SDK, and raw HTTP where no SDK would send
//! such a thing. Each test has an emulator of its own on a port of its own.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints its figures"
)]

mod accounts;
mod callers;
mod clock;
mod config;
mod control;
mod creating;
mod drives;
mod faults;
mod gateways;
mod indexes;
mod life;
mod limits;
mod paging;
mod reading;
mod reference;
mod server;
mod settings;
mod signature;
mod snapshot;
mod state;
mod sts;
mod web_identity;
mod wire;

use std::{net::SocketAddr, time::SystemTime};

use aws_credential_types::Credentials as SdkCredentials;
use aws_sdk_storagegateway::{
    Client, Config,
    config::{BehaviorVersion, Region, retry::RetryConfig},
    error::SdkError,
};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4::SigningParams,
};
use serde_json::Value;
use tapegate_emulator::{Credentials, Emulator, Settings};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const GATEWAY: &str = "arn:aws:storagegateway:us-east-1:123456789012:gateway/sgw-12A3456B";
const KEY_ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const GIB: i64 = 1 << 30;
const SIZE: i64 = 100 * GIB;

fn settings() -> Settings {
    let secret_access_key = SECRET.to_owned().into();
    let credentials = Credentials {
        access_key_id: KEY_ID.to_owned(),
        secret_access_key,
        session_token: None,
        account_id: None,
    };
    Settings {
        credentials: vec![credentials],
        ..Settings::default()
    }
}

/// An emulator at work; it ends with the test's runtime.
struct Running {
    emulator: Emulator,
    address: SocketAddr,
}

impl Running {
    async fn start(settings: Settings) -> Self {
        Self::serving(Emulator::new(settings)).await
    }

    async fn serving(emulator: Emulator) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = emulator.clone();
        tokio::spawn(async move { served.serve(listener, std::future::pending()).await });
        Self { emulator, address }
    }

    fn client(&self) -> Client {
        self.client_of("us-east-1", KEY_ID, SECRET)
    }

    fn client_of(&self, region: &'static str, key_id: &str, secret: &str) -> Client {
        self.client_in(region, SdkCredentials::from_keys(key_id, secret, None))
    }

    fn client_with(&self, credentials: SdkCredentials) -> Client {
        self.client_in("us-east-1", credentials)
    }

    fn client_in(&self, region: &'static str, credentials: SdkCredentials) -> Client {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region))
            .endpoint_url(format!("http://{}", self.address))
            .credentials_provider(credentials)
            .retry_config(RetryConfig::disabled())
            .build();
        Client::from_conf(config)
    }

    /// A request of an operation, signed as it should be.
    fn request(&self, operation: &str, body: impl Into<Vec<u8>>) -> Raw {
        let mut request = self.unsigned(operation, body);
        request.sign(KEY_ID, SECRET, SystemTime::now());
        request
    }

    /// A request of the control API, as `curl` makes it.
    fn control(&self, method: &'static str, path: &'static str, body: impl Into<Vec<u8>>) -> Raw {
        Raw::control(self.address, method, path, body)
    }

    fn unsigned(&self, operation: &str, body: impl Into<Vec<u8>>) -> Raw {
        Raw {
            address: self.address,
            method: "POST",
            path: "/",
            headers: vec![
                ("host".to_owned(), self.address.to_string()),
                ("content-type".to_owned(), "application/x-amz-json-1.1".to_owned()),
                (
                    "x-amz-target".to_owned(),
                    format!("StorageGateway_20130630.{operation}"),
                ),
            ],
            body: body.into(),
        }
    }
}

/// A request that a test writes byte by byte.
struct Raw {
    address: SocketAddr,
    method: &'static str,
    path: &'static str,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// What came back.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Raw {
    fn control(
        address: SocketAddr,
        method: &'static str,
        path: &'static str,
        body: impl Into<Vec<u8>>,
    ) -> Self {
        Self {
            address,
            method,
            path,
            headers: vec![("host".to_owned(), address.to_string())],
            body: body.into(),
        }
    }

    /// Signs with the SDK's own signer, as of `time`.
    fn sign(&mut self, key_id: &str, secret: &str, time: SystemTime) {
        self.sign_with(key_id, secret, time, SigningSettings::default(), "storagegateway");
    }

    fn sign_with(
        &mut self,
        key_id: &str,
        secret: &str,
        time: SystemTime,
        how: SigningSettings,
        service: &str,
    ) {
        let credentials = SdkCredentials::from_keys(key_id, secret, None);
        self.sign_as(credentials, time, how, "us-east-1", service);
    }

    fn sign_as(
        &mut self,
        credentials: SdkCredentials,
        time: SystemTime,
        how: SigningSettings,
        region: &str,
        service: &str,
    ) {
        let identity = credentials.into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(service)
            .time(time)
            .settings(how)
            .build()
            .unwrap()
            .into();
        let url = format!("http://{}{}", self.address, self.path);
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let signable =
            SignableRequest::new(self.method, url, headers, SignableBody::Bytes(&self.body)).unwrap();
        let (instructions, _) = sign(signable, &params).unwrap().into_parts();
        for (name, value) in instructions.headers() {
            self.set(name, value);
        }
    }

    fn get(&self, name: &str) -> &str {
        &self.headers.iter().find(|(known, _)| known == name).unwrap().1
    }

    fn set(&mut self, name: &str, value: &str) {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    async fn send(self) -> Answer {
        let length = self.body.len();
        self.send_announcing(length).await
    }

    async fn send_announcing(&self, length: usize) -> Answer {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("connection: close\r\ncontent-length: {length}\r\n\r\n"));
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&self.body).await.unwrap();
        if length > self.body.len() {
            stream.shutdown().await.unwrap();
        }
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        let split = bytes
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .expect("a whole response head");
        let head = String::from_utf8(bytes[..split].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer {
            status,
            head: head.to_lowercase(),
            body: bytes[split + 4..].to_vec(),
        }
    }
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn kind(&self) -> String {
        self.json()["__type"].as_str().unwrap_or_default().to_owned()
    }

    fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_default().to_owned()
    }
}

/// The kind of an SDK's error and its nested code, as they stood in the body.
fn codes<E: std::fmt::Debug>(error: &SdkError<E>) -> (String, String) {
    let body = error
        .raw_response()
        .expect("an answer from the emulator")
        .body()
        .bytes()
        .unwrap();
    let body: Value = serde_json::from_slice(body).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&body["__type"]), text(&body["error"]["errorCode"]))
}

/// Asserts a refusal of the service with the nested code.
fn assert_rejected<T: std::fmt::Debug, E: std::fmt::Debug>(answer: Result<T, SdkError<E>>, code: &str) {
    let expected = ("InvalidGatewayRequestException".to_owned(), code.to_owned());
    assert_eq!(codes(&answer.expect_err(code)), expected);
}
