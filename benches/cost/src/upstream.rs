//! An upstream that answers faster than any SDK can ask: it looks for the operation and the marker, and
//! sends bytes that it has made before. It checks no signature and keeps nothing.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};

/// How many tapes a page has.
pub(crate) const TAPES: u64 = 100;

/// The accounts; the first one is that of the credentials.
pub(crate) const ACCOUNTS: [&str; 3] = ["123456789012", "222222222222", "333333333333"];

/// Where a list stands: a marker that says all that the upstream needs to know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Which walk this is. Walks of different numbers are different requests, which nobody coalesces.
    pub(crate) walk: u64,
    /// The next page.
    pub(crate) page: u64,
    /// How many pages the list has.
    pub(crate) pages: u64,
    /// How long each page takes, in ms.
    pub(crate) delay: u64,
}

impl Place {
    /// The marker.
    pub(crate) fn marker(self) -> String {
        let Self {
            walk,
            page,
            pages,
            delay,
        } = self;
        format!("{walk}-{page}-{pages}-{delay}")
    }

    fn parse(marker: &str) -> Option<Self> {
        let mut numbers = marker.split('-').map(|number| number.parse().ok());
        let mut next = || numbers.next().flatten();
        Some(Self {
            walk: next()?,
            page: next()?,
            pages: next()?,
            delay: next()?,
        })
    }
}

/// Serves until the process ends. Prints its address.
pub(crate) async fn serve() -> Result<(), String> {
    let listener = crate::listen("upstream").await?;
    let answers = Arc::new(Answers::new());
    loop {
        let (stream, _) = listener.accept().await.map_err(|error| error.to_string())?;
        let _ = stream.set_nodelay(true);
        let answers = answers.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let answers = answers.clone();
                async move { Ok::<_, Infallible>(answers.answer(request).await) }
            });
            let mut server = http1::Builder::new();
            server.timer(TokioTimer::new());
            // A client that goes away is no error here.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

const IDENTITY: &[u8] = b"<GetCallerIdentityResponse><GetCallerIdentityResult>\
    <Arn>arn:aws:iam::123456789012:user/bench</Arn><UserId>BENCH</UserId><Account>123456789012</Account>\
    </GetCallerIdentityResult></GetCallerIdentityResponse>";

/// STS: whose the service's credentials are, and those of the roles that it assumes.
fn token_service(request: &[u8]) -> Bytes {
    let request = String::from_utf8_lossy(request);
    let account = request
        .split_once("RoleArn=arn%3Aaws%3Aiam%3A%3A")
        .and_then(|(_, rest)| rest.get(..12));
    let Some(account) = account else {
        return Bytes::from_static(IDENTITY);
    };
    let (id, secret) = crate::CREDENTIALS;
    format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
         <AssumedRoleUser><Arn>arn:aws:sts::{account}:assumed-role/tapegate/bench</Arn>\
         <AssumedRoleId>BENCH:bench</AssumedRoleId></AssumedRoleUser>\
         <Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
         <SessionToken>token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>\
         </AssumeRoleResult></AssumeRoleResponse>"
    )
    .into()
}

fn created(account: &str) -> String {
    format!(r#"{{"TapeARNs":["arn:aws:storagegateway:us-east-1:{account}:tape/TST000000"]}}"#)
}

struct Answers {
    requests: AtomicU64,
    tapes: String,
    created: Bytes,
    described: Bytes,
}

impl Answers {
    fn new() -> Self {
        let tapes: Vec<_> = (0..TAPES)
            .map(|number| {
                format!(
                    r#"{{"TapeARN":"arn:aws:storagegateway:us-east-1:123456789012:tape/TST{number:06}","TapeBarcode":"TST{number:06}","TapeSizeInBytes":107374182400,"TapeStatus":"AVAILABLE","GatewayARN":"{}","PoolId":"GLACIER"}}"#,
                    crate::GATEWAY
                )
            })
            .collect();
        let described = tapes.iter().map(|tape| {
            let fields = r#""TapeCreatedDate":1.7e9,"TapeUsedInBytes":1024,"VTLDevice":"tape""#;
            tape.replacen('{', &format!("{{{fields},"), 1)
        });
        let described: Vec<_> = described.collect();
        Self {
            requests: AtomicU64::new(0),
            tapes: tapes.join(","),
            created: created(ACCOUNTS[0]).into(),
            described: format!(r#"{{"Tapes":[{}]}}"#, described.join(",")).into(),
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if request.method() == Method::GET {
            let count = self.requests.load(Ordering::Relaxed).to_string();
            return Response::new(Full::new(count.into()));
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        let operation = request.headers().get("x-amz-target").cloned();
        let operation = operation.as_ref().and_then(|value| value.to_str().ok());
        let operation = operation.and_then(|name| name.rsplit('.').next());
        let body = match request.into_body().collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => Bytes::new(),
        };
        let answer = match operation {
            Some("ListTapes") => self.page(&body).await,
            Some("DescribeTapes") => self.described.clone(),
            Some(_) => self.created(&body),
            None => token_service(&body),
        };
        let mut response = Response::new(Full::new(answer));
        let headers = response.headers_mut();
        headers.insert(
            "content-type",
            http::HeaderValue::from_static("application/x-amz-json-1.1"),
        );
        headers.insert(
            "x-amzn-requestid",
            http::HeaderValue::from_static("6f1c29a4-0c38-4a3a-8a0e-5f6f2f8f3a11"),
        );
        response
    }

    /// One tape, in the account of the gateway.
    fn created(&self, request: &[u8]) -> Bytes {
        let request = String::from_utf8_lossy(request);
        let account = request
            .split_once("arn:aws:storagegateway:us-east-1:")
            .and_then(|(_, rest)| rest.split(':').next());
        match account {
            Some(account) if account != ACCOUNTS[0] => created(account).into(),
            _ => self.created.clone(),
        }
    }

    async fn page(&self, request: &[u8]) -> Bytes {
        let request = String::from_utf8_lossy(request);
        // Some write a space before the value.
        let marker = request
            .split_once(r#""Marker""#)
            .and_then(|(_, rest)| rest.split('"').nth(1));
        let Some(place) = marker.and_then(Place::parse) else {
            return Bytes::from_static(br#"{"TapeInfos":[]}"#);
        };
        if place.delay > 0 {
            // A timer of tokio would be late by up to 1 ms.
            let delay = Duration::from_millis(place.delay);
            let _ = tokio::task::spawn_blocking(move || thread::sleep(delay)).await;
        }
        let next = Place {
            page: place.page + 1,
            ..place
        };
        let marker = if next.page < next.pages {
            format!(r#","Marker":"{}""#, next.marker())
        } else {
            String::new()
        };
        format!(r#"{{"TapeInfos":[{}]{marker}}}"#, self.tapes).into()
    }
}
