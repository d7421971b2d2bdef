//! The network between callers, replicas and AWS. The service, the SDK, hyper and tonic on it are real.

use std::{
    error::Error,
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
        SharedHttpConnector,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use futures_util::future::BoxFuture;
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::{
    client::legacy::{
        self,
        connect::{Connected, Connection},
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tapegate::{app::network::Network, grpc::connection::listener::Listener, upstream::sdk::SdkSettings};
use tokio::time::timeout;
use tower::Service;
use turmoil::net::{TcpListener, TcpStream};

/// The network of the host that uses it.
#[derive(Clone, Copy, Debug)]
pub struct Simulated;

/// What accepts the connections of a host.
pub struct Accepting(TcpListener);

impl Accepting {
    /// Listens on a port of all addresses of the host.
    pub async fn on(port: u16) -> io::Result<Self> {
        Ok(Self(TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?))
    }
}

impl Network for Simulated {
    type Listener = Accepting;

    async fn bind(&self, address: SocketAddr) -> io::Result<Accepting> {
        Accepting::on(address.port()).await
    }

    fn http_client(&self, settings: &SdkSettings) -> Result<SharedHttpClient, String> {
        let sockets = Sockets {
            connect_timeout: settings.connect_timeout,
        };
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build(sockets);
        Ok(SharedHttpClient::new(AwsHttp(client)))
    }
}

impl Listener for Accepting {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        self.0.accept().await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl axum::serve::Listener for Accepting {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        self.0
            .accept()
            .await
            .expect("the simulated network accepts at any time")
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// Opens connections, for hyper and tonic.
#[derive(Clone, Copy, Debug)]
pub struct Sockets {
    pub connect_timeout: Duration,
}

/// A connection that was opened.
pub struct Socket(TokioIo<TcpStream>);

impl Service<Uri> for Sockets {
    type Response = Socket;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Socket>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connect_timeout = self.connect_timeout;
        Box::pin(async move {
            let host = uri.host().expect("every URL of a simulation has a host");
            let port = uri.port_u16().expect("every URL of a simulation has a port");
            let connected = timeout(connect_timeout, TcpStream::connect((host, port))).await?;
            Ok(Socket(TokioIo::new(connected?)))
        })
    }
}

impl Connection for Socket {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl Write for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// The HTTP client of the SDK. The SDK's own one opens TCP connections and no others; this is the same
/// hyper client, with the same classes of errors.
#[derive(Clone, Debug)]
struct AwsHttp(legacy::Client<Sockets, SdkBody>);

impl HttpClient for AwsHttp {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for AwsHttp {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x();
            let request = request.map_err(|error| ConnectorError::user(error.into()))?;
            let response = client.request(request).await.map_err(classified)?;
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

fn classified(error: legacy::Error) -> ConnectorError {
    let hyper = error
        .source()
        .and_then(|cause| cause.downcast_ref::<hyper::Error>());
    match hyper {
        _ if error.is_connect() => ConnectorError::io(error.into()),
        Some(cause) if cause.is_user() => ConnectorError::user(error.into()),
        Some(cause) if cause.is_closed() || cause.is_canceled() || is_io(cause) => {
            ConnectorError::io(error.into())
        }
        _ => ConnectorError::other(error.into(), None),
    }
}

fn is_io(error: &hyper::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<io::Error>() {
            return true;
        }
        cause = error.source();
    }
    false
}
