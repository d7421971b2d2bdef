use crate::domain::{
    Encryption, KmsKey, KnownStatus, NewTape, Pool, Tape, TapeArchive, TapeInfo, TapeStatus, Timestamp,
};

/// How a tape of AWS differs from the requested one.
pub(super) struct Comparison {
    /// The request fields in which they differ.
    pub(super) differences: Vec<&'static str>,
    /// Whether they differ in a property that never changes, so that another call created the tape.
    pub(super) is_another_tape: bool,
    pub(super) created: Option<Timestamp>,
}

/// The properties of a tape of AWS that a create can request. `None` is not known.
pub(super) struct ReportedTape<'a> {
    size: Option<i64>,
    worm: Option<bool>,
    pool: Option<&'a Pool>,
    /// The outer `None`: not known. The inner one: no KMS key.
    kms_key: Option<Option<&'a KmsKey>>,
    status: Option<KnownStatus>,
    created: Option<Timestamp>,
}

impl<'a> From<&'a Tape> for ReportedTape<'a> {
    fn from(tape: &'a Tape) -> Self {
        Self {
            size: tape.tape_size_in_bytes,
            worm: Some(tape.worm),
            pool: tape.pool_id.as_ref(),
            kms_key: Some(tape.kms_key.as_ref()),
            status: tape.tape_status.as_ref().and_then(TapeStatus::known),
            created: tape.tape_created_date,
        }
    }
}

impl<'a> From<&'a TapeArchive> for ReportedTape<'a> {
    fn from(tape: &'a TapeArchive) -> Self {
        Self {
            size: tape.tape_size_in_bytes,
            worm: Some(tape.worm),
            pool: tape.pool_id.as_ref(),
            kms_key: Some(tape.kms_key.as_ref()),
            status: tape.tape_status.as_ref().and_then(TapeStatus::known),
            created: tape.tape_created_date,
        }
    }
}

/// A tape that ListTapes returns, but no describe operation, because it has moved or was deleted.
impl<'a> From<&'a TapeInfo> for ReportedTape<'a> {
    fn from(info: &'a TapeInfo) -> Self {
        Self {
            size: info.tape_size_in_bytes,
            worm: None,
            pool: info.pool_id.as_ref(),
            kms_key: None,
            status: None,
            created: None,
        }
    }
}

/// Compares a tape with the requested one. `known_differences` are added to the result.
pub(super) fn compare(
    requested: &NewTape,
    tape: &ReportedTape<'_>,
    known_differences: &[&'static str],
) -> Comparison {
    let size = requested.size.bytes();
    let worm = requested.worm == Some(true);
    // These two never change.
    let is_another_tape =
        tape.size.is_some_and(|other| other != size) || tape.worm.is_some_and(|other| other != worm);
    let properties = [
        ("tape_size_in_bytes", tape.size != Some(size)),
        ("worm", tape.worm.is_some_and(|other| other != worm)),
        // If none was requested, AWS chose it. AssignTapePool may have changed it.
        (
            "pool",
            requested.pool.is_some() && requested.pool.as_ref() != tape.pool,
        ),
        (
            "kms_key",
            tape.kms_key
                .is_some_and(|key| is_other_key(&requested.encryption, key)),
        ),
        (
            "tape_status",
            matches!(tape.status, Some(KnownStatus::Deleting | KnownStatus::Deleted)),
        ),
    ];
    let different = properties.into_iter().filter(|(_, differs)| *differs);
    let mut differences = known_differences.to_vec();
    differences.extend(different.map(|(name, _)| name));
    Comparison {
        differences,
        is_another_tape,
        created: tape.created,
    }
}

/// Whether the encryption of a tape differs from the requested one. Two keys can be compared only by
/// their ARNs, not by an alias, and not if AWS chose the key.
fn is_other_key(requested: &Encryption, actual: Option<&KmsKey>) -> bool {
    match (requested.kms_key(), actual) {
        (Some(requested), Some(actual)) => {
            requested.is_key_arn() && actual.is_key_arn() && requested != actual
        }
        (Some(_), None) => true,
        (None, actual) => actual.is_some() && requested.kms_encrypted() != Some(true),
    }
}
