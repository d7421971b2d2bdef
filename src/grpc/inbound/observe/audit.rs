use std::time::SystemTime;

use tonic::Code;

use super::{End, EndedCall, method};
use crate::{
    access::audit::{AuditLog, AuditRecord},
    domain::{ErrorKind, OperationKind, Principal},
    grpc::status,
};

/// Records the call if it is a create, was rejected or panicked; a successful read only if the
/// settings ask for it.
pub(super) fn record(audit: &AuditLog, call: &EndedCall<'_>) {
    let EndedCall {
        context,
        facts,
        attempts,
        end,
        info,
        outcome,
        took,
    } = call;
    let kind = method::kind(context.method());
    let is_create = kind == Some(OperationKind::Create);
    let is_read = kind == Some(OperationKind::Read);
    let is_unauthenticated = matches!(end, End::Grpc(Code::Unauthenticated));
    let is_rejected = match context.method() {
        // Health and reflection calls are not authorized, and mostly need no authentication.
        path if method::is_health(path) => is_unauthenticated,
        path if method::is_reflection(path) => {
            let reasons = [
                ErrorKind::LimitReached,
                ErrorKind::Overloaded,
                ErrorKind::UnknownMethod,
            ];
            is_unauthenticated || reasons.into_iter().any(|kind| has_reason(call, kind))
        }
        _ => is_rejected(call),
    };
    if !(is_create || is_rejected || facts.panicked || (is_read && audit.records_reads())) {
        return;
    }
    let principal = context.caller().map(|caller| &*caller.principal);
    let attempts = attempts.as_ref();
    let decision = facts.decision.as_deref();
    audit.record(&AuditRecord {
        time: SystemTime::now(),
        request_id: context.request_id(),
        trace_id: context.trace_id(),
        method: context.method().trim_start_matches('/'),
        principal: principal.map(Principal::name),
        groups: principal.map(Principal::groups).unwrap_or_default(),
        source: principal.map(|principal| principal.proof().to_string()),
        peer: context.peer(),
        address: context.address(),
        action: decision.map(|decision| decision.action),
        resource: decision.map(|decision| decision.resource.as_str()),
        decision: match decision {
            Some(decision) if decision.is_allowed => "allow",
            Some(_) => "deny",
            None => "none",
        },
        policies: decision.map(|decision| &*decision.policies).unwrap_or_default(),
        code: match end {
            End::Grpc(code) => status::name_of(*code),
            End::Http(_) => "not gRPC",
            End::GivenUp => "given up",
        },
        reason: info.map(|info| info.reason.as_str()),
        panicked: facts.panicked,
        asked: facts.asked.as_deref(),
        // The outcome of an attempt that is in flight is not known yet; the log has it later.
        outcome: *outcome,
        hidden_tapes: facts.hidden_tapes,
        attempts: attempts.map_or(0, |attempts| attempts.count),
        aws_request_id: attempts.and_then(|attempts| attempts.request_id.as_deref()),
        seconds: took.as_secs_f64(),
    });
}

/// Counts the call if it was rejected and its caller is not authenticated. Returns whether it gets a record
/// and a line in the log of its own; others are summed up.
pub(super) fn has_own_record(audit: &AuditLog, call: &EndedCall<'_>) -> bool {
    let EndedCall {
        context, end, info, ..
    } = call;
    let reason = match end {
        End::Grpc(Code::Ok) => return true,
        End::Grpc(_) => info.map_or("no reason", |info| &info.reason),
        End::Http(_) => "not gRPC",
        End::GivenUp => "given up",
    };
    // Without an identity, anybody may call health, and reflection if it is open.
    let is_open = context.method().starts_with("/grpc.") && !matches!(end, End::Grpc(Code::Unauthenticated));
    context.caller().is_some()
        || is_open
        || audit.count_rejection(context.address().or(context.peer()), reason)
}

/// Whether the call was not authenticated, was denied, exceeded a limit, or ended before that was
/// decided. An invalid request does not count.
fn is_rejected(call: &EndedCall<'_>) -> bool {
    let decision = call.facts.decision.as_deref();
    let is_denied = decision.is_some_and(|decision| !decision.is_allowed);
    match call.end {
        End::Grpc(Code::Ok) => false,
        End::Grpc(_) => {
            call.context.caller().is_none() || is_denied || has_reason(call, ErrorKind::LimitReached)
        }
        End::Http(_) | End::GivenUp => decision.is_none() || is_denied,
    }
}

/// Whether the call ended with the reason of this failure.
fn has_reason(call: &EndedCall<'_>, kind: ErrorKind) -> bool {
    call.info.is_some_and(|info| info.reason == kind.row().reason)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

    use std::{collections::BTreeSet, convert::Infallible, fs, sync::Arc};

    use bytes::Bytes;
    use http::{Request, Response};
    use http_body_util::{BodyExt, Empty};
    use serde_json::Value;
    use tokio_util::task::TaskTracker;
    use tower::{Layer, ServiceExt, service_fn};

    use super::*;
    use crate::access::audit::AuditSettings;
    use crate::{
        call::middleware::Around,
        grpc::inbound::{
            catch_panic::CatchPanic,
            observe::{ObserveCalls, Sinks},
        },
    };

    #[tokio::test]
    async fn a_call_that_panics_is_recorded_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let audit = Arc::new(
            AuditLog::open(&AuditSettings {
                file: Some(path.clone()),
                reads: false,
                rejections: 1,
                queue: 10,
            })
            .unwrap(),
        );
        let service = service_fn(|_: Request<Empty<Bytes>>| async {
            assert!(fs::exists("/nowhere").unwrap(), "of the test");
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        });
        let observe = ObserveCalls::new(Sinks {
            in_progress: TaskTracker::new(),
            registry: Arc::default(),
            metrics: Arc::default(),
            audit: audit.clone(),
            log_ok_percent: 100,
            trusted_proxies: BTreeSet::new(),
        });
        let stack = Around(observe).layer(Around(CatchPanic).layer(service));
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = "/tapegate.v1.TapeService/ListTapes".parse().unwrap();
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
