use std::time::Instant;

use axum::http::HeaderValue;
use serde::Serialize;
use serde_json::Value;

use super::{error_response, selection::TokenBucket};
use crate::{
    json::{Members, Problem},
    protocol::{Operation, Service, StsOperation},
};

/// The maximum latency of a rule, in milliseconds: an hour.
const MAX_LATENCY_MS: u64 = 3_600_000;
/// The maximum burst of a token bucket, and its maximum rate per second.
const MAX_TOKENS: u32 = 1_000_000;
/// A day, in seconds.
const DAY: i64 = 86_400;

/// A fault rule: which calls fail, and how. `docs/emulator.md` describes its JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rule {
    #[serde(skip_serializing_if = "Option::is_none")]
    operations: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    regions: Option<Vec<String>>,
    pub(super) share: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) calls: Option<u64>,
    #[serde(skip)]
    pub(super) seed: Option<u64>,
    #[serde(flatten)]
    pub(super) kind: Kind,
}

/// How a call fails.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum Kind {
    Latency {
        min_ms: u64,
        max_ms: u64,
        when: When,
    },
    Throttle {
        rate: f64,
        burst: u32,
    },
    Error {
        code: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        nested: Option<String>,
        /// `None` until the rule is active, which sets the default status of the code.
        status: Option<u16>,
        message: String,
        when: When,
    },
    BadGateway {
        when: When,
    },
    /// A response that is not of AWS.
    Http {
        status: u16,
        content_type: String,
        body: String,
        when: When,
    },
    Reset {
        when: When,
    },
    Hang {
        when: When,
    },
    Truncated,
    Malformed,
    WrongTapes {
        tapes: WrongTapes,
    },
    ClockSkew {
        seconds: i64,
    },
}

/// What is wrong with the ARNs in the response of a create.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum WrongTapes {
    /// The last one is missing.
    Fewer,
    /// The first one comes twice.
    Repeated,
    /// They have another account.
    OtherAccount,
    /// They have another region.
    OtherRegion,
    /// They have another barcode.
    OtherBarcode,
    /// They are barcodes and not ARNs.
    Barcodes,
}

/// Whether the fault comes before or after the change that the call makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum When {
    Before,
    After,
}

impl Rule {
    /// Reads one rule, or a list of rules, in JSON.
    ///
    /// # Errors
    ///
    /// Every problem of all rules.
    pub fn read_all(text: &str) -> Result<Vec<Self>, Vec<Problem>> {
        let json = serde_json::from_str(text);
        let json =
            json.map_err(|error| vec![Problem::new("", format!("the rules are not JSON: {error}"))])?;
        Self::of_json(json)
    }

    pub(crate) fn of_json(json: Value) -> Result<Vec<Self>, Vec<Problem>> {
        let Value::Array(items) = json else {
            return Self::read(json, String::new()).map(|rule| vec![rule]);
        };
        let (mut rules, mut wrong) = (Vec::new(), Vec::new());
        for (n, item) in items.into_iter().enumerate() {
            match Self::read(item, format!("[{n}]")) {
                Ok(rule) => rules.push(rule),
                Err(more) => wrong.extend(more),
            }
        }
        if wrong.is_empty() { Ok(rules) } else { Err(wrong) }
    }

    fn read(json: Value, path: String) -> Result<Self, Vec<Problem>> {
        let mut members = Members::of(json, path).map_err(|wrong| vec![wrong])?;
        let operations = members.get(
            "operations",
            "a list of operations, such as [\"CreateTapes\"]",
            names,
        );
        for name in operations
            .iter()
            .flatten()
            .filter(|name| Operation::from_name(name).is_none() && StsOperation::from_name(name).is_none())
        {
            members.fault(
                "operations",
                format!("{name:?} is not an operation of this emulator"),
            );
        }
        let regions = members.get("regions", "a list of regions, such as [\"eu-west-1\"]", names);
        let share = members.get("share", "a number from 0 (no call) to 1 (every call)", |value| {
            value.as_f64().filter(|share| (0.0..=1.0).contains(share))
        });
        let calls = members.get("calls", "a whole number of calls, from 1", |value| {
            value.as_u64().filter(|calls| *calls > 0)
        });
        let seed = members.get(
            "seed",
            "a whole number from 0 to 18446744073709551615",
            Value::as_u64,
        );
        let kind = Kind::read(&mut members);
        members.finish(kind.map(|kind| Self {
            operations,
            regions,
            share: share.unwrap_or(1.0),
            calls,
            seed,
            kind,
        }))
    }

