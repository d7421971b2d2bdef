//! What must always hold, as a model of what AWS made and what each caller was told.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    history::{CallId, Event, Refusal, Told},
    library::Asked,
    wish::Wish,
    world::Outcome,
};

/// How long after a fault its effects may last: connections that hang are found out by their
/// keepalive.
const AFTERMATH: Duration = Duration::from_secs(15);

/// How much time an attempt of a library must have left, so that the margin of the service's deadline is
/// longer than its answer takes.
const LONG_ENOUGH: Duration = Duration::from_secs(5);

/// A call as the history tells it.
struct Call<'a> {
    id: CallId,
    caller: &'a str,
    asked: &'a Asked,
    began: Duration,
    /// The replicas that it was sent to, and when.
    sent: Vec<(Duration, &'a str)>,
    /// Whether the last of them has answered or failed.
    waits: bool,
    ended: Option<(Duration, &'a Told)>,
    /// When AWS made tapes for it.
    made: Option<Duration>,
    /// The requests that AWS answered for it: the operation, and when it had arrived.
    requests: Vec<(&'a str, Duration)>,
}

/// Everything that does not hold, in words.
pub fn violations(outcome: &Outcome) -> Vec<String> {
    let events = outcome.history.events();
    let calls = calls(&events);
    let mut found = outcome.unfinished.clone();
    let judge = Judge {
        outcome,
        calls: &calls,
    };
    for call in calls.values() {
        match call.ended {
            None => found.push(format!("{} has not ended", call.id)),
            Some((at, told)) => found.extend(judge.of_call(call, at, told)),
        }
    }
    found.extend(judge.of_wishes());
    found
}

fn calls(events: &[(Duration, Event)]) -> BTreeMap<CallId, Call<'_>> {
    let mut calls = BTreeMap::new();
    for (at, event) in events {
        match event {
            Event::Called {
                call, caller, asked, ..
            } => {
                let new = Call {
                    id: *call,
                    caller,
                    asked,
                    began: *at,
                    sent: Vec::new(),
                    waits: false,
                    ended: None,
                    made: None,
                    requests: Vec::new(),
                };
                calls.insert(*call, new);
            }
            Event::Sent { call, replica } => {
                if let Some(call) = calls.get_mut(call) {
                    call.sent.push((*at, replica));
                    call.waits = false;
                }
            }
            Event::Waits { call } => {
                if let Some(call) = calls.get_mut(call) {
                    call.waits = true;
                }
            }
            Event::Told { call, told } => {
                if let Some(call) = calls.get_mut(call) {
                    call.ended = Some((*at, told));
                }
            }
            Event::Made { call: Some(call), .. } => {
                if let Some(call) = calls.get_mut(call) {
                    call.made = Some(*at);
                }
            }
            Event::Answered {
                call: Some(call),
                operation,
                received,
                ..
            } => {
                if let Some(call) = calls.get_mut(call) {
                    call.requests.push((operation, *received));
                }
            }
            Event::Made { call: None, .. } | Event::Answered { call: None, .. } | Event::Fault(_) => {}
        }
    }
    calls
}

impl Call<'_> {
    /// Whether the error says that AWS rejected the call, for no other reason than that an earlier
    /// attempt of the call itself had made the tapes.
    fn is_told_of_own_success(&self, refusal: &Refusal) -> bool {
        let Some(made) = self.made else {
            return false;
        };
        let later = |prefix: &str| {
            let mut requests = self.requests.iter();
            requests.any(|(operation, received)| operation.starts_with(prefix) && *received > made)
        };
        if !later("Create") {
            return false;
        }
        match (self.asked, refusal.reason.as_str()) {
            (_, "TAPE_EXISTS" | "BARCODE_TAKEN") => true,
            // AWS refuses the key of the replica, whatever the call has made.
            (_, "UNRECOGNIZED_CLIENT_EXCEPTION") => false,
            // Before the look-up, the tape may not have been there.
            (Asked::Create(Wish::Tape { .. }), "INVALID_PARAMETERS") => {
                later("ListTapes")
                    || !self
                        .requests
                        .iter()
                        .any(|(operation, _)| *operation == "ListTapes")
            }
            _ => refusal.retry.as_deref() != Some("same_call"),
        }
    }
}

struct Judge<'a> {
    outcome: &'a Outcome,
    calls: &'a BTreeMap<CallId, Call<'a>>,
}

