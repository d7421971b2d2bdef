//! What happened in a simulation, in its order.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::library::Asked;

/// The events so far. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct History(Arc<Mutex<Vec<(Duration, Event)>>>);

/// The number of a call of a caller, with all the attempts that its gRPC library makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A caller begins a call.
    Called {
        call: CallId,
        caller: String,
        asked: Asked,
        deadline: Duration,
    },
    /// Its library sends it to a replica.
    Sent { call: CallId, replica: String },
    /// Its library has an answer or a failure of the replica, and waits before it sends the call again.
    Waits { call: CallId },
    /// The call ended like this for its caller.
    Told { call: CallId, told: Told },
    /// AWS made tapes, by their barcodes.
    Made {
        /// The call that asked for them.
        call: Option<CallId>,
        tapes: BTreeSet<String>,
    },
    /// AWS answered a request. Whether the answer arrives is another matter.
    Answered {
        call: Option<CallId>,
        operation: String,
        /// When the request was there.
        received: Duration,
        status: u16,
    },
    /// Something was broken, or mended.
    Fault(String),
}

impl CallId {
    /// The `traceparent` that goes with the call from the caller to AWS.
    pub fn trace(self) -> String {
        format!("00-{:032x}-{:016x}-00", self.0, self.0)
    }

    /// The call of a `traceparent`.
    pub fn of_trace(trace: &str) -> Option<Self> {
        let id = trace.split('-').nth(1)?;
        u64::from_str_radix(id.get(16..)?, 16).ok().map(Self)
    }
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The barcodes of the tapes that were made.
    Made(BTreeSet<String>),
    /// The barcodes of the tapes of a list that is whole.
    Listed(BTreeSet<String>),
    /// An error of the service.
    Failed(Refusal),
    /// An error that did not come from the service.
    Broken(String),
    /// The caller's own timer ended it.
    TimedOut,
    /// The caller cancelled it.
    Cancelled,
}

/// What an error of the service says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: String,
    pub reason: String,
    pub outcome: Option<String>,
    pub retry: Option<String>,
    pub matches: Option<String>,
    /// How long the caller is asked to wait.
    pub delay: Option<Duration>,
}

impl History {
    pub fn add(&self, event: Event) {
        let at = turmoil::sim_elapsed().unwrap_or_default();
        self.add_at(at, event);
    }

    /// Adds an event of what is outside of every host.
    pub fn add_at(&self, at: Duration, event: Event) {
        self.lock().push((at, event));
    }

    pub fn events(&self) -> Vec<(Duration, Event)> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Duration, Event)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, event) in self.lock().iter() {
            writeln!(f, "{:9.3} {event}", at.as_secs_f64())?;
        }
        Ok(())
    }
}

fn shown(call: Option<CallId>) -> String {
    call.map_or_else(|| "no call".to_owned(), |call| call.to_string())
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Called {
                call,
                caller,
                asked,
                deadline,
            } => write!(f, "{call} {caller} asks for {asked} within {deadline:?}"),
            Self::Sent { call, replica } => write!(f, "{call} is sent to {replica}"),
            Self::Waits { call } => write!(f, "{call} waits, to be sent again"),
            Self::Told { call, told } => write!(f, "{call} ends: {told}"),
            Self::Made { call, tapes } => write!(f, "AWS makes {tapes:?} for {}", shown(*call)),
            Self::Answered {
                call,
                operation,
                received,
                status,
            } => write!(
                f,
                "AWS answers {status} to {operation} of {} of {:.3}",
                shown(*call),
                received.as_secs_f64()
            ),
            Self::Fault(what) => write!(f, "-- {what}"),
        }
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {}", self.0)
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Made(tapes) => write!(f, "made {tapes:?}"),
            Self::Listed(tapes) => write!(f, "a list of {} tapes", tapes.len()),
            Self::Failed(refusal) => write!(f, "{refusal}"),
            Self::Broken(why) => write!(f, "no answer of the service: {why}"),
            Self::TimedOut => write!(f, "the caller's timer was first"),
            Self::Cancelled => write!(f, "the caller cancelled it"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            code,
            reason,
            outcome,
            retry,
            matches,
            delay,
        } = self;
        write!(f, "{code} {reason}")?;
        for (name, value) in [("outcome", outcome), ("retry", retry), ("matches", matches)] {
            if let Some(value) = value {
                write!(f, " {name}={value}")?;
            }
        }
        delay.map_or(Ok(()), |delay| write!(f, " delay={delay:?}"))
    }
}
