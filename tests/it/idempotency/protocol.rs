//! The protocol of creating once, as a model that is checked exhaustively: calls for the same tape, one
//! after the other, each of which the caller's library sends several times, and the service each time in
//! several attempts. Every message can be lost or late, AWS can fail before and after it makes the tape,
//! and a replica can be killed, or lose its caller, at any point.
//!
//! What an attempt means for the outcome is asked of the service's own [`AttemptHistory`] and of its
//! table of failures. The steps of `upstream/idempotency.rs` have their names here.

use std::collections::BTreeSet;

use stateright::{Checker, Model, Property};
use tapegate::{
    call::{Answer, AttemptHistory},
    domain::{Attempts, Fault, OperationKind, Outcome, RetryRule, StatusCode},
};

/// How many calls there are, how often a library sends each, and how many attempts a replica makes.
const CALLS: usize = 2;
const RPCS: usize = 2;
const ATTEMPTS: usize = 3;

/// The protocol, and rules of it that can be left out.
#[derive(Clone, Debug)]
struct Protocol {
    by: Key,
    /// `create_or_find` looks the tape up after a rejection.
    looks_up: bool,
    /// Every attempt sends the same client token.
    keeps_token: bool,
    /// A call that a library has sent before counts as one with an earlier attempt.
    counts_resent: bool,
    /// The outcome of all attempts counts, and not that of the last one alone.
    keeps_history: bool,
}

/// What makes two creates the same one for AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    ClientToken,
    Barcode,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct State {
    /// The call that made each tape.
    tapes: Vec<usize>,
    /// Whether requests of a call are on their way to AWS without anybody waiting for them. They may
    /// arrive at any time, or never.
    late: [bool; CALLS],
    /// What the calls that have ended were told, each with how many tapes there were then.
    told: Vec<(Told, usize)>,
    /// The call in progress.
    call: Option<Call>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Call {
    /// How many tapes there were when it began.
    tapes_before: usize,
    /// How often its library has sent it again.
    resent: usize,
    rpc: Rpc,
}

/// A call at a replica.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Rpc {
    tapes_before: usize,
    /// The attempts that have failed.
    faults: Vec<AttemptFault>,
    progress: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Progress {
    /// The request of an attempt is on its way.
    Sent,
    /// The response is on its way; `None` says that the tape is made.
    Responded(Option<AttemptFault>),
    /// The last attempt has failed.
    Failed,
    LookingUp,
    Answered(Told),
    /// The caller lost its connection to the replica.
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum AttemptFault {
    ConnectionLost,
    Throttled,
    InternalServerError,
    InvalidParameters,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Told {
    Created,
    /// The error of the last attempt.
    Failed(AttemptFault, Said),
    TapeExists(Said),
    LookUpFailed,
    /// The answer did not arrive.
    Nothing,
}

/// The outcome that an error tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Said {
    NotApplied,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Call,
    /// The library sends the call again, to any replica.
    Resend,
    /// The caller is told how its call ended.
    Tell,
    /// The request arrives, and AWS answers it with success, or with this error after it made the tape.
    Arrive(Option<AttemptFault>),
    /// A request arrives that nobody waits for.
    ArriveLate(usize),
    /// AWS answers the request with this error, and makes nothing.
    Refuse(AttemptFault),
    Respond(Option<AttemptFault>),
    /// The attempt ends without a response.
    GiveUp,
    Retry,
    /// No attempt follows: the rule, the budget or the deadline forbids it.
    Stop,
    LookUp(Found),
    /// The replica is killed, or goes on without its caller.
    Lose,
}

/// What a look-up finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    NoTape,
    /// A tape; whether it counts as made since the call began.
    Tape {
        is_new: bool,
    },
    Failure,
}

impl From<Outcome> for Said {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::NotApplied => Self::NotApplied,
            Outcome::Unknown => Self::Unknown,
        }
    }
}

