//! Responses of AWS: a line with operation and HTTP status, lines of headers, an empty line, the body.
//!
//! The whole service answers a call of the operation, over in-memory connections and in paused time.

use std::{
    convert::Infallible,
    fmt::Debug,
    io,
    net::SocketAddr,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use futures_util::TryStreamExt;
use hyper_util::rt::TokioIo;
use tapegate::{
    app::{
        App, Credentials,
        cli::{self, Command},
        network::Network,
        shutdown::Shutdown,
    },
    grpc::{
        connection::listener::Listener,
        proto::{
            CreateTapeWithBarcodeRequest, CreateTapesRequest, DescribeTapeArchivesRequest,
            DescribeTapesRequest, ListTapesRequest, tape_service_client::TapeServiceClient,
        },
    },
    upstream::sdk::{SdkSettings, SharedHttpClient},
};
use tokio::{
    io::{DuplexStream, duplex},
    runtime::{Builder, Runtime},
    sync::mpsc,
};
use tonic::{
    Response, Status, Streaming,
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt;

/// What AWS responds to every request.
#[derive(Clone, Debug, Default)]
struct Canned(Arc<Mutex<Reply>>);

#[derive(Clone, Debug, Default)]
struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl HttpConnector for Canned {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let Reply {
            status,
            headers,
            body,
        } = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut response = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body));
        for (name, value) in headers {
            response.headers_mut().try_append(name, value).unwrap();
        }
        HttpConnectorFuture::ready(Ok(response))
    }
}

impl HttpClient for Canned {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// A network on which callers connect in memory.
struct InMemory {
    callers: Mutex<Option<Callers>>,
    aws: Canned,
}

struct Callers(mpsc::UnboundedReceiver<DuplexStream>);

impl Network for InMemory {
    type Listener = Callers;

    async fn bind(&self, _: SocketAddr) -> io::Result<Callers> {
        Ok(self.callers.lock().unwrap().take().unwrap())
    }

    fn http_client(&self, _: &SdkSettings) -> Result<SharedHttpClient, String> {
        Ok(SharedHttpClient::new(self.aws.clone()))
    }
}

impl Listener for Callers {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<(DuplexStream, SocketAddr)> {
        let stream = self.0.recv().await.ok_or(io::ErrorKind::BrokenPipe)?;
        Ok((stream, self.local_addr()?))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(([127, 0, 0, 1], 50_051).into())
    }
}

struct World {
    runtime: Runtime,
    aws: Canned,
    connect: mpsc::UnboundedSender<DuplexStream>,
}

static WORLD: LazyLock<Mutex<World>> = LazyLock::new(|| Mutex::new(World::new()));

impl World {
    fn new() -> Self {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let arguments = [
            "tapegate",
            "serve",
            "--allow-anonymous",
            "--region=us-east-1",
            "--admin-listen=127.0.0.1:0",
        ];
        let Ok(Command::Serve(checked)) = cli::parse(arguments, [] as [(&str, &str); 0]) else {
            panic!("not serve");
        };
        let (connect, callers) = mpsc::unbounded_channel();
        let aws = Canned::default();
        let network = InMemory {
            callers: Mutex::new(Some(Callers(callers))),
            aws: aws.clone(),
        };
        runtime.block_on(async {
            let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "fuzz");
            let app = App::serve_on(&network, *checked, Some(credentials))
                .await
                .unwrap();
            tokio::spawn(app.run(Shutdown::default()));
        });
        Self {
            runtime,
            aws,
            connect,
        }
    }

    /// A client with a connection of its own.
    fn client(&self) -> TapeServiceClient<Channel> {
        let connect = self.connect.clone();
        let connector = tower::service_fn(move |_| {
            let (ours, theirs) = duplex(1 << 16);
            connect.send(theirs).unwrap();
            async { Ok::<_, Infallible>(TokioIo::new(ours)) }
        });
        let endpoint = Endpoint::from_static("http://tapegate.example");
        TapeServiceClient::new(endpoint.connect_with_connector_lazy(connector))
    }
}

async fn whole<T>(answer: Result<Response<Streaming<T>>, Status>) -> Result<(), Status> {
    answer?.into_inner().try_collect::<Vec<_>>().await.map(drop)
}

const GATEWAY: &str = "arn:aws:storagegateway:us-east-1:123456789012:gateway/sgw-12A3456B";

async fn call(operation: &str, client: &mut TapeServiceClient<Channel>) -> Option<Result<(), Status>> {
    let gateway_arn = GATEWAY.to_owned();
    let tape_size_in_bytes = 100 << 30;
    Some(match operation {
        "CreateTapeWithBarcode" => {
            let request = CreateTapeWithBarcodeRequest {
                gateway_arn,
                tape_size_in_bytes,
                tape_barcode: "FUZ00001".to_owned(),
                ..Default::default()
            };
            client.create_tape_with_barcode(request).await.map(drop)
        }
        "CreateTapes" => {
            let request = CreateTapesRequest {
                gateway_arn,
                tape_size_in_bytes,
                client_token: "token".to_owned(),
                num_tapes_to_create: 2,
                tape_barcode_prefix: "FUZ".to_owned(),
                ..Default::default()
            };
            client.create_tapes(request).await.map(drop)
        }
        "DescribeTapes" => {
            let request = DescribeTapesRequest {
                gateway_arn,
                ..Default::default()
            };
            whole(client.describe_tapes(request).await).await
        }
        "DescribeTapeArchives" => {
            whole(
                client
                    .describe_tape_archives(DescribeTapeArchivesRequest::default())
                    .await,
            )
            .await
        }
        "ListTapes" => whole(client.list_tapes(ListTapesRequest::default()).await).await,
        _ => return None,
    })
}

/// The operation of an input, and AWS's reply to it.
fn reply(bytes: &[u8]) -> Option<(String, Reply)> {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n")?;
    let mut lines = std::str::from_utf8(&bytes[..end]).ok()?.lines();
    let (operation, status) = lines.next()?.split_once(' ')?;
    let status = status.parse().ok().filter(|status| (200..600).contains(status))?;
    let is_header = |(name, value): &(&str, &str)| {
        http::HeaderName::from_bytes(name.as_bytes()).is_ok() && http::HeaderValue::from_str(value).is_ok()
    };
    let headers = lines.filter_map(|line| line.split_once(": ").filter(is_header));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let reply = Reply {
        status,
        headers: headers.collect(),
        body: bytes[end + 2..].to_vec(),
    };
    Some((operation.to_owned(), reply))
}

/// Whatever AWS responds, a call ends well or with an error that has a machine-readable reason.
pub fn run(bytes: &[u8]) {
    let Some((operation, reply)) = reply(bytes) else {
        return;
    };
    let world = WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    *world.aws.0.lock().unwrap_or_else(PoisonError::into_inner) = reply;
    let ended = world.runtime.block_on(async {
        // So that no outage or throttling that an earlier input caused is remembered.
        tokio::time::advance(Duration::from_secs(60 * 60)).await;
        call(&operation, &mut world.client()).await
    });
    if let Some(Err(status)) = ended {
        let details = status.get_error_details();
        let info = details
            .error_info()
            .unwrap_or_else(|| panic!("no ErrorInfo: {status:?}"));
        assert!(
            !info.reason.is_empty() && info.metadata.contains_key("retry"),
            "{info:?}"
        );
    }
}
