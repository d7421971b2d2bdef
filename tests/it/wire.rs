//! Calls as bytes: requests that no client library sends, and responses as they are on the wire.

use std::{convert::Infallible, fmt::Debug, net::SocketAddr};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use prost::Message;
use tonic::{
    Status,
    body::Body,
    transport::{Channel, Error},
};
use tonic_types::pb;
use tower::{Service, ServiceExt};

use crate::harness::refusal;

/// The bytes before the trailers of a response without messages on a new connection: SETTINGS with its
/// acknowledgement, WINDOW_UPDATE, a PING, and the heads of all frames.
const FRAMES: usize = 128;

/// What came back.
pub struct Raw {
    /// The block that the answer began with.
    pub headers: HeaderMap,
    /// The block that the status is in: the trailers, or the headers where there is no more.
    pub trailers: HeaderMap,
}

impl Raw {
    /// The call's status. A call has to have one.
    pub fn status(&self) -> Status {
        Status::from_header_map(&self.trailers).unwrap_or_else(|| panic!("no status in {:?}", self.trailers))
    }

    /// Checks what stock clients and nginx can take: 8 KiB of trailers as HTTP/2 counts them, and 4 KiB as
    /// text.
    pub fn assert_bounded(&self) {
        let sizes = self
            .trailers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len());
        let (text, count) = (sizes.sum::<usize>(), self.trailers.len());
        let message = self.trailers.get("grpc-message").map_or(0, HeaderValue::len);
        assert!(
            text < 4 * 1024 - FRAMES && text + 32 * count < 8 * 1024 && message <= 1024,
            "{text} bytes of {count} trailers, {message} of message: {:?}",
            self.trailers
        );
    }

    /// Checks what holds for every error: it has an `ErrorInfo`, and a `RequestInfo` with the
    /// id that was given back, no kind of detail twice, and its words fit.
    pub fn assert_complete(&self) {
        self.assert_bounded();
        let status = pb::Status::decode(self.status().details()).expect("details");
        let mut kinds: Vec<_> = status.details.iter().map(|detail| &*detail.type_url).collect();
        kinds.sort_unstable();
        let all = kinds.len();
        kinds.dedup();
        assert_eq!(all, kinds.len(), "each kind once: {kinds:?}");
        assert_eq!(
            (status.code, &*status.message),
            (self.status().code() as i32, self.status().message())
        );
        let refused = refusal(&self.status());
        let request = refused.details.request_info().expect("a RequestInfo");
        assert_eq!(
            request.request_id.as_bytes(),
            self.headers["x-request-id"].as_bytes()
        );
        // Of the headers of a response, trailers have none.
        assert!(self.is_trailers_only() || !self.trailers.contains_key("content-type"));
    }

    /// Whether there was no more than headers, so that a client may repeat the call by itself.
    pub fn is_trailers_only(&self) -> bool {
        self.headers.contains_key("grpc-status")
    }
}

/// POSTs this body, framed or not, to a path with these headers beside the usual ones.
pub async fn post(
    mut channel: Channel,
    path: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Result<Raw, Error> {
    let request = request(path, headers, Body::new(Full::new(body)));
    Ok(read(channel.ready().await?.call(request).await?).await)
}

/// As [`post`], over a connection of its own that keeps no time: tonic's ends a call by
/// itself once its `grpc-timeout` is over.
pub async fn post_at<B>(server: SocketAddr, path: &str, headers: &[(&str, &str)], body: B) -> Raw
where
    B: http_body::Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    let uri = format!("http://{server}{path}");
    read(client.request(request(&uri, headers, body)).await.unwrap()).await
}

fn request<B>(uri: &str, headers: &[(&str, &str)], body: B) -> Request<B> {
    let mut request = Request::post(uri)
        .header("te", "trailers")
        .header("content-type", "application/grpc")
        .body(body)
        .unwrap();
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    request
}

async fn read<B: http_body::Body<Data = Bytes, Error: Debug>>(response: Response<B>) -> Raw {
    let (head, body) = response.into_parts();
    assert_eq!(head.status, 200, "gRPC has its own statuses");
    let body = body.collect().await.expect("a body that ends in order");
    let headers = head.headers;
    let trailers = body.trailers().cloned().unwrap_or_else(|| headers.clone());
    Raw { headers, trailers }
}

/// POSTs one message to a method of the service.
pub async fn call(channel: Channel, method: &str, message: &[u8]) -> Raw {
    let path = format!("/tapegate.v1.TapeService/{method}");
    post(channel, &path, &[], frame(message))
        .await
        .expect("the connection holds")
}

/// A message as it goes on the wire: not compressed, its length, itself.
pub fn frame(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(message.len().try_into().unwrap());
    framed.put_slice(message);
    framed.freeze()
}
