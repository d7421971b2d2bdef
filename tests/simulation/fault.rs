//! What goes wrong, and when: drawn from the seed.

use std::{fmt, time::Duration};

use fastrand::Rng;
use serde_json::{Value, json};

use super::aws;

/// Something that goes wrong for a while.
#[derive(Clone, Debug)]
pub struct Fault {
    pub from: Duration,
    pub until: Duration,
    pub kind: Kind,
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A replica is killed, and started again at the end.
    Crash { replica: String },
    /// A replica is told to stop, and started again at the end.
    Stop { replica: String },
    /// The process that serves AWS is killed. What it made stays.
    AwsCrash,
    /// AWS refuses the key of a replica, which gets another one by a restart at the end.
    Rotate { replica: String },
    /// All messages between two hosts are lost.
    Cut(Link),
    /// All messages from one host to another are lost.
    CutOneWay(Link),
    /// All messages between two hosts arrive at the end.
    Hold(Link),
    /// Messages between two hosts take so long.
    Slow(Link, Duration),
    /// So many of a hundred messages between two hosts are lost.
    Lossy(Link, u8),
    /// AWS answers by these rules.
    Rules(Vec<Value>),
}

/// Two hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link(pub String, pub String);

impl Kind {
    /// Whether an answer of `replica` may not reach `caller` because of this.
    pub fn can_silence(&self, caller: &str, replica: &str) -> bool {
        match self {
            Self::Crash { replica: other }
            | Self::Stop { replica: other }
            | Self::Rotate { replica: other } => other == replica,
            Self::Cut(link)
            | Self::CutOneWay(link)
            | Self::Hold(link)
            | Self::Slow(link, _)
            | Self::Lossy(link, _) => {
                let hosts = [&link.0, &link.1];
                hosts.iter().all(|host| *host == caller || *host == replica)
            }
            Self::AwsCrash | Self::Rules(_) => false,
        }
    }
}

/// The faults of a simulation, in their order.
pub fn plan(rng: &mut Rng, replicas: &[String], callers: &[String], end: Duration) -> Vec<Fault> {
    let count = rng.usize(3..=14);
    let mut faults: Vec<_> = (0..count)
        .map(|_| {
            let from = end.mul_f64(rng.f64() * 0.85);
            let longest = [0.3, 3.0, 15.0][rng.usize(..3)];
            let lasts = Duration::from_secs_f64(0.05 + longest * rng.f64());
            Fault {
                from,
                until: end.min(from + lasts),
                kind: kind(rng, replicas, callers),
            }
        })
        .collect();
    faults.sort_by_key(|fault| fault.from);
    faults
}

fn kind(rng: &mut Rng, replicas: &[String], callers: &[String]) -> Kind {
    let replica = rng.choice(replicas).unwrap().clone();
    let other = match rng.bool() {
        true => aws::HOST.to_owned(),
        false => rng.choice(callers).unwrap().clone(),
    };
    let link = match rng.bool() {
        true => Link(replica.clone(), other),
        false => Link(other, replica.clone()),
    };
    match rng.u8(..20) {
        0..=2 => Kind::Crash { replica },
        3 => Kind::Stop { replica },
        4 => Kind::AwsCrash,
        5 => Kind::Rotate { replica },
        6 | 7 => Kind::Cut(link),
        8 | 9 => Kind::CutOneWay(link),
        10 => Kind::Hold(link),
        11 => Kind::Slow(link, Duration::from_millis(rng.u64(100..2_000))),
        12 => Kind::Lossy(link, rng.u8(5..60)),
        _ => Kind::Rules(rules(rng)),
    }
}

/// Rules of AWS, for some of its operations.
fn rules(rng: &mut Rng) -> Vec<Value> {
    let when = ["before", "after", "after"][rng.usize(..3)];
    let mut rule = match rng.u8(..12) {
        0 | 1 => json!({ "kind": "throttle", "rate": rng.u8(..3), "burst": rng.u8(..2) }),
        2 => json!({ "kind": "error", "code": "ServiceUnavailable", "when": when }),
        3 => json!({ "kind": "error", "code": "InternalServerError", "when": when }),
        4 => json!({ "kind": "bad-gateway", "when": when }),
        5 => json!({ "kind": "reset", "when": when }),
        6 => json!({ "kind": "hang", "when": when }),
        7 => json!({ "kind": "truncated" }),
        // The disk of AWS is slow: what was made is told late.
        8 | 9 => json!({ "kind": "latency", "min_ms": 200, "max_ms": rng.u64(300..8_000), "when": "after" }),
        10 => json!({ "kind": "latency", "min_ms": 200, "max_ms": rng.u64(300..8_000), "when": "before" }),
        _ => json!({
            "kind": "error", "code": "InvalidGatewayRequestException", "nested": "InvalidParameters",
            "when": "after",
        }),
    };
    rule["share"] = [0.3, 0.7, 1.0][rng.usize(..3)].into();
    if rng.bool() {
        rule["operations"] = json!(["CreateTapes", "CreateTapeWithBarcode"]);
    }
    vec![rule]
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lasts = self.until.saturating_sub(self.from);
        write!(f, "{} for {:.2} s", self.kind, lasts.as_secs_f64())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash { replica } => write!(f, "{replica} is killed"),
            Self::Stop { replica } => write!(f, "{replica} is told to stop"),
            Self::AwsCrash => write!(f, "AWS is killed"),
            Self::Rotate { replica } => write!(f, "AWS refuses the key of {replica}"),
            Self::Cut(Link(a, b)) => write!(f, "nothing passes between {a} and {b}"),
            Self::CutOneWay(Link(a, b)) => write!(f, "nothing passes from {a} to {b}"),
            Self::Hold(Link(a, b)) => write!(f, "what passes between {a} and {b} is held"),
            Self::Slow(Link(a, b), delay) => write!(f, "what passes between {a} and {b} takes {delay:?}"),
            Self::Lossy(Link(a, b), share) => write!(f, "{share} % between {a} and {b} is lost"),
            Self::Rules(rules) => write!(f, "AWS answers by {}", json!(rules)),
        }
    }
}
