use std::net::IpAddr;

use super::warnings::Warnings;
use crate::observability::metrics::Counts;

/// The error codes of HTTP/2 in the order of their numbers (RFC 9113, section 7).
const CODES: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

/// Streams and connections that the library for HTTP/2 ends because of their client, before there is a
/// call that could be logged.
#[derive(Debug, Default)]
pub struct ProtocolErrors {
    /// How many, by the name of the error code that the client receives.
    pub counts: Counts<&'static str>,
    warnings: Warnings,
}

impl ProtocolErrors {
    /// Counts and logs an RST_STREAM or GOAWAY with this error code. Returns whether it is the client's fault.
    pub(super) fn add(&self, code: u32, peer: IpAddr) -> bool {
        let code = usize::try_from(code).ok().and_then(|code| CODES.get(code));
        let code = *code.unwrap_or(&"OTHER");
        // The usual end of a connection, and the end of a call that is logged.
        if matches!(code, "NO_ERROR" | "CANCEL") {
            return false;
        }
        self.counts.add(code);
        self.warnings.limit(|| {
            tracing::warn!(
                %peer,
                code,
                "rejecting what a client sent before it became a call: it does not follow HTTP/2, or a limit of it"
            );
        });
        true
    }
}
