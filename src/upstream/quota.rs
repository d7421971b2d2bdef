use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use tower::{Service, ServiceExt};

use crate::{
    access::{
        AuthorizedCall,
        limits::{CreateEnd, LimitExceeded, Limits, NoAnswer, NotCharged, OpenCharge, Repeat},
    },
    call::{Answer, LiveAttempts, middleware::Middleware},
    domain::{Failure, Fault, Operation, Outcome, TapeArn},
};

/// Enforces the number of tapes that a principal may create in an hour.
///
/// It stands below authorization, so that a denied call is not charged, and above retries, so that
/// they are not charged again.
#[derive(Clone, Debug)]
pub(super) struct TapeQuota(pub(super) Arc<Limits>);

impl<O, S> Middleware<S, AuthorizedCall<O>> for TapeQuota
where
    O: Operation,
    S: Service<AuthorizedCall<O>, Response = Answer<Arc<O::Output>>, Error = Failure>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    type Response = Answer<Arc<O::Output>>;
    type Future = BoxFuture<'static, Result<Self::Response, Failure>>;

    fn call(&self, inner: &mut S, call: AuthorizedCall<O>) -> Self::Future {
        let Some(count) = call.operation.requested_tapes().map(|requested| requested.count) else {
            return inner.call(call).boxed();
        };
        let limits = self.0.clone();
        let inner = inner.clone();
        Box::pin(async move {
            let create = CreateIdentity::of(&call.operation);
            let repeat = match create {
                CreateIdentity::Barcode(_) => Repeat::ByBarcode,
                CreateIdentity::Request(_) => Repeat::ByToken,
            };
            let charging = limits.charge_create(&call.caller.principal, create, repeat, count);
            let charge = tokio::select! {
                biased;
                charge = charging => charge.map_err(fault),
                () = call.deadline.passed() => Err(Fault::Deadline { last: None }),
            };
            let charge = charge.map_err(|fault| call.not_sent(fault))?;
            let mut charge = EndOnDrop {
                charge,
                live: call.live.clone(),
            };
            let answer = inner.oneshot(call).await;
            charge.end(match &answer {
                Ok(Answer { output, .. }) => CreateEnd::Created(O::chosen_tapes(output)),
                Err(failure) => end_by(failure.outcome),
            });
            answer
        })
    }
}

fn fault(why: NotCharged) -> Fault {
    match why {
        NotCharged::Exceeded(LimitExceeded {
            principal,
            quota,
            retry_after,
        }) => Fault::QuotaUsedUp {
            principal: principal.into(),
            quota: quota.into(),
            wait: retry_after,
        },
        NotCharged::NoAnswer(NoAnswer(cause)) => Fault::LimitsUnavailable { cause },
    }
}

/// What a repeat of a create has in common with it.
///
/// For a barcode, AWS creates one tape at most, so the parameters do not count. With a client token,
/// the parameters count: AWS rejects other ones, but a larger number of tapes must not be charged as
/// the smaller one if AWS does not.
#[derive(Hash)]
enum CreateIdentity<'a, O> {
    Barcode(TapeArn),
    Request(&'a O),
}

impl<'a, O: Operation> CreateIdentity<'a, O> {
    fn of(operation: &'a O) -> Self {
        operation
            .new_tape_arn()
            .map_or(Self::Request(operation), Self::Barcode)
    }
}

/// Ends the charge of a call that is abandoned. Such a call has no result, but its attempts have an
/// outcome.
struct EndOnDrop {
    /// `None` if the principal has no quota, and after the end.
    charge: Option<OpenCharge>,
    live: LiveAttempts,
}

impl EndOnDrop {
    fn end(&mut self, end: CreateEnd<'_>) {
        if let Some(charge) = self.charge.take() {
            charge.end(end);
        }
    }
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.end(end_by(self.live.abandon()));
    }
}

fn end_by(outcome: Outcome) -> CreateEnd<'static> {
    match outcome {
        Outcome::Unknown => CreateEnd::Unknown,
        Outcome::NotApplied => CreateEnd::NotCreated,
    }
}
