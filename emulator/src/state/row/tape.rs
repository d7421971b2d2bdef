use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    account::{
        pool::Pool,
        tape::{Progress, Status, Tape},
        timestamp::Timestamp,
    },
    state::time_problem,
};

/// A tape, by its barcode.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::state) struct TapeRow<'a> {
    #[serde(with = "StatusRow")]
    pub(in crate::state) status: Status,
    size: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    used: Option<i64>,
    created: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::state) gateway: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<ProgressRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::state) retrieved_to: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_key: Option<Cow<'a, str>>,
    pub(in crate::state) pool: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "is_false")]
    worm: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    retention_start: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pool_entry: Option<i64>,
    /// Whether it was DELETED so long ago that no call shows it.
    #[serde(default, skip_serializing_if = "is_false")]
    forgotten: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Status", rename_all = "SCREAMING_SNAKE_CASE")]
enum StatusRow {
    Creating,
    Available,
    InTransitToVts,
    Archiving,
    Archived,
    Retrieving,
    Retrieved,
    Recovering,
    Recovered,
    Irrecoverable,
    Deleting,
    Deleted,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum ProgressRow {
    Still { percent: f64 },
    Between { from: i64, to: i64 },
}

// By reference, as serde calls it.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(value: &bool) -> bool {
    !value
}

impl Default for TapeRow<'_> {
    fn default() -> Self {
        Self {
            status: Status::Available,
            size: 0,
            used: None,
            created: 0,
            until: None,
            gateway: None,
            device: None,
            progress: None,
            completed: None,
            retrieved_to: None,
            kms_key: None,
            pool: "GLACIER".into(),
            worm: false,
            retention_start: None,
            pool_entry: None,
            forgotten: false,
        }
    }
}

impl<'a> From<&'a Tape> for TapeRow<'a> {
    fn from(tape: &'a Tape) -> Self {
        let Tape {
            size,
            used,
            created,
            status,
            until,
            gateway,
            device,
            progress,
            completed,
            retrieved_to,
            kms_key,
            pool,
            worm,
            retention_start,
            pool_entry,
            forgotten,
        } = tape;
        let text = |value: &'a Option<Arc<str>>| value.as_deref().map(Cow::from);
        Self {
            status: *status,
            size: *size,
            used: *used,
            created: created.millis(),
            until: until.map(Timestamp::millis),
            gateway: text(gateway),
            device: text(device),
            progress: progress.map(|progress| match progress {
                Progress::Still(percent) => ProgressRow::Still { percent },
                Progress::Between(from, to) => ProgressRow::Between {
                    from: from.millis(),
                    to: to.millis(),
                },
            }),
            completed: completed.map(Timestamp::millis),
            retrieved_to: text(retrieved_to),
            kms_key: text(kms_key),
            pool: pool.as_str().into(),
            worm: *worm,
            retention_start: retention_start.map(Timestamp::millis),
            pool_entry: pool_entry.map(Timestamp::millis),
            forgotten: *forgotten,
        }
    }
}

impl TapeRow<'_> {
    /// The problems of the row, by member.
    pub(in crate::state) fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if self.size < 0 {
            faults.push((
                "size",
                format!("{} is wrong; it takes bytes, 0 or more", self.size),
            ));
        }
        if let Some(used) = self.used.filter(|used| !(0..=self.size).contains(used)) {
            let message = format!("{used} is wrong; it takes bytes, from 0 to the size");
            faults.push(("used", message));
        }
        let shown = [
            ("created", Some(self.created)),
            ("completed", self.completed),
            ("retention_start", self.retention_start),
            ("pool_entry", self.pool_entry),
        ];
        for (name, millis) in shown {
            if let Some(message) = millis.and_then(time_problem) {
                faults.push((name, message));
            }
        }
        if let Some(ProgressRow::Still { percent }) = self.progress
            && !(0.0..=100.0).contains(&percent)
        {
            let message = format!("{percent} is wrong; it takes a percentage from 0 to 100");
            faults.push(("progress", message));
        }
        if self.forgotten && self.status != Status::Deleted {
            faults.push(("forgotten", "is true, but the tape is not DELETED".to_owned()));
        }
        faults
    }

    /// The tape, in this pool. `name` returns shared strings for names of many tapes.
    pub(in crate::state) fn into_tape(self, pool: Pool, mut name: impl FnMut(&str) -> Arc<str>) -> Tape {
        let mut text = |value: Option<Cow<'_, str>>| value.map(|value| name(&value));
        let time = |millis: Option<i64>| millis.map(Timestamp::from_millis);
        Tape {
            size: self.size,
            used: self.used,
            created: Timestamp::from_millis(self.created),
            status: self.status,
            until: time(self.until),
            gateway: text(self.gateway),
            device: text(self.device),
            progress: self.progress.map(|progress| match progress {
                ProgressRow::Still { percent } => Progress::Still(percent),
                ProgressRow::Between { from, to } => {
                    Progress::Between(Timestamp::from_millis(from), Timestamp::from_millis(to))
                }
            }),
            completed: time(self.completed),
            retrieved_to: text(self.retrieved_to),
            kms_key: text(self.kms_key),
            pool,
            worm: self.worm,
            retention_start: time(self.retention_start),
            pool_entry: time(self.pool_entry),
            forgotten: self.forgotten,
        }
    }
}
