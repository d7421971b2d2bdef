//! What each caller may do, by Cedar policies.
//!
//! Nothing is allowed that no policy allows, and what one forbids stays forbidden. Policies
//! come from a folder that is read again when it changes. A second folder, on trial, can be
//! asked the same questions: its answers are compared and decide nothing.
//!
//! Evaluating all policies for each tape of a page would cost many times what the page does.
//! So for each caller and action the policies that can apply are found once (`applicable`),
//! and tapes that look the same to those policies are decided once (`rows`). Either gives the
//! answer that evaluating all policies for each tape would.

mod applicable;
mod engine;
mod folder;
mod question;
mod rows;
mod sight;

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use cedar_policy::Schema;

pub use self::{
    engine::{Engine, Verdict},
    question::Question,
    rows::{Rows, TapeView},
};
use crate::{
    access::reload::{Files, Reloading},
    domain::{AccountId, Caller, Operation, Pool, Region},
    observability::metrics::Count,
};

/// The schema that policies are checked against.
pub const SCHEMA: &str = include_str!("../../deploy/policies/tapegate.cedarschema");

/// The same, read.
static CHECKED_SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA).expect("the tests check that the schema is one");
    schema
});

/// Where policies are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySettings {
    /// The directory of the policies that decide (`policy.path`).
    pub path: PathBuf,
    /// The directory of trial policies (`policy.trial`).
    pub trial: Option<PathBuf>,
    /// The pool that policies see if a create names none (`policy.unset_pool`).
    pub unset_pool: Pool,
}

/// Policies that are in force, and perhaps others on trial.
#[derive(Debug)]
pub struct Policies {
    real: Arc<Reloading<Engine>>,
    trial: Option<Arc<Reloading<Engine>>>,
    /// What policies see where a create names no pool.
    unset_pool: String,
    tally: PolicyMetrics,
}

/// What was decided since the start.
#[derive(Debug, Default)]
struct PolicyMetrics {
    allowed: Count,
    denied: Count,
    hidden: Count,
    trial_differs: Count,
}

impl Policies {
    /// The policies of these folders.
    pub fn new(
        real: Arc<Reloading<Engine>>,
        trial: Option<Arc<Reloading<Engine>>>,
        unset_pool: String,
    ) -> Self {
        Self {
            real,
            trial,
            unset_pool,
            tally: PolicyMetrics::default(),
        }
    }

    /// Reads a folder of policies; `what` names them in the log.
    ///
    /// # Errors
    ///
    /// All that is wrong with them.
    pub fn open(what: &'static str, folder: &Path) -> Result<Reloading<Engine>, Vec<String>> {
        let files = Files::Folder(folder.to_owned(), "cedar");
        Reloading::open(what, files, Engine::read)
    }

    /// Whether the caller may have this operation, and on which resource.
    pub fn decide<O: Operation>(&self, caller: &Caller, operation: &O) -> (String, Verdict) {
        let question = Question::of(caller, operation, &self.unset_pool);
        let verdict = self.real.load().decide(&question);
        if let Some(trial) = &self.trial {
            let other = trial.load().decide(&question);
            if other.is_allowed != verdict.is_allowed {
                self.tally.trial_differs.add();
                tracing::warn!(
                    principal = caller.principal.name(),
                    action = O::NAME,
                    resource = question.resource(),
                    allowed = verdict.is_allowed,
                    policies = %verdict.names(),
                    trial_allows = other.is_allowed,
                    trial_policies = %other.names(),
                    "the policies on trial decide otherwise"
                );
            }
        }
        let count = match verdict.is_allowed {
            true => &self.tally.allowed,
            false => &self.tally.denied,
        };
        count.add();
        (question.resource().to_owned(), verdict)
    }

    /// Which tapes of an account and region the caller may read.
    pub fn rows(&self, caller: &Caller, account: Option<&AccountId>, region: &Region) -> Rows {
        let rows = self.real.load().rows(caller, account, region);
        match &self.trial {
            None => rows,
            Some(trial) => rows.beside(trial.load().rows(caller, account, region)),
        }
    }

    /// Notes what a page left out, and how many of its rows the policies on trial would have
    /// decided otherwise.
    pub fn shown(&self, caller: &Caller, hidden: u64, trial_differs: u64) {
        self.tally.hidden.add_many(hidden);
        if trial_differs > 0 {
            self.tally.trial_differs.add_many(trial_differs);
            tracing::warn!(
                principal = caller.principal.name(),
                action = "ReadTape",
                tapes = trial_differs,
                "the policies on trial decide otherwise on tapes of a page"
            );
        }
    }

    /// How often the policies on trial decided otherwise.
    pub fn trial_differs(&self) -> u64 {
        self.tally.trial_differs.get()
    }

    /// How many calls were allowed, how many denied, and how many tapes hidden.
    pub fn counts(&self) -> [u64; 3] {
        let PolicyMetrics {
            allowed,
            denied,
            hidden,
            ..
        } = &self.tally;
        [allowed, denied, hidden].map(Count::get)
    }
}

/// The id of the resource that an operation is about: a gateway's ARN, or `ACCOUNT/REGION`.
pub fn resource_of<O: Operation>(operation: &O) -> String {
    match operation.gateway() {
        Some(gateway) => gateway.to_string(),
        None => question::scope_id(operation.account(), operation.region()),
    }
}

/// The names of policies, in order.
fn sorted(names: HashSet<String>) -> Arc<[String]> {
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_unstable();
    names.into()
}
