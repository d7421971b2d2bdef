use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::time::Instant;

use crate::{
    domain::{Attempts, Caller, Failure, Step},
    observability::calls::CallFacts,
};

/// What became of one call, in the extensions of its request: the service adds to it, the
/// layers around it tell it, in the trailers and in the log.
#[derive(Clone, Debug, Default)]
pub struct Report {
    told: Arc<Mutex<Told>>,
    step: Step,
}

/// What a [`Report`] has been told so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// What the call cost upstream; `None` where it never got that far.
    pub(super) attempts: Option<Attempts>,
    /// Why it failed there, for operators.
    pub(super) fault: Option<String>,
    /// Whether it was passed on to the upstream.
    pub(super) begun: bool,
    /// Where it came from.
    pub(super) address: Option<IpAddr>,
    /// Who makes it, once that is known.
    pub(super) caller: Option<Caller>,
    /// When it must have ended, once that is known.
    pub(super) deadline: Option<Instant>,
    /// Whether it met a defect of the service.
    pub(super) panicked: bool,
}

impl Told {
    /// The name of who makes the call, once that is known.
    pub(super) fn principal(&self) -> Option<&str> {
        self.caller.as_ref().map(|caller| caller.principal.name())
    }
}

impl Report {
    /// The call came from there.
    pub(super) fn came_from(&self, address: IpAddr) {
        self.tell(|told| told.address = Some(address));
    }

    /// This caller makes the call.
    pub(super) fn is_made_by(&self, caller: Caller) {
        self.tell(|told| told.caller = Some(caller));
    }

    /// The call must have ended by then.
    pub(super) fn ends_by(&self, deadline: Instant) {
        self.tell(|told| told.deadline = Some(deadline));
    }

    /// Where to say which step the call is at.
    pub fn step(&self) -> Step {
        self.step.clone()
    }

    /// The call met a defect of the service.
    pub(super) fn panicked(&self) {
        self.tell(|told| told.panicked = true);
    }

    /// The call is passed on to the upstream.
    pub fn begin(&self) {
        self.tell(|told| told.begun = true);
    }

    /// One more step of the call has cost this.
    pub fn add(&self, attempts: &Attempts) {
        self.tell(|told| {
            let total = told.attempts.take().unwrap_or_default().and(attempts.clone());
            told.attempts = Some(total);
        });
    }

    /// The call has failed. What comes back is the failure of the whole call, which cost
    /// what all its steps did.
    pub fn fail(&self, mut failure: Failure) -> Failure {
        self.add(&failure.attempts);
        self.tell(|told| told.fault = Some(failure.fault.to_string()));
        failure.attempts = self.told().attempts.unwrap_or_default();
        failure
    }

    /// Whether it is known who makes the call.
    pub(super) fn knows_caller(&self) -> bool {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.caller.is_some()
    }

    pub(super) fn told(&self) -> Told {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl CallFacts for Report {
    fn caller(&self) -> Option<String> {
        self.told().principal().map(str::to_owned)
    }

    fn attempt(&self) -> u32 {
        self.step.attempts()
    }

    fn deadline(&self) -> Option<Instant> {
        self.told().deadline
    }
}
