use std::{net::IpAddr, time::SystemTime};

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::domain::ErrorKind;

/// The target of audit records in the log.
pub(super) const TARGET: &str = "tapegate::audit";

/// The audit record of one call. docs/security.md explains its members.
#[derive(Clone, Debug, Serialize)]
#[allow(
    missing_docs,
    reason = "docs/security.md explains them to readers of the audit log"
)]
pub struct AuditRecord<'a> {
    #[serde(serialize_with = "rfc3339")]
    pub time: SystemTime,
    pub request_id: &'a str,
    pub trace_id: Option<&'a str>,
    pub method: &'a str,
    pub principal: Option<&'a str>,
    pub groups: &'a [String],
    pub source: Option<String>,
    pub peer: Option<IpAddr>,
    pub address: Option<IpAddr>,
    pub action: Option<&'static str>,
    pub resource: Option<&'a str>,
    pub decision: &'static str,
    pub policies: &'a [String],
    pub code: &'static str,
    pub reason: Option<&'a str>,
    pub panicked: bool,
    pub asked: Option<&'a str>,
    pub outcome: Option<&'a str>,
    pub hidden_tapes: u64,
    pub attempts: u32,
    pub aws_request_id: Option<&'a str>,
    pub seconds: f64,
}

/// The summary of rejected calls that have no record of their own. docs/security.md explains its members.
#[derive(Clone, Debug, Serialize)]
pub(super) struct AuditSummary {
    #[serde(serialize_with = "rfc3339")]
    pub(super) time: SystemTime,
    #[serde(serialize_with = "rfc3339")]
    pub(super) since: SystemTime,
    pub(super) address: Option<IpAddr>,
    pub(super) reason: String,
    pub(super) calls: u64,
}

fn rfc3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    match Timestamp::try_from(*time) {
        Ok(time) => serializer.collect_str(&format_args!("{time:.6}")),
        Err(_) => serializer.serialize_none(),
    }
}

fn line(record: &impl Serialize) -> String {
    let mut line =
        serde_json::to_string(record).unwrap_or_else(|error| format!("{{\"unwritable\":\"{error}\"}}"));
    line.push('\n');
    line
}

impl AuditSummary {
    /// Returns the summary as a line of JSON.
    pub(super) fn line(&self) -> String {
        line(self)
    }

    /// Writes the summary to the log, to which it belongs even if there is an audit file: the calls have no
    /// lines there either.
    pub(super) fn log(&self) {
        let Self {
            time: _,
            since: _,
            address,
            reason,
            calls,
        } = self;
        let address = address.map(tracing::field::display);
        if reason == ErrorKind::Overloaded.row().reason {
            tracing::warn!(
                address,
                reason,
                calls,
                "further calls were rejected because the service is overloaded"
            );
        } else {
            tracing::warn!(
                address,
                reason,
                calls,
                "further calls of callers that are not authenticated were rejected"
            );
        }
    }
}

impl AuditRecord<'_> {
    /// Returns the record as a line of JSON.
    pub(super) fn line(&self) -> String {
        line(self)
    }

    /// Writes the record to the log.
    pub(super) fn log(&self) {
        let Self {
            time: _,
            request_id,
            trace_id,
            method,
            principal,
            groups,
            source,
            peer,
            address,
            action,
            resource,
            decision,
            policies,
            code,
            reason,
            panicked,
            asked,
            outcome,
            hidden_tapes,
            attempts,
            aws_request_id,
            seconds,
        } = self;
        tracing::info!(
            target: TARGET,
            request_id,
            trace_id,
            method,
            principal,
            groups = groups.join(","),
            source,
            peer = peer.map(tracing::field::display),
            address = address.map(tracing::field::display),
            action,
            resource,
            decision,
            policies = policies.join(","),
            code,
            reason,
            panicked,
            asked,
            outcome,
            hidden_tapes,
            attempts,
            aws_request_id,
            seconds,
            "audit"
        );
    }
}
