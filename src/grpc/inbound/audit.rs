use std::{
    sync::Arc,
    task::{Context, Poll},
    time::{Instant, SystemTime},
};

use futures_util::future::BoxFuture;
use http::{Request, Response, StatusCode};
use tonic::{Code, Status};
use tower::{Layer, Service};

use super::{
    Report, RequestId,
    connection::Peer,
    method,
    report::Told,
    trace::TraceId,
    until_end::{Onlooker, UntilEnd, until_end},
};
use crate::{
    access::audit::{Audit, Record},
    domain::{Decision, ErrorKind, OperationKind, Principal},
    grpc::status,
};

/// Records calls when they have ended: every create, and every call that was refused; reads
/// that went well if they are asked for. It stands outside all that refuses, and who called is
/// filled in by the layer that finds out.
#[derive(Clone, Debug)]
pub struct AuditLayer(Arc<Audit>);

/// See [`AuditLayer`].
#[derive(Clone, Debug)]
pub struct Audited<S> {
    audit: Arc<Audit>,
    inner: S,
}

impl AuditLayer {
    /// Records go there.
    pub(super) fn new(audit: Arc<Audit>) -> Self {
        Self(audit)
    }
}

impl<S> Layer<S> for AuditLayer {
    type Service = Audited<S>;

    fn layer(&self, inner: S) -> Audited<S> {
        Audited {
            audit: self.0.clone(),
            inner,
        }
    }
}

/// One call. It is recorded when this is dropped, so once, however it ends.
#[derive(Debug)]
pub struct Entry {
    audit: Arc<Audit>,
    method: String,
    request_id: String,
    trace_id: Option<String>,
    report: Report,
    peer: Option<Peer>,
    began: Instant,
    ended: Option<Ended>,
    is_no_grpc: bool,
}

/// What a call's status says.
#[derive(Debug)]
struct Ended {
    code: Code,
    reason: Option<String>,
    outcome: Option<String>,
}

impl Onlooker for Entry {
    fn status(&mut self, status: &Status) {
        let info = status::error_info(status);
        self.ended = Some(Ended {
            code: status.code(),
            reason: info.as_ref().map(|info| info.reason.clone()),
            outcome: info.and_then(|mut info| info.metadata.remove(status::OUTCOME)),
        });
    }

    fn not_grpc(&mut self, _: StatusCode) {
        self.is_no_grpc = true;
    }
}

