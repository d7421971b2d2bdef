//! A proxy in the environment gets what is meant for it, and nothing of this machine.

use std::sync::{Arc, Mutex};

use axum::Router;
use http::header::CONTENT_TYPE;
use serde_json::json;
use tapegate::grpc::proto::{ListTapesRequest, tape_service_client::TapeServiceClient};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::watch,
};
use tokio_util::task::AbortOnDropHandle;
use tonic::transport::Endpoint;

use crate::harness::{HttpServer, Program, Reply, Service, Site, Upstream, bearer, eventually, get};

/// A proxy that writes down the first line of every request, and refuses it.
struct Proxy {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
    _serving: AbortOnDropHandle<()>,
}

impl Proxy {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let written = seen.clone();
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut buffer = [0; 4096];
                let read = stream.read(&mut buffer).await.unwrap_or_default();
                let text = String::from_utf8_lossy(&buffer[..read]).into_owned();
                let first = text.lines().next().unwrap_or_default().to_owned();
                written.lock().unwrap().push(first);
                let refusal = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                let _ = stream.write_all(refusal).await;
            }
        });
        Self {
            url,
            seen,
            _serving: AbortOnDropHandle::new(serving),
        }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// All variables that name a proxy.
    fn variables(&self) -> [(&'static str, &str); 6] {
        [
            "HTTP_PROXY",
            "http_proxy",
            "HTTPS_PROXY",
            "https_proxy",
            "ALL_PROXY",
            "all_proxy",
        ]
        .map(|name| (name, self.url.as_str()))
    }
}

/// A server on loopback that answers every request with this body, and counts the requests.
struct Server {
    http: HttpServer,
    requests: watch::Receiver<u32>,
}

impl Server {
    async fn answering(content_type: &'static str, body: String) -> Self {
        let (count, requests) = watch::channel(0);
        let answer = move || {
            count.send_modify(|requests| *requests += 1);
            let answer = ([(CONTENT_TYPE, content_type)], body.clone());
            async move { answer }
        };
        Self {
            http: HttpServer::start(Router::new().fallback(answer)).await,
            requests,
        }
    }
}

const KEYS: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "AKIDTEST"),
    ("AWS_SECRET_ACCESS_KEY", "secret-of-the-tests"),
];

fn list() -> ListTapesRequest {
    ListTapesRequest {
        max_items: 1,
        ..Default::default()
    }
}

#[tokio::test]
async fn dev_reaches_its_own_emulator() {
    let proxy = Proxy::start().await;
    let program = Program::start(&["dev", "--emulator-listen=127.0.0.1:0"], proxy.variables());
    let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
    client.list_tapes(list()).await.unwrap();
    assert_eq!(proxy.seen(), [""; 0]);
}

#[tokio::test]
async fn keys_on_loopback_are_fetched_directly_so_that_a_proxy_lets_nobody_in() {
    let (proxy, site) = (Proxy::start().await, Site::new());
    let keys = std::fs::read_to_string(site.path("jwks.json")).unwrap();
    let server = Server::answering("application/json", keys).await;
    let upstream = Service::dev(&[]).await;
    let file = site.path("jwks.json").display().to_string();
    let config = site.config().replace(&file, &format!("{}/keys", server.http.url));
    std::fs::write(site.path("tapegate.toml"), config).unwrap();
    let config = format!("--config={}", site.path("tapegate.toml").display());
    let endpoint = format!("--upstream-endpoint=http://{}", upstream.emulator.unwrap());
    let program = Program::start(
        &["serve", &config, &endpoint],
        proxy.variables().into_iter().chain(KEYS),
    );
    let channel = Endpoint::new(program.grpc.clone()).unwrap().connect_lazy();
    let client = bearer(channel, Some(&site.jwt("somebody", &["operators"])));
    eventually("the token is accepted, which needs the keys", async || {
        client.clone().list_tapes(list()).await.is_ok()
    })
    .await;
    assert_eq!(proxy.seen(), [""; 0]);
}

#[tokio::test]
async fn metadata_services_are_asked_directly() {
    let proxy = Proxy::start().await;
    // A container's credentials, on loopback as EKS Pod Identity and ECS have them on link-local.
    let credentials = json!({
        "AccessKeyId": "AKIDOFAROLE", "SecretAccessKey": "secret", "Token": "token",
        "Expiration": "2999-01-01T00:00:00Z",
    });
    let metadata = Server::answering("application/json", credentials.to_string()).await;
    let upstream = Upstream::answering(|_| async { Reply::ok(&json!({"TapeInfos": []})) }).await;
    let url = format!("{}/credentials", metadata.http.url);
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "the-token-of-the-pod"),
    ];
    let endpoint = format!("--upstream-endpoint={}", upstream.endpoint());
    let arguments = ["serve", "--allow-anonymous", "--region=us-east-1", &endpoint];
    let program = Program::start(&arguments, proxy.variables().into_iter().chain(variables));
    let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
    client.list_tapes(list()).await.unwrap();
    assert_eq!(upstream.asked()[0].access_key_id, "AKIDOFAROLE");
    assert_eq!(proxy.seen(), [""; 0]);
}