impl AttemptFault {
    fn fault(self) -> Fault {
        let aws = |code: &str, nested, http_status, is_internal| Fault::Aws {
            code: code.to_owned(),
            nested,
            message: String::new(),
            http_status,
            misdated: false,
            is_internal,
        };
        match self {
            Self::ConnectionLost => Fault::ConnectionLost { cause: String::new() },
            Self::Throttled => aws("ThrottlingException", false, 400, false),
            Self::InternalServerError => aws("InternalServerError", false, 500, true),
            Self::InvalidParameters => aws("InvalidParameters", true, 400, false),
        }
    }

    fn is_retried(self) -> bool {
        self.fault().retry_rule(OperationKind::Create) != RetryRule::Never
    }
}

impl Rpc {
    fn begin(tapes_before: usize) -> Self {
        Self {
            tapes_before,
            faults: Vec::new(),
            progress: Progress::Sent,
        }
    }
}

impl Told {
    /// Whether the caller's library may send the call again.
    fn is_unavailable(self) -> bool {
        match self {
            Self::Failed(fault, _) => fault.fault().row().status == StatusCode::Unavailable,
            Self::LookUpFailed | Self::Nothing => true,
            Self::Created | Self::TapeExists(_) => false,
        }
    }
}

impl Protocol {
    const fn of(by: Key) -> Self {
        Self {
            by,
            looks_up: true,
            keeps_token: true,
            counts_resent: true,
            keeps_history: true,
        }
    }

    fn history(&self, call: &Call) -> AttemptHistory {
        let mut history = AttemptHistory::new(call.resent > 0 && self.counts_resent);
        let faults = &call.rpc.faults;
        let skipped = match self.keeps_history {
            true => 0,
            false => faults.len() - 1,
        };
        for fault in &faults[skipped..] {
            let failure = fault.fault().after(Attempts::one(None));
            history.add(&Err::<Answer<()>, _>(failure));
        }
        history
    }

    /// AWS carries a create of a call out.
    fn create(&self, tapes: &mut Vec<usize>, call: usize) -> Option<AttemptFault> {
        let is_known = !tapes.is_empty();
        match self.by {
            Key::Barcode if is_known => return Some(AttemptFault::InvalidParameters),
            Key::ClientToken if is_known && self.keeps_token => return None,
            Key::Barcode | Key::ClientToken => tapes.push(call),
        }
        None
    }

    /// The last attempt has failed, and no other one follows.
    fn stop(&self, call: &Call, last: AttemptFault) -> Progress {
        let is_rejection = last == AttemptFault::InvalidParameters;
        match self.by == Key::Barcode && self.looks_up && is_rejection {
            true => Progress::LookingUp,
            false => Progress::Answered(Told::Failed(last, self.history(call).outcome().into())),
        }
    }