impl Judge<'_> {
    fn of_call(&self, call: &Call<'_>, at: Duration, told: &Told) -> Vec<String> {
        let mut found = Vec::new();
        let id = call.id;
        match told {
            Told::Made(tapes) => {
                if let Some(missing) = tapes.iter().find(|tape| !self.existed(tape, at)) {
                    found.push(format!("{id} was told that {missing} is made, and it was not"));
                }
                if let Asked::Create(wish) = call.asked
                    && (tapes.len() != wish.count() || !tapes.iter().all(|tape| wish.has(tape)))
                {
                    found.push(format!("{id} was told {tapes:?}, which is not what it asked for"));
                }
            }
            Told::Failed(refusal) => found.extend(self.of_refusal(call, refusal)),
            Told::Listed(tapes) => {
                for tape in self.due(call) {
                    if !tapes.contains(tape) {
                        found.push(format!("{id} is a short list: {tape} is missing"));
                    }
                }
            }
            Told::TimedOut => {
                let (sent, replica) = call.sent.last().copied().unwrap_or((call.began, ""));
                if !call.waits
                    && at - sent >= LONG_ENOUGH
                    && !self.can_be_silent(call.caller, replica, sent, at)
                {
                    found.push(format!("{id} was not ended by {replica} before its deadline"));
                }
            }
            Told::Broken(_) | Told::Cancelled => {}
        }
        found
    }

    fn of_refusal(&self, call: &Call<'_>, refusal: &Refusal) -> Option<String> {
        let id = call.id;
        let outcome = refusal.outcome.as_deref();
        if !matches!(call.asked, Asked::Create(_)) {
            return None;
        }
        if outcome.is_none() {
            return Some(format!("{id} was not told an outcome: {refusal}"));
        }
        if outcome == Some("not_applied") && call.made.is_some() {
            return Some(format!(
                "{id} was told not_applied, and it made its tapes: {refusal}"
            ));
        }
        if call.is_told_of_own_success(refusal) {
            return Some(format!(
                "{id} was told that it failed, because it had succeeded: {refusal}"
            ));
        }
        if refusal.matches.as_deref() == Some("false") {
            return Some(format!("{id} was told that its own tape is another: {refusal}"));
        }
        None
    }

    /// The tapes that a list must have: those whose creation somebody was told before it began. If it
    /// may share a read, only those that were told by its own replica.
    fn due<'a>(&'a self, list: &Call<'_>) -> BTreeSet<&'a str> {
        let is_fresh = matches!(list.asked, Asked::List { is_fresh: true });
        let own = list.sent.last().map(|(_, replica)| *replica);
        let known = |call: &&Call<'_>| {
            let is_before = call.ended.is_some_and(|(at, _)| at < list.began);
            is_before && (is_fresh || call.sent.last().map(|(_, replica)| *replica) == own)
        };
        let told = self
            .calls
            .values()
            .filter(known)
            .filter_map(|call| match call.ended {
                Some((_, Told::Made(tapes))) => Some(tapes),
                _ => None,
            });
        told.flatten().map(String::as_str).collect()
    }

    fn existed(&self, tape: &str, at: Duration) -> bool {
        let events = self.outcome.history.events();
        events.iter().any(|(when, event)| {
            *when <= at && matches!(event, Event::Made { tapes, .. } if tapes.contains(tape))
        })
    }

    /// Whether a fault can have kept the answer of a replica from a caller.
    fn can_be_silent(&self, caller: &str, replica: &str, from: Duration, until: Duration) -> bool {
        self.outcome.faults.iter().any(|fault| {
            fault.kind.can_silence(caller, replica) && fault.from <= until && from <= fault.until + AFTERMATH
        })
    }

    fn of_wishes(&self) -> Vec<String> {
        let mut found = Vec::new();
        for wish in &self.outcome.wishes {
            let tapes: BTreeSet<_> = self.outcome.tapes.iter().filter(|tape| wish.has(tape)).collect();
            let asked = wish.asked();
            if tapes.len() > wish.count() {
                found.push(format!("there are {} tapes of the wish for {asked}", tapes.len()));
            }
            let ends = self
                .calls
                .values()
                .filter(|call| matches!(call.asked, Asked::Create(of) if of == wish));
            let ends: Vec<_> = ends.filter_map(|call| Some((call.id, call.ended?.1))).collect();
            for (id, told) in &ends {
                if let Told::Made(told) = told
                    && !told.iter().eq(tapes.iter().copied())
                {
                    found.push(format!("{id} was told {told:?}, and there are {tapes:?}"));
                }
            }
            // Each wish is asked for at the end, when nothing is broken any more.
            match ends.last() {
                Some((_, Told::Made(_))) => {}
                Some((_, Told::Failed(refusal))) if refusal.matches.as_deref() == Some("true") => {}
                other => found.push(format!("the last call for {asked} ended with {other:?}")),
            }
        }
        found
    }
}
