use axum::Router;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// An HTTP server on loopback, which stops when this is dropped.
pub struct HttpServer {
    /// Where it is, without a path.
    pub url: String,
    _serving: AbortOnDropHandle<()>,
}

impl HttpServer {
    /// Answers by `router`.
    pub async fn start(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            _serving: AbortOnDropHandle::new(serving),
        }
    }
}