    /// Whether the rule is about an operation in a region: one that it lists or, if it lists none, any
    /// of Storage Gateway, in a region that it lists or, if it lists none, in any.
    pub(super) fn is_about(&self, service: Service, operation: &str, region: Option<&str>) -> bool {
        let is_its_operation = match &self.operations {
            Some(names) => names.iter().any(|name| name == operation),
            None => service == Service::StorageGateway,
        };
        let is_its_region = match &self.regions {
            Some(regions) => regions.iter().any(|its| region == Some(its)),
            None => true,
        };
        is_its_operation && is_its_region
    }

    /// The token bucket of a rule that throttles.
    pub(super) fn bucket(&self, now: Instant) -> Option<TokenBucket> {
        match self.kind {
            Kind::Throttle { rate, burst } => Some(TokenBucket::new(rate, burst, now)),
            _ => None,
        }
    }
}

impl Kind {
    fn read(members: &mut Members) -> Option<Self> {
        const KINDS: [&str; 11] = [
            "latency",
            "throttle",
            "error",
            "bad-gateway",
            "http",
            "reset",
            "hang",
            "truncated",
            "malformed",
            "wrong-tapes",
            "clock-skew",
        ];
        let takes = format!("one of {}", KINDS.join(", "));
        let kind = members.require("kind", &takes, |value| {
            KINDS.into_iter().find(|kind| value.as_str() == Some(kind))
        });
        let Some(kind) = kind else {
            // The kind decides which other members are valid.
            members.forget_the_rest();
            return None;
        };
        match kind {
            "latency" => Self::latency(members),
            "throttle" => Self::throttle(members),
            "error" => Self::error(members),
            "bad-gateway" => Some(Self::BadGateway { when: when(members) }),
            "http" => Self::http(members),
            "reset" => Some(Self::Reset { when: when(members) }),
            "hang" => Some(Self::Hang { when: when(members) }),
            "truncated" => Some(Self::Truncated),
            "malformed" => Some(Self::Malformed),
            "wrong-tapes" => Self::wrong_tapes(members),
            _ => Self::clock_skew(members),
        }
    }

    fn latency(members: &mut Members) -> Option<Self> {
        let takes = format!("milliseconds from 0 to {MAX_LATENCY_MS}");
        let millis = |value: &Value| value.as_u64().filter(|millis| *millis <= MAX_LATENCY_MS);
        let min_ms = members.require("min_ms", &takes, millis);
        let max_ms = members.get("max_ms", &takes, millis).or(min_ms);
        let when = when(members);
        let (min_ms, max_ms) = (min_ms?, max_ms?);
        if max_ms < min_ms {
            members.fault("max_ms", format!("{max_ms} is less than min_ms, {min_ms}"));
        }
        Some(Self::Latency { min_ms, max_ms, when })
    }

    fn throttle(members: &mut Members) -> Option<Self> {
        let rate = format!("calls per second, from 0 to {MAX_TOKENS}");
        let rate = members.require("rate", &rate, |value| {
            let most = f64::from(MAX_TOKENS);
            value.as_f64().filter(|rate| (0.0..=most).contains(rate))
        });
        let burst = format!("a whole number of calls from 0 to {MAX_TOKENS}");
        let burst = members.require("burst", &burst, |value| {
            let burst = u32::try_from(value.as_u64()?).ok();
            burst.filter(|burst| *burst <= MAX_TOKENS)
        });
        Some(Self::Throttle {
            rate: rate?,
            burst: burst?,
        })
    }

