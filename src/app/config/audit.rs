use std::path::PathBuf;

use super::{
    Setting,
    values::Values,
    word::{File, Integer, Switch},
};

/// What is recorded of calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// The file that gets the records (`audit.file`). Without one they are in the log.
    pub file: Option<PathBuf>,
    /// Whether reads that went well are recorded too (`audit.reads`).
    pub reads: bool,
    /// How many records may wait to be written (`audit.queue`).
    pub queue: usize,
}

pub(crate) static FILE: Setting<File> = Setting {
    key: "audit.file",
    kind: File,
    default: None,
    help: "A file to which a line of JSON is added for each create and each call that was refused. It is opened anew \
           when it was moved away. Without it the records are in the log, with the target tapegate::audit.",
};

pub(crate) static READS: Setting<Switch> = Setting {
    key: "audit.reads",
    kind: Switch,
    default: Some("false"),
    help: "Record reads that were allowed, too.",
};

pub(crate) static QUEUE: Setting<Integer<usize>> = Setting {
    key: "audit.queue",
    kind: Integer {
        range: 1..=1_000_000,
        unit: "records",
    },
    default: Some("10000"),
    help: "How many records may wait for the file. Those beyond are in the log, as errors.",
};

impl Audit {
    pub(super) fn read(values: &mut Values) -> Option<Self> {
        Some(Self {
            file: values.optional(&FILE)?,
            reads: values.get(&READS)?,
            queue: values.get(&QUEUE)?,
        })
    }
}
