//! What is called: a service over gRPC, or AWS by the bare SDK.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use aws_sdk_storagegateway::Client;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use serde::{Deserialize, Serialize};
use tapegate::grpc::proto::{
    CreateTapesRequest, DescribeTapesRequest, ListTapesRequest, tape_service_client::TapeServiceClient,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, Endpoint, Uri},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tower::service_fn;

use crate::upstream::{ACCOUNTS, Place};

/// What callers do, again and again.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Work {
    /// One tape, with a token of its own.
    Create,
    /// A list.
    Walk(Walk),
    /// A page of the tapes of a gateway.
    Describe,
    /// A health check, which AWS is not asked for.
    Check,
}

/// A walk over a list.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Walk {
    /// How many pages the list has.
    pub(crate) pages: u64,
    /// The list of this number, which all callers walk over. Without it, each call has a list of its own.
    pub(crate) list: Option<u64>,
    /// Whether no response is shared.
    pub(crate) is_fresh: bool,
    /// How long AWS takes for each page, in ms.
    pub(crate) delay: u64,
}

impl Walk {
    /// A list that no other caller asks for.
    pub(crate) fn of(pages: u64) -> Self {
        Self {
            pages,
            ..Self::default()
        }
    }
}

/// One call that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    /// How many responses it had: pages of a list.
    pub(crate) messages: u64,
    /// How long it took.
    pub(crate) time: Duration,
    /// How long it took to the first response.
    pub(crate) first: Duration,
}

/// Where calls go.
pub(crate) enum Target {
    /// To AWS.
    Sdk(Client),
    /// To a service.
    Grpc {
        /// The connections.
        channels: Vec<Channel>,
        /// `authorization` of the calls on each connection, by turns; of none if this is empty.
        authorizations: Vec<MetadataValue<Ascii>>,
    },
}

impl Target {
    /// The SDK before this upstream.
    pub(crate) fn sdk(upstream: &str) -> Self {
        Self::Sdk(super::sdk(upstream))
    }

    /// The service at `address`; by TLS, if there is a file of root certificates. Each line of `tokens` is that
    /// of a caller.
    pub(crate) async fn grpc(
        address: &str,
        ca: Option<&str>,
        tokens: &str,
        connections: usize,
    ) -> Result<Self, String> {
        let mut channels = Vec::new();
        for _ in 0..connections {
            channels.push(connect(address, ca).await?);
        }
        let authorization = |token| format!("Bearer {token}").parse();
        let authorizations = tokens.lines().map(authorization).collect::<Result<_, _>>();
        Ok(Self::Grpc {
            channels,
            authorizations: authorizations.map_err(|_| "a token is no header")?,
        })
    }