    /// As `create_or_find`, after a rejection.
    fn create_or_find(&self, call: &Call, found: Found) -> Told {
        let rejected = AttemptFault::InvalidParameters;
        let may_be_own = self.history(call).earlier_outcome() == Outcome::Unknown;
        match found {
            Found::Failure => Told::LookUpFailed,
            Found::NoTape if may_be_own => Told::Failed(rejected, Said::Unknown),
            Found::NoTape => Told::Failed(rejected, Said::NotApplied),
            Found::Tape { is_new: true } if may_be_own => Told::Created,
            Found::Tape { is_new: true } => Told::TapeExists(Said::Unknown),
            Found::Tape { is_new: false } => Told::TapeExists(Said::NotApplied),
        }
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::default()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let late = state.late.iter().enumerate().filter(|(_, late)| **late);
        actions.extend(late.map(|(call, _)| Action::ArriveLate(call)));
        let Some(call) = &state.call else {
            actions.extend((state.told.len() < CALLS).then_some(Action::Call));
            return;
        };
        let can_resend = call.resent + 1 < RPCS;
        match call.rpc.progress {
            Progress::Sent => actions.extend([
                Action::Arrive(None),
                Action::Arrive(Some(AttemptFault::InternalServerError)),
                Action::Refuse(AttemptFault::InternalServerError),
                Action::Refuse(AttemptFault::Throttled),
                Action::GiveUp,
                Action::Lose,
            ]),
            Progress::Responded(answer) => {
                actions.extend([Action::Respond(answer), Action::GiveUp, Action::Lose]);
            }
            Progress::Failed => {
                let is_retried = call.rpc.faults.last().is_some_and(|last| last.is_retried());
                if is_retried && call.rpc.faults.len() < ATTEMPTS {
                    actions.push(Action::Retry);
                }
                actions.extend([Action::Stop, Action::Lose]);
            }
            Progress::LookingUp => {
                actions.extend([Action::LookUp(Found::Failure), Action::Lose]);
                if state.tapes.is_empty() {
                    actions.push(Action::LookUp(Found::NoTape));
                    return;
                }
                // Clocks differ, so that an older tape can seem new.
                actions.push(Action::LookUp(Found::Tape { is_new: true }));
                // A call that was sent before may be as old as its first sending.
                let since = match call.resent > 0 {
                    true => call.tapes_before,
                    false => call.rpc.tapes_before,
                };
                if since > 0 {
                    actions.push(Action::LookUp(Found::Tape { is_new: false }));
                }
            }
            Progress::Answered(told) => {
                actions.extend([Action::Tell, Action::Lose]);
                actions.extend((told.is_unavailable() && can_resend).then_some(Action::Resend));
            }
            Progress::Lost => {
                actions.push(Action::Tell);
                actions.extend(can_resend.then_some(Action::Resend));
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        let (number, tapes) = (state.told.len(), state.tapes.len());
        match action {
            Action::Call => {
                state.call = Some(Call {
                    tapes_before: tapes,
                    resent: 0,
                    rpc: Rpc::begin(tapes),
                });
                return Some(state);
            }
            Action::ArriveLate(call) => {
                self.create(&mut state.tapes, call);
                return Some(state);
            }
            _ => {}
        }
        let call = state.call.as_mut()?;
        match action {
            Action::Resend => {
                call.resent += 1;
                call.rpc = Rpc::begin(tapes);
            }
            Action::Tell => {
                let told = match call.rpc.progress {
                    Progress::Answered(told) => told,
                    _ => Told::Nothing,
                };
                state.told.push((told, tapes));
                state.call = None;
            }
            Action::Arrive(fault) => {
                let answer = self.create(&mut state.tapes, number).or(fault);
                call.rpc.progress = Progress::Responded(answer);
            }
            Action::Refuse(fault) => call.rpc.progress = Progress::Responded(Some(fault)),
            Action::Respond(None) => call.rpc.progress = Progress::Answered(Told::Created),
            Action::Respond(Some(fault)) => {
                call.rpc.faults.push(fault);
                call.rpc.progress = Progress::Failed;
            }
            Action::GiveUp => {
                state.late[number] |= call.rpc.progress == Progress::Sent;
                call.rpc.faults.push(AttemptFault::ConnectionLost);
                call.rpc.progress = Progress::Failed;
            }
            Action::Retry => call.rpc.progress = Progress::Sent,
            Action::Stop => call.rpc.progress = self.stop(call, *call.rpc.faults.last()?),
            Action::LookUp(found) => {
                call.rpc.progress = Progress::Answered(self.create_or_find(call, found));
            }
            Action::Lose => {
                // A replica that is not killed may make its other attempts.
                state.late[number] |= match call.rpc.progress {
                    Progress::Sent => true,
                    Progress::Responded(_) => call.rpc.faults.len() + 1 < ATTEMPTS,
                    Progress::Failed => call.rpc.faults.len() < ATTEMPTS,
                    Progress::LookingUp | Progress::Answered(_) | Progress::Lost => false,
                };
                call.rpc.progress = Progress::Lost;
            }
            Action::Call | Action::ArriveLate(_) => {}
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(NO_SECOND_TAPE, |_, state: &State| state.tapes.len() <= 1),
            Property::always(NO_FALSE_WORD, |_, state: &State| {
                state.told.iter().enumerate().all(|(call, (told, _))| match told {
                    Told::Created => !state.tapes.is_empty(),
                    Told::Failed(_, Said::NotApplied) | Told::TapeExists(Said::NotApplied) => {
                        !state.tapes.contains(&call)
                    }
                    _ => true,
                })
            }),
            Property::always(NO_SUCCESS_IS_A_FAILURE, |_, state: &State| {
                state
                    .told
                    .iter()
                    .enumerate()
                    .all(|(call, (told, tapes))| match told {
                        Told::Failed(AttemptFault::InvalidParameters, _) | Told::TapeExists(_) => {
                            !state.tapes[..*tapes].contains(&call)
                        }
                        _ => true,
                    })
            }),
            Property::sometimes(A_LOST_TAPE_IS_FOUND, |_, state: &State| {
                let call = state.call.as_ref();
                let found = call.is_some_and(|call| {
                    call.rpc.progress == Progress::Answered(Told::Created)
                        && call.rpc.faults.last() == Some(&AttemptFault::InvalidParameters)
                });
                found && state.tapes.contains(&state.told.len())
            }),
        ]
    }

    /// Every case of two tapes is one too many.
    fn within_boundary(&self, state: &State) -> bool {
        state.tapes.len() <= 2
    }
}

const NO_SECOND_TAPE: &str = "no second tape";
const NO_FALSE_WORD: &str = "no false word";
const NO_SUCCESS_IS_A_FAILURE: &str = "no call fails because it has succeeded";
const A_LOST_TAPE_IS_FOUND: &str = "a tape whose response was lost is found";

/// The names of the properties that do not hold.
fn broken(protocol: Protocol) -> BTreeSet<&'static str> {
    let checked = protocol.checker().spawn_bfs().join();
    let properties = checked.model().properties();
    let found = checked.discoveries();
    let is_broken = |property: &&Property<Protocol>| {
        found.contains_key(property.name) == property.expectation.discovery_is_failure()
    };
    println!("{} states", checked.unique_state_count());
    properties
        .iter()
        .filter(is_broken)
        .map(|property| property.name)
        .collect()
}

#[test]
fn a_tape_is_created_once_by_its_barcode() {
    assert_eq!(broken(Protocol::of(Key::Barcode)), BTreeSet::new());
}

#[test]
fn tapes_are_created_once_by_their_client_token() {
    // AWS itself answers the second request with the tapes of the first: nothing is looked up.
    assert_eq!(
        broken(Protocol::of(Key::ClientToken)),
        BTreeSet::from([A_LOST_TAPE_IS_FOUND])
    );
}

#[test]
fn without_the_look_up_a_call_fails_because_it_succeeded() {
    let protocol = Protocol {
        looks_up: false,
        ..Protocol::of(Key::Barcode)
    };
    let broken = broken(protocol);
    assert!(broken.contains(NO_SUCCESS_IS_A_FAILURE), "{broken:?}");
}

#[test]
fn with_a_token_for_each_attempt_there_is_a_second_tape() {
    let protocol = Protocol {
        keeps_token: false,
        ..Protocol::of(Key::ClientToken)
    };
    assert!(broken(protocol).contains(NO_SECOND_TAPE));
}

#[test]
fn if_resent_calls_count_as_new_ones_a_call_fails_because_it_succeeded() {
    let protocol = Protocol {
        counts_resent: false,
        ..Protocol::of(Key::Barcode)
    };
    assert!(broken(protocol).contains(NO_SUCCESS_IS_A_FAILURE));
}

#[test]
fn if_the_last_attempt_alone_counts_there_is_a_false_word() {
    let protocol = Protocol {
        keeps_history: false,
        ..Protocol::of(Key::ClientToken)
    };
    assert!(broken(protocol).contains(NO_FALSE_WORD));
}
