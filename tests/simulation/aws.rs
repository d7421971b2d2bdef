//! AWS: the emulator, and what it knows of every create that reached it.

use std::{
    collections::BTreeSet,
    future::poll_fn,
    net::{Ipv4Addr, SocketAddr},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tapegate_emulator::{Credentials, Emulator, Settings};
use tower::ServiceExt;

use super::{
    history::{CallId, Event, History},
    network::Accepting,
};

/// The host, and the port of its API.
pub const HOST: &str = "aws";
pub const PORT: u16 = 4588;

/// The longest body that a request has.
const MAX_BODY: usize = 1 << 20;

/// The account. It outlives the host that serves it. Clones share it.
#[derive(Clone)]
pub struct Aws {
    emulator: Emulator,
    history: History,
    refused: Arc<Mutex<BTreeSet<String>>>,
}

impl Aws {
    /// An account without tapes, which accepts these credentials.
    pub fn new(history: History, keys: impl IntoIterator<Item = Credentials>, seed: u64) -> Self {
        let settings = Settings {
            seed_tapes: 0,
            fault_seed: seed,
            credentials: keys.into_iter().collect(),
            ..Settings::default()
        };
        Self {
            emulator: Emulator::new(settings),
            history,
            refused: Arc::default(),
        }
    }

    /// Serves the API on the host that calls this.
    pub async fn serve(self) -> turmoil::Result {
        self.set_clock();
        let router = self.emulator.router();
        let router = router.layer(from_fn_with_state(self, observe));
        axum::serve(Accepting::on(PORT).await?, router).await?;
        Ok(())
    }

    /// Replaces the fault rules.
    pub fn set_faults(&self, rules: &[Value]) {
        self.control("DELETE", Body::empty());
        if !rules.is_empty() {
            self.control("POST", Body::from(json!(rules).to_string()));
        }
    }

    /// Refuses the key with this id from now on.
    pub fn refuse(&self, access_key_id: &str) {
        self.refused().insert(access_key_id.to_owned());
    }

    /// The barcodes of all tapes.
    pub fn tapes(&self) -> BTreeSet<String> {
        let state = self.state();
        let tapes = state["regions"]["us-east-1"]["tapes"].as_object();
        tapes
            .into_iter()
            .flat_map(|tapes| tapes.keys().cloned())
            .collect()
    }

    /// The emulator's clock follows the monotonic clock of its host, which begins anew with the host.
    fn set_clock(&self) {
        let clock = Duration::from_millis(self.state()["clock"].as_u64().unwrap());
        let now = turmoil::sim_elapsed().unwrap_or_default();
        self.emulator.step(now.saturating_sub(clock));
    }

    fn state(&self) -> Value {
        serde_json::from_slice(&self.emulator.snapshot()).unwrap()
    }

    fn control(&self, method: &str, body: Body) {
        let mut request = Request::builder()
            .method(method)
            .uri("http://localhost/_emulator/faults")
            .header("host", "localhost")
            .body(body)
            .unwrap();
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        request.extensions_mut().insert(ConnectInfo(peer));
        let answered = self.emulator.router().oneshot(request).now_or_never();
        let response = answered.expect("the control API waits for nothing").unwrap();
        assert!(response.status().is_success(), "{response:?}");
    }

    fn refused(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries a request out, and records what it made. AWS goes on with what it has received, whether its
/// client still waits or not.
async fn observe(State(aws): State<Aws>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let call = call_of(&head.headers);
    let operation = header(&head.headers, "x-amz-target");
    let operation = operation.rsplit('.').next().unwrap_or_default().to_owned();
    let key = header(&head.headers, "authorization");
    let key = key.split_once("Credential=").map_or("", |(_, scope)| scope);
    let is_refused = aws.refused().contains(key.split('/').next().unwrap_or_default());
    // The rest of the request may be lost on its way.
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let received = turmoil::sim_elapsed().unwrap_or_default();
    let answering = async move {
        let response = match is_refused {
            true => refusal(),
            false => {
                let answer = next.run(Request::from_parts(head, Body::from(body)));
                match operation.starts_with("Create") {
                    true => aws.watch(call, answer).await,
                    false => answer.await,
                }
            }
        };
        aws.history.add(Event::Answered {
            call,
            operation,
            received,
            status: response.status().as_u16(),
        });
        response
    };
    tokio::spawn(answering)
        .await
        .expect("the emulator does not panic")
}

impl Aws {
    /// Records the tapes that a request makes. Nothing else runs while it does, so that they are its own.
    async fn watch(&self, call: Option<CallId>, answer: impl Future<Output = Response>) -> Response {
        let mut answer = pin!(answer);
        poll_fn(|cx| {
            let before = self.tapes();
            let polled = answer.as_mut().poll(cx);
            let tapes: BTreeSet<_> = self.tapes().difference(&before).cloned().collect();
            if !tapes.is_empty() {
                self.history.add(Event::Made { call, tapes });
            }
            polled
        })
        .await
    }
}

/// What AWS answers to a key that it does not know.
fn refusal() -> Response {
    let body = json!({
        "__type": "UnrecognizedClientException",
        "message": "The security token included in the request is invalid.",
    });
    let headers = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amzn-requestid", "refused"),
    ];
    (StatusCode::BAD_REQUEST, headers, body.to_string()).into_response()
}

/// The call whose trace a request belongs to.
fn call_of(headers: &HeaderMap) -> Option<CallId> {
    CallId::of_trace(&header(headers, "traceparent"))
}

fn header(headers: &HeaderMap, name: &str) -> String {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}
