use std::{
    collections::HashMap,
    error::Error,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_smithy_http_client::{
    Connector,
    proxy::ProxyConfig,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
            SharedHttpConnector,
        },
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::body::SdkBody;
use http::Uri;
use http_body_util::Limited;

use super::settings::SdkSettings;
use crate::network::{Proxies, Proxy, read_root_certificates};

/// The HTTP client of the SDK, for requests to AWS and for those that fetch credentials. It decides
/// about proxies by [`Proxies`], not by the SDK's own reading of the environment, and limits the size of
/// response bodies.
///
/// # Errors
///
/// If the file of root certificates is invalid, or a proxy cannot be used.
pub fn http_client(settings: &SdkSettings) -> Result<SharedHttpClient, String> {
    let network = &settings.network;
    let trusted = match &network.ca_bundle {
        Some(path) => TrustStore::empty().with_pem_certificate(read_root_certificates(path)?),
        None => TrustStore::empty().with_native_roots(network.native_roots),
    };
    let tls = TlsContext::builder().with_trust_store(trusted).build();
    let through = network
        .proxies
        .all()
        .map(|proxy| Ok((proxy.clone(), config(proxy)?)));
    Ok(SharedHttpClient::new(RoutingClient {
        proxies: network.proxies.clone(),
        through: through.collect::<Result<_, String>>()?,
        tls: tls.map_err(|error| error.to_string())?,
        connectors: Mutex::default(),
        max_response_bytes: settings.max_answer_bytes,
    }))
}

/// The SDK's configuration of a proxy.
fn config(proxy: &Proxy) -> Result<ProxyConfig, String> {
    let config = ProxyConfig::all(proxy.url().clone()).map_err(|error| format!("{proxy}: {error}"))?;
    Ok(match proxy.credentials() {
        Some((user, password)) => config.with_basic_auth(user, password),
        None => config,
    })
}

/// Makes connectors, one for each pair of timeouts, which the clients of the SDK share.
#[derive(Debug)]
struct RoutingClient {
    proxies: Proxies,
    through: Vec<(Arc<Proxy>, ProxyConfig)>,
    tls: TlsContext,
    connectors: Mutex<HashMap<[Option<Duration>; 2], SharedHttpConnector>>,
    max_response_bytes: usize,
}

impl HttpClient for RoutingClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let timeouts = [settings.connect_timeout(), settings.read_timeout()];
        let mut connectors = self.connectors.lock().unwrap_or_else(PoisonError::into_inner);
        let connector = connectors.entry(timeouts).or_insert_with(|| {
            let connector = |proxy: ProxyConfig| {
                let mut builder = Connector::builder()
                    .proxy_config(proxy)
                    .connector_settings(settings.clone());
                builder.set_sleep_impl(components.sleep_impl());
                let builder = builder.tls_provider(Provider::Rustls(CryptoMode::AwsLc));
                Arc::new(builder.tls_context(self.tls.clone()).build())
            };
            let through = self.through.iter();
            let through = through.map(|(proxy, config)| (proxy.clone(), connector(config.clone())));
            SharedHttpConnector::new(RoutingConnector {
                proxies: self.proxies.clone(),
                direct: connector(ProxyConfig::disabled()),
                through: through.collect(),
                max_response_bytes: self.max_response_bytes,
            })
        });
        connector.clone()
    }
}

/// Sends each request directly, or through the proxy of its URL.
#[derive(Debug)]
struct RoutingConnector {
    proxies: Proxies,
    direct: Arc<Connector>,
    through: Vec<(Arc<Proxy>, Arc<Connector>)>,
    max_response_bytes: usize,
}

impl RoutingConnector {
    /// The proxy for a URL, if it has one, with its connector.
    fn through(&self, url: &str) -> Option<&(Arc<Proxy>, Arc<Connector>)> {
        // Most services have no proxy: then the URL is not parsed.
        self.through.first()?;
        let url: Uri = url.parse().ok()?;
        let proxy = self.proxies.for_url(&url)?;
        self.through.iter().find(|(known, _)| known == proxy)
    }
}

impl HttpConnector for RoutingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let max_bytes = self.max_response_bytes;
        let Some((proxy, connector)) = self.through(request.uri()) else {
            let response = self.direct.call(request);
            return HttpConnectorFuture::new(async move { Ok(limited(response.await?, max_bytes)) });
        };
        let (proxy, response) = (proxy.clone(), connector.call(request));
        HttpConnectorFuture::new(async move {
            let response = response.await.map_err(|error| {
                let wrapped = |error| -> BoxError {
                    Box::new(ThroughProxy {
                        proxy: proxy.to_string(),
                        error,
                    })
                };
                through_proxy(error, wrapped)
            })?;
            Ok(limited(response, max_bytes))
        })
    }
}

/// The response, whose body fails if it is larger. The SDK reads any amount into memory.
fn limited(response: HttpResponse, max_bytes: usize) -> HttpResponse {
    response.map(|body| SdkBody::from_body_1_x(Limited::new(body, max_bytes)))
}

/// An error of a connection through a proxy, which may be the proxy's fault.
#[derive(Debug)]
struct ThroughProxy {
    proxy: String,
    error: BoxError,
}

impl fmt::Display for ThroughProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "through the proxy {}", self.proxy)
    }
}

impl Error for ThroughProxy {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.error)
    }
}

/// The same error of the same kind, with its source wrapped.
fn through_proxy(error: ConnectorError, wrapped: impl FnOnce(BoxError) -> BoxError) -> ConnectorError {
    let (is_timeout, is_user, is_io) = (error.is_timeout(), error.is_user(), error.is_io());
    let kind = error.as_other();
    let connection = error.connection_metadata().cloned();
    let source = wrapped(error.into_source());
    let error = match (is_timeout, is_user, is_io) {
        (true, ..) => ConnectorError::timeout(source),
        (_, true, _) => ConnectorError::user(source),
        (.., true) => ConnectorError::io(source),
        _ => ConnectorError::other(source, kind),
    };
    match connection {
        Some(connection) => error.with_connection(connection),
        None => error,
    }
}
