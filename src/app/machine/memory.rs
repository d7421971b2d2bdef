//! How much memory the service needs at most, by its settings.

use crate::app::settings::Config;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// What the service holds in memory. tests/soak/formula.rs compares the sum with a running program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Open connections without TLS.
    pub plain_connections: u64,
    /// Open connections with TLS.
    pub tls_connections: u64,
    /// Calls that wait for AWS.
    pub calls: u64,
    /// Calls whose page of 1,000 tapes is coming from AWS.
    pub responses: u64,
    /// Calls whose page of 1,000 tapes waits for its reader.
    pub pages: u64,
    /// Bytes of requests that have not arrived as a whole.
    pub arriving_bytes: u64,
}

impl Held {
    /// The program without connections and calls.
    pub const BASE: u64 = 48 * MIB;
    /// An open connection without TLS.
    pub const PLAIN_CONNECTION: u64 = 27 * KIB;
    /// An open connection with TLS.
    pub const TLS_CONNECTION: u64 = 36 * KIB;
    /// A call that waits for AWS, with its connection.
    pub const CALL: u64 = 60 * KIB;
    /// A call whose page of 1,000 tapes is coming from AWS.
    pub const RESPONSE: u64 = 240 * KIB;
    /// A call whose page of 1,000 tapes waits for its reader.
    pub const PAGE: u64 = 245 * KIB;
    /// What of such a page counts in `max_unread_bytes`.
    pub const UNREAD: u64 = 145 * KIB;

    /// The most that these settings allow: all connections are open, and of all calls as many as may do so
    /// hold a page, then as many as may do so receive one, since these take the most.
    pub(super) fn at_most(config: &Config) -> Self {
        let server = &config.server;
        let [connections, calls, unread, attempts, arriving_bytes] = [
            server.places.max_connections,
            server.max_concurrent_calls,
            server.grpc.connection.max_unread_bytes,
            config.upstream.max_connections,
            server.max_arriving_bytes,
        ]
        .map(|number| u64::try_from(number).unwrap_or(u64::MAX));
        let pages = calls.min(unread / Self::UNREAD);
        let responses = (calls - pages).min(attempts);
        let is_tls = config.tls.is_some();
        Self {
            plain_connections: if is_tls { 0 } else { connections },
            tls_connections: if is_tls { connections } else { 0 },
            calls: calls - pages - responses,
            responses,
            pages,
            arriving_bytes,
        }
    }

    /// The memory that it takes, in bytes.
    pub fn bytes(self) -> u64 {
        Self::BASE
            + self.plain_connections * Self::PLAIN_CONNECTION
            + self.tls_connections * Self::TLS_CONNECTION
            + self.calls * Self::CALL
            + self.responses * Self::RESPONSE
            + self.pages * Self::PAGE
            + self.arriving_bytes
    }

    /// What an operator should change if the cgroup has a limit of so many bytes; `None` if they suffice.
    pub(super) fn advice(self, limit: u64) -> Option<String> {
        if self.bytes() <= limit {
            return None;
        }
        let connections = self.plain_connections + self.tls_connections;
        let each = match self.tls_connections {
            0 => Self::PLAIN_CONNECTION,
            _ => Self::TLS_CONNECTION,
        };
        Some(format!(
            "max_concurrent_calls: the settings allow {} MiB of memory ({} MiB + {connections} connections \
             (max_connections) x {} KiB + {} responses from AWS (upstream.max_connections) x {} KiB + {} pages that wait for \
             clients (max_unread_bytes) x {} KiB + {} other calls (max_concurrent_calls) x {} KiB + {} MiB of requests that \
             arrive (max_arriving_bytes)), and the limit of the cgroup is {} MiB, so the process can be killed; raise the limit, or lower these settings",
            self.bytes().div_ceil(MIB),
            Self::BASE / MIB,
            each / KIB,
            self.responses,
            Self::RESPONSE / KIB,
            self.pages,
            Self::PAGE / KIB,
            self.calls,
            Self::CALL / KIB,
            self.arriving_bytes.div_ceil(MIB),
            limit / MIB,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_shows_how_the_sum_exceeds_the_limit() {
        let held = Held {
            tls_connections: 10,
            calls: 100,
            responses: 200,
            pages: 300,
            ..Held::default()
        };
        assert_eq!(held.advice(held.bytes()), None);
        let advice = held.advice(held.bytes() - 1).expect("it exceeds the limit");
        for (part, each) in [
            ("10 connections (max_connections)", Held::TLS_CONNECTION),
            (
                "200 responses from AWS (upstream.max_connections)",
                Held::RESPONSE,
            ),
            ("300 pages that wait for clients (max_unread_bytes)", Held::PAGE),
            ("100 other calls (max_concurrent_calls)", Held::CALL),
        ] {
            let part = format!("{part} x {} KiB", each / KIB);
            assert!(advice.contains(&part), "{advice} lacks {part}");
        }
    }
}
