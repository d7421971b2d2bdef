use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::BoxFuture;
use tower::Service;

use super::partition::Partitions;
use crate::{
    access::AuthorizedCall,
    call::{Answer, middleware::Middleware},
    domain::{AccountId, Failure, Fault, Operation, Scope},
    observability::readiness::Readiness,
};

/// Reports to readiness whether AWS accepts the service's own credentials.
///
/// It stands above retries, because only the end of a call tells: if the credentials have expired
/// or the clock is wrong, the retry succeeds with renewed ones.
#[derive(Clone, Debug)]
pub(super) struct ReportCredentials {
    pub(super) readiness: Readiness,
    pub(super) partitions: Partitions,
    /// The accounts in which each caller has a session of its own.
    pub(super) per_caller: Arc<BTreeSet<AccountId>>,
}

impl<O, T, S> Middleware<S, AuthorizedCall<O>> for ReportCredentials
where
    O: Operation,
    T: Send,
    S: Service<AuthorizedCall<O>, Response = Answer<T>, Error = Failure>,
    S::Future: Send + 'static,
{
    type Response = Answer<T>;
    type Future = BoxFuture<'static, Result<Answer<T>, Failure>>;

    fn call(&self, inner: &mut S, call: AuthorizedCall<O>) -> Self::Future {
        let readiness = self.readiness.clone();
        let scope = self.partitions.scope(&call.operation);
        let per_caller = self.per_caller.clone();
        let outcome = inner.call(call);
        Box::pin(async move {
            let outcome = outcome.await;
            let fault = outcome.as_ref().err().map(|failure| &failure.fault);
            report(&readiness, &scope, &per_caller, fault);
            outcome
        })
    }
}

fn report(readiness: &Readiness, scope: &Scope, per_caller: &BTreeSet<AccountId>, fault: Option<&Fault>) {
    match (fault, &scope.account) {
        (Some(Fault::NoCredentials { .. }), Some(account)) if per_caller.contains(account) => {
            readiness.credentials_doubted(account);
        }
        (fault, _) => report_of_all(readiness, scope, fault),
    }
}

/// Reports what the end of a call with the service's own session says.
fn report_of_all(readiness: &Readiness, scope: &Scope, fault: Option<&Fault>) {
    match fault {
        None => readiness.credentials_accepted(scope),
        Some(Fault::NoCredentials { cause }) => readiness.credentials_missing(scope.account.as_ref(), cause),
        Some(fault @ Fault::Aws { code, .. }) if fault.is_about_credentials() => {
            readiness.credentials_rejected(scope, code);
        }
        // AWS nests a code only in responses to requests whose signature it has accepted.
        Some(Fault::Aws { nested: true, .. }) => readiness.credentials_accepted(scope),
        Some(_) => {}
    }
}