impl Entry {
    /// Whether the call was kept from what it asked for: it was not let in, denied, over a
    /// limit, or ended before any of that was decided. A request that makes no sense is not
    /// refused anything.
    fn is_refused(&self, told: &Told, decision: Option<&Decision>) -> bool {
        let is_denied = decision.is_some_and(|decision| !decision.is_allowed);
        match &self.ended {
            Some(Ended { code: Code::Ok, .. }) => false,
            Some(Ended { reason, .. }) => {
                let is_limited = reason.as_deref() == Some(ErrorKind::LimitReached.row().reason);
                told.caller.is_none() || is_denied || is_limited
            }
            None => decision.is_none() || is_denied,
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let kind = method::kind(&self.method);
        let told = self.report.told();
        let decision = told.caller.as_ref().and_then(|caller| caller.trail.decision());
        let is_health = method::is_health(&self.method);
        let is_refused = match is_health {
            // Mostly it needs no caller.
            true => self
                .ended
                .as_ref()
                .is_some_and(|ended| ended.code == Code::Unauthenticated),
            false => self.is_refused(&told, decision.as_ref()),
        };
        let code = self.ended.as_ref().map(|ended| ended.code);
        let is_create = kind == Some(OperationKind::Create);
        let is_read = kind == Some(OperationKind::Read);
        if !(is_create || is_refused || told.panicked || (is_read && self.audit.records_reads())) {
            return;
        }
        let principal = told.caller.as_ref().map(|caller| &*caller.principal);
        let (attempts, aws_request_id) = match &told.attempts {
            Some(attempts) => (attempts.count, attempts.request_id.as_deref()),
            None => (0, None),
        };
        // Nobody is told of a call that was given up; what it has come to is in the log later.
        let given_up = match (is_create, told.begun) {
            (false, _) => None,
            (true, true) => Some("unknown"),
            (true, false) => Some("not_applied"),
        };
        let outcome = match &self.ended {
            Some(ended) if ended.code == Code::Ok => is_create.then_some("applied"),
            Some(ended) => ended.outcome.as_deref().or(given_up),
            None => given_up,
        };
        self.audit.record(&Record {
            time: SystemTime::now(),
            request_id: &self.request_id,
            trace_id: self.trace_id.as_deref(),
            method: method::shown(self.method.trim_start_matches('/')),
            principal: principal.map(Principal::name),
            groups: principal.map(Principal::groups).unwrap_or_default(),
            source: principal.map(|principal| principal.proof().to_string()),
            peer: self.peer.as_ref().map(Peer::address),
            address: told.address,
            action: decision.as_ref().map(|decision| decision.action),
            resource: decision.as_ref().map(|decision| decision.resource.as_str()),
            decision: match &decision {
                Some(decision) if decision.is_allowed => "allow",
                Some(_) => "deny",
                None => "none",
            },
            policies: decision
                .as_ref()
                .map(|decision| &*decision.policies)
                .unwrap_or_default(),
            code: match code {
                Some(code) => status::name_of(code),
                None if self.is_no_grpc => "not gRPC",
                None => "given up",
            },
            reason: self.ended.as_ref().and_then(|ended| ended.reason.as_deref()),
            panicked: told.panicked,
            outcome,
            hidden_tapes: told.caller.as_ref().map_or(0, |caller| caller.trail.hidden()),
            attempts,
            aws_request_id,
            seconds: self.began.elapsed().as_secs_f64(),
        });
    }
}

impl<S, B, R> Service<Request<B>> for Audited<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = Response<UntilEnd<R, Entry>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let extensions = request.extensions();
        let request_id = extensions.get::<RequestId>().map(RequestId::as_str);
        let entry = Entry {
            audit: self.audit.clone(),
            method: request.uri().path().to_owned(),
            request_id: request_id.unwrap_or_default().to_owned(),
            trace_id: extensions.get::<TraceId>().map(|id| id.as_str().to_owned()),
            report: extensions.get::<Report>().cloned().unwrap_or_default(),
            peer: extensions.get::<Peer>().cloned(),
            began: Instant::now(),
            ended: None,
            is_no_grpc: false,
        };
        let response = self.inner.call(request);
        Box::pin(async move { Ok(until_end(response.await?, entry)) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

    use std::{convert::Infallible, fs};

    use bytes::Bytes;
    use http_body_util::{BodyExt, Empty};
    use serde_json::Value;
    use tower::{ServiceExt, service_fn};

    use super::*;
    use crate::grpc::inbound::catch_panic::CatchPanicLayer;

    #[tokio::test]
    async fn a_call_that_panics_is_recorded_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let audit = Arc::new(Audit::to_file(&path, 10, false).unwrap());
        let service = service_fn(|_: Request<Empty<Bytes>>| async {
            assert!(fs::exists("/nowhere").unwrap(), "of the test");
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        });
        let stack = AuditLayer::new(audit.clone()).layer(CatchPanicLayer.layer(service));
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = "/tapegate.v1.TapeService/ListTapes".parse().unwrap();
        request.extensions_mut().insert(Report::default());
        let response = stack.oneshot(request).await.unwrap();
        drop(response.into_body().collect().await);
        audit.finish();
        let written = fs::read_to_string(path).unwrap();
        let [line] = written.lines().collect::<Vec<_>>()[..] else {
            panic!("not one record: {written}");
        };
        let record: Value = serde_json::from_str(line).unwrap();
        assert_eq!(record["panicked"], true);
        assert_eq!(record["code"], "INTERNAL");
        assert_eq!(record["method"], "tapegate.v1.TapeService/ListTapes");
    }
}
