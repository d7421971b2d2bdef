use std::sync::Arc;

use tokio_util::task::task_tracker::TaskTrackerToken;
use tonic::Code;
use tracing::{Span, error_span, field::display};

use super::{End, EndedCall, Sinks};
use crate::{
    call::CallContext,
    domain::LogLevel,
    grpc::status,
    observability::calls::{CallFailure, RegisteredCall},
};

/// The log of a call: its span, and one line when it has ended.
///
/// It also registers the call as in progress, for the shutdown, which waits for it, and for the admin
/// page. Health and reflection calls are logged at debug only and not registered: probes are many, and
/// their streams may stay open.
#[derive(Debug)]
pub(super) struct CallLog {
    pub(super) span: Span,
    in_progress: Option<(TaskTrackerToken, RegisteredCall)>,
    ok_percent: u8,
}

impl CallLog {
    pub(super) fn begin(sinks: &Sinks, context: &Arc<CallContext>) -> Self {
        let method = context.method();
        let is_counted = !method.starts_with("/grpc.");
        Self {
            // At the highest level, so that every line that passes the filter has these fields.
            span: error_span!(
                "call",
                method,
                request_id = context.request_id(),
                trace_id = context.trace_id()
            ),
            in_progress: is_counted.then(|| (sinks.in_progress.token(), sinks.registry.begin(context))),
            ok_percent: sinks.log_ok_percent,
        }
    }

    pub(super) fn end(&self, call: &EndedCall<'_>) {
        if matches!(call.end, End::Grpc(Code::Ok)) && !self.samples_ok() {
            return;
        }
        let _entered = self.span.enter();
        let code = match call.end {
            End::Grpc(code) => status::name_of(code).to_owned(),
            End::Http(status) => format!("none: not gRPC, HTTP {}", status.as_u16()),
            End::GivenUp => "none: cancelled by the caller, or connection closed".to_owned(),
        };
        let seconds = call.took.as_secs_f64();
        let reason = call.info.map(|info| info.reason.as_str());
        let Some((_, registered)) = &self.in_progress else {
            tracing::debug!(code, reason, seconds, "call ended");
            return;
        };
        let caller = call.context.caller();
        let level = match call.end {
            End::Grpc(code) => status::classify(code, call.info, caller.is_some()).level,
            End::Http(_) | End::GivenUp => LogLevel::Info,
        };
        let principal = caller.map(|caller| caller.principal.name());
        let address = call.context.address().map(display);
        let resource = call.facts.decision.as_ref().map(|decision| &*decision.resource);
        let attempts = call.attempts.as_ref();
        let aws_request_id = attempts.and_then(|attempts| attempts.request_id.as_deref());
        let attempts = attempts.map(|attempts| attempts.count);
        let fault = call.facts.fault.as_deref();
        let (asked, outcome) = (call.facts.asked.as_deref(), call.outcome);
        if let End::Grpc(code) = call.end
            && level >= LogLevel::Warn
        {
            registered.failed(CallFailure {
                code: status::name_of(code),
                attempts: attempts.unwrap_or_default(),
                aws_request_id: aws_request_id.map(str::to_owned),
                fault: fault.map(str::to_owned),
            });
        }
        macro_rules! log {
            ($event:ident) => {
                tracing::$event!(
                    code,
                    reason,
                    principal,
                    address,
                    resource,
                    seconds,
                    attempts,
                    aws_request_id,
                    asked,
                    outcome,
                    fault,
                    "call ended"
                )
            };
        }
        match level {
            LogLevel::Error => log!(error),
            LogLevel::Warn => log!(warn),
            LogLevel::Info => log!(info),
        }
    }

    fn samples_ok(&self) -> bool {
        self.ok_percent == 100 || fastrand::u8(..100) < self.ok_percent
    }
}
