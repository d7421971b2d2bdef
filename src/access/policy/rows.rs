//! Which rows of a list may be shown.

use std::{
    borrow::Cow,
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use cedar_policy::{EntityUid, PolicySet};

use super::{
    engine::evaluate,
    question::{Agent, Question},
    sight::Sight,
};

/// A tape as policies see it; what AWS sent none of is empty.
#[derive(Clone, Debug)]
pub struct TapeView<'a> {
    /// Its ARN.
    pub arn: &'a str,
    /// Its barcode.
    pub barcode: &'a str,
    /// Its pool, by the API's word.
    pub pool: &'a str,
    /// Its status, with underscores.
    pub status: Cow<'a, str>,
    /// The gateway that the answer names.
    pub gateway: Option<&'a str>,
}

/// What judges the rows of one call.
#[derive(Clone, Debug)]
pub struct Rows {
    judge: Arc<Judge>,
    address: IpAddr,
    trial: Option<Arc<Judge>>,
}

/// What one caller may read of one scope, by policies that stay the same.
#[derive(Debug)]
pub(super) struct Judge {
    policies: PolicySet,
    sight: Sight,
    agent: Agent,
    scope: EntityUid,
    /// What was decided, by how the tape looks.
    decided: Mutex<HashMap<String, bool>>,
}

/// How many looks are remembered: where policies see each tape, there are as many as tapes.
const MAX_DECIDED: usize = 1_024;

impl Rows {
    pub(super) fn new(judge: Arc<Judge>, address: IpAddr) -> Self {
        Self {
            judge,
            address,
            trial: None,
        }
    }

    /// The same, with another opinion that decides nothing.
    pub(super) fn beside(self, trial: Self) -> Self {
        Self {
            trial: Some(trial.judge),
            ..self
        }
    }

    /// Whether every tape may be shown, whatever it is.
    pub fn are_all(&self) -> bool {
        let all = |judge: &Arc<Judge>| judge.sight.is_blind() && judge.may_read(&UNSEEN, self.address);
        all(&self.judge) && self.trial.as_ref().is_none_or(all)
    }

    /// Whether this one may be shown, and whether the policies on trial say otherwise.
    pub fn may_show(&self, tape: &TapeView<'_>) -> (bool, bool) {
        let shown = self.judge.may_read(tape, self.address);
        let differs = self
            .trial
            .as_ref()
            .is_some_and(|trial| trial.may_read(tape, self.address) != shown);
        (shown, differs)
    }
}

/// Stands for any tape where nothing of one is looked at.
const UNSEEN: TapeView<'static> = TapeView {
    arn: "",
    barcode: "",
    pool: "",
    status: Cow::Borrowed(""),
    gateway: None,
};

impl Judge {
    pub(super) fn new(policies: PolicySet, agent: Agent, scope: EntityUid) -> Self {
        Self {
            sight: Sight::of(policies.policies()),
            policies,
            agent,
            scope,
            decided: Mutex::default(),
        }
    }

    fn may_read(&self, tape: &TapeView<'_>, address: IpAddr) -> bool {
        let mut look = String::new();
        if self.sight.sees_context() {
            look = format!("{address} ");
        }
        self.sight.look_of(tape, &mut look);
        let decided = || self.decided.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(may) = decided().get(&look) {
            return *may;
        }
        let question = Question::read_tape(self.agent.clone(), address, self.scope.clone(), tape);
        let may = evaluate(&self.policies, &question).is_allowed;
        let mut decided = decided();
        if decided.len() >= MAX_DECIDED {
            decided.clear();
        }
        decided.insert(look, may);
        may
    }
}
