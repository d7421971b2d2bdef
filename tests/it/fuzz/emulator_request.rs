//! Requests to the emulator: a line with method and path, lines of headers, an empty line, the body.
//! `{date}` and `{time}` are those of a signature of now.

use std::{sync::LazyLock, time::SystemTime};

use http::Request;
use http_body_util::{BodyExt, Full};
use jiff::Timestamp;
use tapegate_emulator::{Emulator, Settings};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().enable_all().build().unwrap());

static EMULATOR: LazyLock<Emulator> = LazyLock::new(|| Emulator::new(Settings::default()));

fn request(bytes: &[u8]) -> Option<Request<Full<bytes::Bytes>>> {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n")?;
    let now = Timestamp::try_from(SystemTime::now()).ok()?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let head = head
        .replace("{date}", &now.strftime("%Y%m%d").to_string())
        .replace("{time}", &now.strftime("%Y%m%dT%H%M%SZ").to_string());
    let mut lines = head.lines();
    let (method, path) = lines.next()?.split_once(' ')?;
    let mut request = Request::builder().method(method).uri(path);
    for line in lines {
        let (name, value) = line.split_once(": ")?;
        request = request.header(name, value);
    }
    request.body(bytes[end + 2..].to_vec().into()).ok()
}

/// No request is an internal error, and what claims to be JSON is JSON.
pub fn run(bytes: &[u8]) {
    let Some(request) = request(bytes) else { return };
    EMULATOR.reset();
    let (head, body) = RUNTIME.block_on(async {
        let (head, body) = EMULATOR.router().oneshot(request).await.unwrap().into_parts();
        (head, body.collect().await.unwrap().to_bytes())
    });
    assert!(!head.status.is_server_error(), "{head:?}: {body:?}");
    let kind = head
        .headers
        .get("content-type")
        .and_then(|kind| kind.to_str().ok());
    if kind.is_some_and(|kind| kind.contains("json")) {
        serde_json::from_slice::<serde_json::Value>(&body).unwrap();
    }
}