#[tokio::test]
async fn the_link_local_addresses_of_metadata_services_are_not_asked_of_a_proxy() {
    let proxy = Proxy::start().await;
    let upstream = Upstream::answering(|_| async { Reply::ok(&json!({"TapeInfos": []})) }).await;
    for variables in [
        vec![],
        vec![("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials")],
    ] {
        let endpoint = format!("--upstream-endpoint={}", upstream.endpoint());
        let arguments = ["serve", "--allow-anonymous", "--region=us-east-1", &endpoint];
        let mut program = Program::start(&arguments, proxy.variables().into_iter().chain(variables));
        program.logged("no AWS credentials").await;
    }
    assert_eq!(proxy.seen(), [""; 0]);
}

#[tokio::test]
async fn a_collector_on_loopback_is_reached_directly() {
    let proxy = Proxy::start().await;
    let mut collector = Server::answering("application/x-protobuf", String::new()).await;
    let upstream = Service::dev(&[]).await;
    let endpoint = format!("--upstream-endpoint=http://{}", upstream.emulator.unwrap());
    let otlp = format!("--otlp-endpoint={}", collector.http.url);
    let arguments = [
        "serve",
        "--allow-anonymous",
        "--region=us-east-1",
        "--otlp-protocol=http",
        &endpoint,
        &otlp,
    ];
    let variables = [
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "50"),
    ];
    let _program = Program::start(
        &arguments,
        proxy.variables().into_iter().chain(KEYS).chain(variables),
    );
    collector
        .requests
        .wait_for(|requests| *requests > 0)
        .await
        .unwrap();
    assert_eq!(proxy.seen(), [""; 0]);
}

#[tokio::test]
async fn aws_is_reached_through_the_proxy_whose_errors_name_it() {
    let proxy = Proxy::start().await;
    let variables = [("HTTPS_PROXY", proxy.url.as_str())].into_iter().chain(KEYS);
    let mut program = Program::start(&["serve", "--allow-anonymous", "--region=us-east-1"], variables);
    let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
    let status = client.list_tapes(list()).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unavailable, "{status:?}");
    let line = program.logged("call ended").await;
    let named = format!("through the proxy {} (HTTPS_PROXY)", proxy.url);
    assert!(line.contains(&named), "{line}");
    let mut seen = proxy.seen();
    seen.sort();
    seen.dedup();
    // STS is asked whose the credentials are.
    let hosts = ["storagegateway", "sts"];
    let tunnels = hosts.map(|host| format!("CONNECT {host}.us-east-1.amazonaws.com:443 HTTP/1.1"));
    assert_eq!(seen, tunnels);
}

#[tokio::test]
async fn no_proxy_exempts_aws() {
    let proxy = Proxy::start().await;
    // A name that has no address, so that nothing leaves this machine.
    let upstream = "--upstream-endpoint=https://aws.invalid";
    let variables = [("HTTPS_PROXY", proxy.url.as_str()), ("NO_PROXY", ".invalid")];
    let arguments = ["serve", "--allow-anonymous", "--region=us-east-1", upstream];
    let program = Program::start(&arguments, variables.into_iter().chain(KEYS));
    let mut client = TapeServiceClient::connect(program.grpc.clone()).await.unwrap();
    client.list_tapes(list()).await.unwrap_err();
    assert_eq!(proxy.seen(), [""; 0]);
}

#[tokio::test]
async fn the_key_server_of_an_issuer_is_reached_through_the_proxy_whose_errors_name_it() {
    let (proxy, site) = (Proxy::start().await, Site::new());
    let file = site.path("jwks.json").display().to_string();
    let config = site.config().replace(&file, "https://keys.invalid/jwks.json");
    std::fs::write(site.path("tapegate.toml"), config).unwrap();
    let config = format!("--config={}", site.path("tapegate.toml").display());
    let variables = [("ALL_PROXY", proxy.url.as_str())].into_iter().chain(KEYS);
    let endpoint = "--upstream-endpoint=http://127.0.0.1:1";
    let mut program = Program::start(&["serve", &config, endpoint], variables);
    let line = program.logged("failed to fetch the keys of an issuer").await;
    let named = format!("through the proxy {} (ALL_PROXY)", proxy.url);
    assert!(line.contains(&named), "{line}");
    assert_eq!(proxy.seen()[0], "CONNECT keys.invalid:443 HTTP/1.1");
}

#[tokio::test]
async fn an_endpoint_of_the_environment_is_shown_with_its_variable() {
    let upstream = Service::dev(&[]).await;
    let url = format!("http://{}", upstream.emulator.unwrap());
    let variables = [("AWS_ENDPOINT_URL", url.as_str())].into_iter().chain(KEYS);
    let mut program = Program::start(&["serve", "--allow-anonymous", "--region=us-east-1"], variables);
    let line = program.logged("the service has started").await;
    let shown = format!("{url}/ (AWS_ENDPOINT_URL)");
    assert!(line.contains(&shown), "{line}");
    let (_, settings) = get(&format!("{}/config", program.admin)).await;
    let setting = format!("endpoint = \"{url}\"  # AWS_ENDPOINT_URL");
    assert!(settings.contains(&setting), "{settings}");
}