    fn error(members: &mut Members) -> Option<Self> {
        let word = |value: &Value| {
            let text = value.as_str()?;
            let right =
                (1..=128).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            right.then(|| text.to_owned())
        };
        let takes = "1 to 128 characters of printable ASCII";
        let nested = members.get("nested", takes, word);
        let code = match &nested {
            None => members.require(
                "code",
                "an error code, such as ServiceUnavailable (or leave it out and give nested)",
                word,
            ),
            Some(_) => {
                let code = members.get("code", takes, word);
                code.or_else(|| Some("InvalidGatewayRequestException".to_owned()))
            }
        };
        let status = members.get("status", "an HTTP status from 400 to 599", |value| {
            let status = u16::try_from(value.as_u64()?).ok();
            status.filter(|status| (400..=599).contains(status))
        });
        let message = members.get("message", "a string", |value| value.as_str().map(str::to_owned));
        let when = when(members);
        let code = code?;
        Some(Self::Error {
            status,
            message: message.unwrap_or_else(|| error_response::message(&code).to_owned()),
            code,
            nested,
            when,
        })
    }

    fn http(members: &mut Members) -> Option<Self> {
        let status = members.require("status", "an HTTP status from 200 to 599", |value| {
            let status = u16::try_from(value.as_u64()?).ok();
            status.filter(|status| (200..=599).contains(status))
        });
        let takes = "a media type, such as text/html";
        let content_type = members.get("content_type", takes, |value| {
            let text = value.as_str()?;
            HeaderValue::from_str(text).ok().map(|_| text.to_owned())
        });
        let body = members.get("body", "a string", |value| value.as_str().map(str::to_owned));
        let when = when(members);
        let status = status?;
        Some(Self::Http {
            status,
            content_type: content_type.unwrap_or_else(|| "text/html".to_owned()),
            body: body.unwrap_or_else(|| error_response::page(status)),
            when,
        })
    }

    fn wrong_tapes(members: &mut Members) -> Option<Self> {
        use WrongTapes::{Barcodes, Fewer, OtherAccount, OtherBarcode, OtherRegion, Repeated};
        const TAPES: [(&str, WrongTapes); 6] = [
            ("fewer", Fewer),
            ("repeated", Repeated),
            ("other-account", OtherAccount),
            ("other-region", OtherRegion),
            ("other-barcode", OtherBarcode),
            ("barcodes", Barcodes),
        ];
        let takes = format!("one of {}", TAPES.map(|(name, _)| name).join(", "));
        let tapes = members.require("tapes", &takes, |value| {
            let tapes = TAPES.into_iter().find(|(name, _)| value.as_str() == Some(name));
            tapes.map(|(_, tapes)| tapes)
        });
        tapes.map(|tapes| Self::WrongTapes { tapes })
    }

    fn clock_skew(members: &mut Members) -> Option<Self> {
        let takes = format!("a whole number of seconds from -{DAY} (the emulator is behind) to {DAY}");
        let within = |seconds: &i64| (-DAY..=DAY).contains(seconds);
        let seconds = members.require("seconds", &takes, |value| value.as_i64().filter(within));
        seconds.map(|seconds| Self::ClockSkew { seconds })
    }

    /// Sets the status of an error to the default of its code, if it has none.
    pub(super) fn with_status(self, internal_server_error: u16) -> Self {
        match self {
            Self::Error {
                code,
                nested,
                status,
                message,
                when,
            } => Self::Error {
                status: status.or_else(|| Some(error_response::status(&code, internal_server_error))),
                code,
                nested,
                message,
                when,
            },
            kind => kind,
        }
    }

    /// When the fault acts.
    pub(super) fn when(&self) -> When {
        match self {
            Self::Latency { when, .. }
            | Self::Error { when, .. }
            | Self::BadGateway { when }
            | Self::Http { when, .. }
            | Self::Reset { when }
            | Self::Hang { when } => *when,
            Self::Throttle { .. } => When::Before,
            Self::Truncated | Self::Malformed | Self::WrongTapes { .. } | Self::ClockSkew { .. } => {
                When::After
            }
        }
    }
}

fn when(members: &mut Members) -> When {
    let read = |value: &Value| match value.as_str()? {
        "before" => Some(When::Before),
        "after" => Some(When::After),
        _ => None,
    };
    let takes = "\"before\" or \"after\" the change that the call asks for";
    members.get("when", takes, read).unwrap_or(When::Before)
}

fn names(value: &Value) -> Option<Vec<String>> {
    let names = value.as_array()?.iter();
    let names = names.map(|name| name.as_str().map(str::to_owned));
    names
        .collect::<Option<Vec<_>>>()
        .filter(|names| !names.is_empty())
}
