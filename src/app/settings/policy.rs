//! `[policy]` and `[audit]`: what callers may do, and what is recorded of it.

use std::path::PathBuf;

use super::{
    Setting,
    parsers::{Bool, DIRECTORY, FILE, Integer, Parsed},
    values::Values,
};
use crate::{
    access::{audit::AuditSettings, policy::PolicySettings},
    domain::Pool,
};

pub(crate) static PATH: Setting<Parsed<PathBuf>> = Setting {
    key: "policy.path",
    kind: DIRECTORY,
    default: None,
    help: "The directory of the Cedar policies (*.cedar), which say what each caller may do. A call is denied unless a \
           policy permits it.",
};

pub(crate) static TRIAL: Setting<Parsed<PathBuf>> = Setting {
    key: "policy.trial",
    kind: DIRECTORY,
    default: None,
    help: "A directory of trial policies. The service evaluates them for the same requests, but does not enforce the \
           result. It logs and counts each decision that differs from that of policy.path.",
};

pub(crate) static UNSET_POOL: Setting<Parsed<Pool>> = Setting {
    key: "policy.unset_pool",
    kind: Parsed::domain(
        "POOL",
        "the name of a storage class, such as GLACIER, or the id of a custom pool, such as pool-12345678",
    ),
    default: Some("GLACIER"),
    help: "The value of context.pool in policies if a create request has no pool. AWS does not document its default \
           pool.",
};

pub(crate) static AUDIT_FILE: Setting<Parsed<PathBuf>> = Setting {
    key: "audit.file",
    kind: FILE,
    default: None,
    help: "A regular file to which a line of JSON is appended for each create and each rejected call. If it is renamed, a new \
           file is created. Default: none, and the records go to the log with the target tapegate::audit.",
};

pub(crate) static AUDIT_READS: Setting<Bool> = Setting {
    key: "audit.reads",
    kind: Bool,
    default: Some("false"),
    help: "Record allowed reads, too.",
};

pub(crate) static AUDIT_REJECTIONS: Setting<Integer<u64>> = Setting {
    key: "audit.rejections_per_minute",
    kind: Integer {
        range: 0..=1_000_000,
        unit: "calls",
    },
    default: Some("60"),
    help: "How many rejected calls of callers that are not authenticated get a line in the log and an audit record of \
           their own, per minute, for each reason and address (or /64 network of IPv6). Further ones are summed up once \
           a minute, with their exact number.",
};

pub(crate) static AUDIT_QUEUE: Setting<Integer<usize>> = Setting {
    key: "audit.queue",
    kind: Integer {
        range: 1..=1_000_000,
        unit: "records",
    },
    default: Some("10000"),
    help: "The maximum number of records that wait to be written to the file. Further records go to the log, as errors.",
};

/// `Some(None)` if there are no policies.
pub(super) fn read(values: &mut Values) -> Option<Option<PolicySettings>> {
    let (path, trial) = (values.optional(&PATH), values.optional(&TRIAL));
    let (path, trial, unset_pool) = (path?, trial?, values.get(&UNSET_POOL)?);
    let Some(path) = path else {
        if trial.is_some() {
            values.fault(
                &TRIAL,
                "is set, but policy.path is not, so there is nothing to compare with; set policy.path, too",
            );
        }
        return Some(None);
    };
    Some(Some(PolicySettings {
        path,
        trial,
        unset_pool,
    }))
}

pub(super) fn audit(values: &mut Values) -> Option<AuditSettings> {
    let file = values.optional(&AUDIT_FILE);
    if file == Some(None) {
        let message = "has no effect, because audit.file is not set: records go to the log; leave it out, or set audit.file";
        values.reject_changed(&AUDIT_QUEUE, message);
    }
    Some(AuditSettings {
        file: file?,
        reads: values.get(&AUDIT_READS)?,
        rejections: values.get(&AUDIT_REJECTIONS)?,
        queue: values.get(&AUDIT_QUEUE)?,
    })
}
