use std::path::PathBuf;

use super::{
    Setting,
    values::Values,
    word::{Folder, Name},
};
use crate::{access::policy::PolicyEngine, domain::Pool};

/// What callers may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The folder of the policies that decide (`policy.path`).
    pub path: PathBuf,
    /// The folder of policies on trial (`policy.trial`).
    pub trial: Option<PathBuf>,
    /// What policies see where a create names no pool (`policy.unset_pool`).
    pub unset_pool: Pool,
}

pub(crate) static PATH: Setting<Folder> = Setting {
    key: "policy.path",
    kind: Folder,
    default: None,
    help: "The folder of the Cedar policies (*.cedar) that say what each caller may do. Nothing is allowed that none of \
           them allows.",
};

pub(crate) static TRIAL: Setting<Folder> = Setting {
    key: "policy.trial",
    kind: Folder,
    default: None,
    help: "A folder of policies on trial: they are asked the same as the others and decide nothing. Where they would \
           decide otherwise, that is logged and counted.",
};

pub(crate) static UNSET_POOL: Setting<Name<Pool>> = Setting {
    key: "policy.unset_pool",
    kind: Name::new(
        "POOL",
        "the name of a storage class, such as GLACIER, or the id of a custom pool, such as pool-12345678",
    ),
    default: Some("GLACIER"),
    help: "The pool that policies see where a create names none. AWS does not document which one it takes then.",
};

impl Policy {
    /// `Some(None)` where there are no policies.
    pub(super) fn read(values: &mut Values) -> Option<Option<Self>> {
        let (path, trial) = (values.optional(&PATH), values.optional(&TRIAL));
        for (setting, folder) in [(&PATH, &path), (&TRIAL, &trial)] {
            if let Some(Some(folder)) = folder
                && let Err(faults) = PolicyEngine::open(setting.key, folder)
            {
                values.faults_of_file(setting, faults);
            }
        }
        let (path, trial, unset_pool) = (path?, trial?, values.get(&UNSET_POOL)?);
        let Some(path) = path else {
            if trial.is_some() {
                values.fault(
                    &TRIAL,
                    "is set, but policy.path is not: there is nothing to compare with",
                );
            }
            return Some(None);
        };
        Some(Some(Self {
            path,
            trial,
            unset_pool,
        }))
    }
}
