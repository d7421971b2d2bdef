use std::{
    convert::Infallible,
    future::ready,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Body, extract::Request, response::Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// An upstream that answers what a test says, and remembers what it was asked. It stops
/// when it is dropped.
pub struct Upstream {
    address: std::net::SocketAddr,
    asked: watch::Receiver<Vec<Asked>>,
    serving: JoinHandle<()>,
}

/// One request that came.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The operation's name.
    pub operation: String,
    /// The body.
    pub body: Value,
    /// The id of the key that signed it.
    pub access_key_id: String,
    /// The body, byte for byte.
    pub bytes: Bytes,
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The content type.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
    /// What else stands in its head.
    pub headers: Vec<(&'static str, String)>,
    /// The id that AWS gives each response.
    pub request_id: Option<&'static str>,
    /// Whether the body ends.
    pub ends: bool,
}

impl Reply {
    /// What AWS answers when all is well.
    pub fn ok(body: &Value) -> Self {
        Self::aws(200, body)
    }

    /// What AWS answers with this status.
    pub fn aws(status: u16, body: &Value) -> Self {
        Self {
            status,
            content_type: "application/x-amz-json-1.1",
            body: body.to_string(),
            headers: Vec::new(),
            request_id: Some("request-of-the-test"),
            ends: true,
        }
    }

    /// A body that is taken as it is.
    pub fn text(status: u16, content_type: &'static str, body: &str) -> Self {
        Self {
            status,
            content_type,
            body: body.to_owned(),
            headers: Vec::new(),
            request_id: Some("request-of-the-test"),
            ends: true,
        }
    }

    /// The same from a proxy, which gives no AWS request id.
    pub fn of_proxy(self) -> Self {
        Self {
            request_id: None,
            ..self
        }
    }

    /// The same, whose end never comes.
    pub fn without_end(self) -> Self {
        Self { ends: false, ..self }
    }

    /// The same, with this header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Upstream {
    /// Answers each request by what `answer` makes of it.
    pub async fn answering<F, A>(answer: F) -> Self
    where
        F: Fn(Asked) -> A + Send + Sync + 'static,
        A: Future<Output = Reply> + Send + 'static,
    {
        let (tell, asked) = watch::channel(Vec::new());
        let state = Arc::new((tell, answer));
        let router = Router::new().fallback(move |request: Request| {
            let state = state.clone();
            async move {
                let (tell, answer) = &*state;
                let asked = Asked::read(request).await;
                tell.send_modify(|all| all.push(asked.clone()));
                let Reply {
                    status,
                    content_type,
                    body,
                    headers,
                    request_id,
                    ends,
                } = answer(asked).await;
                let body = if ends {
                    Body::from(body)
                } else {
                    let bytes = stream::once(ready(Ok::<_, Infallible>(body)));
                    Body::from_stream(bytes.chain(stream::pending()))
                };
                let response = Response::builder()
                    .status(status)
                    .header("content-type", content_type);
                let id = request_id.map(|id| ("x-amzn-requestid", id.to_owned()));
                id.into_iter()
                    .chain(headers)
                    .fold(response, |response, (name, value)| response.header(name, value))
                    .body(body)
                    .unwrap()
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            asked,
            serving,
        }
    }

    /// Answers every request with the same.
    pub async fn always(reply: Reply) -> Self {
        Self::answering(move |_| ready(reply.clone())).await
    }

    /// Answers requests with these, in order; one too many is a panic.
    pub async fn script(replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies = Mutex::new(replies.into_iter().collect::<Vec<_>>().into_iter());
        Self::answering(move |asked| {
            let reply = replies.lock().unwrap().next();
            ready(reply.unwrap_or_else(|| panic!("not in the script: {asked:?}")))
        })
        .await
    }

    /// Reads the head of a request, writes these bytes and closes the connection.
    pub async fn raw(bytes: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (_tell, asked) = watch::channel(Vec::new());
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                read_head(&mut stream).await;
                let _ = stream.write_all(bytes).await;
            }
        });
        Self {
            address,
            asked,
            serving,
        }
    }

    /// Where it is.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.borrow().clone()
    }

    /// Waits until it was asked so often.
    pub async fn was_asked(&self, times: usize) {
        self.asked
            .clone()
            .wait_for(|asked| asked.len() >= times)
            .await
            .unwrap();
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Asked {
    /// The body with which AWS answers a create that succeeds: the ARNs of the requested tapes. Empty for
    /// other operations.
    pub fn created(&self) -> Value {
        let text = |member: &str| self.body[member].as_str().unwrap();
        let arn = |barcode: &str| {
            let (owner, _) = text("GatewayARN").split_once(":gateway/").unwrap();
            format!("{owner}:tape/{barcode}")
        };
        match self.operation.as_str() {
            "CreateTapeWithBarcode" => json!({ "TapeARN": arn(text("TapeBarcode")) }),
            "CreateTapes" => {
                let prefix = text("TapeBarcodePrefix");
                let count = self.body["NumTapesToCreate"].as_u64().unwrap();
                let arns = (1..=count).map(|number| arn(&format!("{prefix}{number:06X}")));
                json!({ "TapeARNs": arns.collect::<Vec<_>>() })
            }
            _ => json!({}),
        }
    }

    async fn read(request: Request) -> Self {
        let (head, body) = request.into_parts();
        let target = head.headers["x-amz-target"].to_str().unwrap();
        let operation = target
            .strip_prefix("StorageGateway_20130630.")
            .unwrap()
            .to_owned();
        let (_, scope) = head.headers["authorization"]
            .to_str()
            .unwrap()
            .split_once("Credential=")
            .unwrap();
        let access_key_id = scope.split('/').next().unwrap().to_owned();
        let body = body.collect().await.unwrap().to_bytes();
        Self {
            operation,
            access_key_id,
            body: serde_json::from_slice(&body).unwrap(),
            bytes: body,
        }
    }
}

async fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
}