    /// Does this once.
    pub(crate) async fn call(&self, work: Work) -> Result<Done, String> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let began = Instant::now();
        let mut first = None;
        let mut see = || *first.get_or_insert_with(|| began.elapsed());
        let messages = match work {
            Work::Create => {
                self.create(number).await?;
                see();
                1
            }
            Work::Walk(walk) => {
                let count = self.walk(number, walk, &mut see).await?;
                if count != walk.pages {
                    return Err(format!("{count} pages of {}", walk.pages));
                }
                count
            }
            Work::Describe => {
                self.describe(number).await?;
                see();
                1
            }
            Work::Check => {
                self.check(number).await?;
                see();
                1
            }
        };
        let time = began.elapsed();
        Ok(Done {
            messages,
            time,
            first: first.unwrap_or(time),
        })
    }

    async fn create(&self, number: u64) -> Result<(), String> {
        const SIZE: i64 = 107_374_182_400;
        let token = format!("bench-{}-{number}", std::process::id());
        let gateway = match self.callers() {
            0..=1 => super::GATEWAY.to_owned(),
            callers => gateway(number % callers),
        };
        let made = match self {
            Self::Sdk(client) => client
                .create_tapes()
                .gateway_arn(gateway)
                .tape_size_in_bytes(SIZE)
                .client_token(token)
                .num_tapes_to_create(1)
                .tape_barcode_prefix("TST")
                .send()
                .await
                .map_err(|error| error.to_string())?
                .tape_arns
                .unwrap_or_default(),
            Self::Grpc { .. } => {
                let request = CreateTapesRequest {
                    gateway_arn: gateway,
                    tape_size_in_bytes: SIZE,
                    client_token: token,
                    num_tapes_to_create: 1,
                    tape_barcode_prefix: "TST".to_owned(),
                    ..CreateTapesRequest::default()
                };
                let (channel, request) = self.request(number, request)?;
                let response = tapes(channel).create_tapes(request).await.map_err(told)?;
                response.into_inner().tape_arns
            }
        };
        match made.len() {
            1 => Ok(()),
            count => Err(format!("{count} tapes were made")),
        }
    }

    async fn describe(&self, number: u64) -> Result<(), String> {
        let request = DescribeTapesRequest {
            gateway_arn: super::GATEWAY.to_owned(),
            ..DescribeTapesRequest::default()
        };
        let (channel, request) = self.request(number, request)?;
        let pages = tapes(channel).describe_tapes(request).await.map_err(told)?;
        let mut pages = pages.into_inner();
        while pages.message().await.map_err(told)?.is_some() {}
        Ok(())
    }

    async fn check(&self, number: u64) -> Result<(), String> {
        let (channel, request) = self.request(number, HealthCheckRequest::default())?;
        let answer = HealthClient::new(channel).check(request).await.map_err(told)?;
        match answer.into_inner().status() {
            ServingStatus::Serving => Ok(()),
            other => Err(format!("the health is {other:?}")),
        }
    }

    /// Walks over a list, and calls `see` at each page. Returns how many pages it had.
    async fn walk(
        &self,
        number: u64,
        walk: Walk,
        see: &mut (impl FnMut() -> Duration + Send),
    ) -> Result<u64, String> {
        const LIMIT: i32 = 100;
        let place = Place {
            walk: walk.list.unwrap_or(number),
            page: 0,
            pages: walk.pages,
            delay: walk.delay,
        };
        let marker = place.marker();
        let mut count = 0;
        match self {
            Self::Sdk(client) => {
                let mut next = Some(marker);
                while let Some(marker) = next {
                    let answer = client.list_tapes().limit(LIMIT).marker(marker).send().await;
                    next = answer.map_err(|error| error.to_string())?.marker;
                    see();
                    count += 1;
                }
            }
            Self::Grpc { .. } => {
                let request = ListTapesRequest {
                    limit: LIMIT,
                    marker,
                    ..ListTapesRequest::default()
                };
                let (channel, mut request) = self.request(number, request)?;
                if walk.is_fresh {
                    let no_cache = MetadataValue::from_static("no-cache");
                    request.metadata_mut().insert("cache-control", no_cache);
                }
                let mut pages = tapes(channel)
                    .list_tapes(request)
                    .await
                    .map_err(told)?
                    .into_inner();
                while pages.message().await.map_err(told)?.is_some() {
                    see();
                    count += 1;
                }
            }
        }
        Ok(count)
    }

    fn request<T>(&self, number: u64, message: T) -> Result<(Channel, Request<T>), String> {
        let Self::Grpc {
            channels,
            authorizations,
        } = self
        else {
            return Err("the SDK has no requests of gRPC".to_owned());
        };
        let mut request = Request::new(message);
        let number = usize::try_from(number).unwrap_or(0);
        if let Some(authorization) = authorizations.get(number % authorizations.len().max(1)) {
            request
                .metadata_mut()
                .insert("authorization", authorization.clone());
        }
        Ok((channels[number % channels.len()].clone(), request))
    }

    /// How many callers there are.
    fn callers(&self) -> u64 {
        match self {
            Self::Sdk(_) => 1,
            Self::Grpc { authorizations, .. } => authorizations.len() as u64,
        }
    }
}

fn tapes(channel: Channel) -> TapeServiceClient<Channel> {
    TapeServiceClient::new(channel).max_decoding_message_size(64 << 20)
}

/// The gateway of an agent: one of 200, in three accounts.
pub(crate) fn gateway(agent: u64) -> String {
    let number = agent % 200;
    let account = ACCOUNTS
        .into_iter()
        .cycle()
        .nth(usize::try_from(number).unwrap_or(0));
    let account = account.unwrap_or(ACCOUNTS[0]);
    format!(
        "arn:aws:storagegateway:us-east-1:{account}:gateway/sgw-{:08X}",
        0x1000_0000 + number
    )
}

/// A connection to a service; by TLS, if there is a file of root certificates.
pub(crate) async fn connect(address: &str, ca: Option<&str>) -> Result<Channel, String> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|error| error.to_string())?;
    let endpoint = endpoint.tcp_nodelay(true);
    let channel = match ca {
        None => endpoint.connect().await,
        Some(path) => {
            let connector = tls(path)?;
            let dial = service_fn(move |uri: Uri| {
                let connector = connector.clone();
                async move {
                    let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
                    let stream = TcpStream::connect(authority).await?;
                    stream.set_nodelay(true)?;
                    let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
                    let stream = connector.connect(name, stream).await?;
                    Ok::<_, std::io::Error>(hyper_util::rt::TokioIo::new(stream))
                }
            });
            endpoint.connect_with_connector(dial).await
        }
    };
    channel.map_err(|error| format!("cannot connect to {address}: {error:?}"))
}

fn tls(ca: &str) -> Result<TlsConnector, String> {
    let mut roots = rustls::RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(ca).map_err(|error| error.to_string())?;
    roots.add(certificate).map_err(|error| error.to_string())?;
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsConnector::from(std::sync::Arc::new(config)))
}

/// An error as gRPC tells it.
#[allow(clippy::needless_pass_by_value, reason = "it is a function for map_err")]
fn told(status: Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}
