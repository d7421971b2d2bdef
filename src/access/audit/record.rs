use std::{net::IpAddr, time::SystemTime};

use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// Where records are in the log.
pub(super) const TARGET: &str = "tapegate::audit";

/// One call, as it is recorded. docs/security.md says what each member means.
#[derive(Clone, Debug, Serialize)]
#[allow(
    missing_docs,
    reason = "their meaning stands in docs/security.md, for those who read records"
)]
pub struct Record<'a> {
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
    pub outcome: Option<&'a str>,
    pub hidden_tapes: u64,
    pub attempts: u32,
    pub aws_request_id: Option<&'a str>,
    pub seconds: f64,
}

fn rfc3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    match Timestamp::try_from(*time) {
        Ok(time) => serializer.collect_str(&format_args!("{time:.6}")),
        Err(_) => serializer.serialize_none(),
    }
}

impl Record<'_> {
    /// The record as a line of JSON.
    pub(super) fn line(&self) -> String {
        let mut line =
            serde_json::to_string(self).unwrap_or_else(|error| format!("{{\"unwritable\":\"{error}\"}}"));
        line.push('\n');
        line
    }

    /// Writes the record into the log.
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
            outcome,
            hidden_tapes,
            attempts,
            aws_request_id,
            seconds,
            "audit"
        );
    }
}
