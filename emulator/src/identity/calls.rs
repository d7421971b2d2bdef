//! The signed calls, in place of CloudTrail.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;

use super::Caller;
use crate::protocol::Service;

/// The maximum number of calls that are kept. A further one replaces the oldest.
const MAX_CALLS: usize = 10_000;

/// A call with a valid signature: who signed it, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignedCall {
    /// `storagegateway` or `sts`.
    pub service: &'static str,
    /// The operation, such as `ListTapes`.
    pub operation: &'static str,
    /// The region in the scope of the signature.
    pub region: String,
    /// The account that the credentials belong to, 12 digits.
    pub account: String,
    /// The id of the key that signed it.
    pub access_key_id: String,
    /// The ARN of the caller: a user, or a session of a role.
    pub arn: String,
    /// The role, if a session of one signed the call.
    pub role_arn: Option<String>,
    /// The name of that session.
    pub session_name: Option<String>,
    /// The source identity of that session.
    pub source_identity: Option<String>,
    /// `OK`, or the code of the error, such as `InvalidGatewayRequestException GatewayNotFound`.
    pub outcome: String,
}

/// The latest calls, in the order of their ends.
#[derive(Default)]
pub(crate) struct Calls(Mutex<VecDeque<SignedCall>>);

impl Calls {
    pub(crate) fn add(
        &self,
        service: Service,
        operation: &'static str,
        region: &str,
        caller: &Caller,
        outcome: String,
    ) {
        let session = caller.session.as_deref();
        let call = SignedCall {
            service: service.name(),
            operation,
            region: region.to_owned(),
            account: caller.account.clone(),
            access_key_id: caller.access_key_id.clone(),
            arn: caller.arn(),
            role_arn: session.map(|session| session.role_arn.clone()),
            session_name: session.map(|session| session.session_name.clone()),
            source_identity: session.and_then(|session| session.source_identity.clone()),
            outcome,
        };
        let mut calls = self.held();
        if calls.len() >= MAX_CALLS {
            calls.pop_front();
        }
        calls.push_back(call);
    }

    pub(crate) fn list(&self) -> Vec<SignedCall> {
        self.held().iter().cloned().collect()
    }

    pub(crate) fn clear(&self) {
        self.held().clear();
    }

    fn held(&self) -> MutexGuard<'_, VecDeque<SignedCall>> {
        // A poisoned lock is safe to use: every change is one push or pop.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
