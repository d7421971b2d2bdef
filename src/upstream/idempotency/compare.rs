use crate::domain::{
    Encryption, KmsKey, KnownStatus, NewTape, Pool, Tape, TapeArchive, TapeInfo, TapeStatus, Timestamp,
};

/// A tape beside the one that was asked for.
pub(super) struct Comparison {
    /// In what they are not the same.
    pub(super) differs: Vec<&'static str>,
    /// Whether that is for good, so that it never was the one.
    pub(super) is_others: bool,
    pub(super) created: Option<Timestamp>,
}

/// What AWS shows of a tape that a create can ask for; `None` is not shown.
pub(super) struct Shown<'a> {
    size: Option<i64>,
    worm: Option<bool>,
    pool: Option<&'a Pool>,
    /// Whether it shows keys, and which.
    kms_key: Option<Option<&'a KmsKey>>,
    status: Option<KnownStatus>,
    created: Option<Timestamp>,
}

impl<'a> From<&'a Tape> for Shown<'a> {
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

impl<'a> From<&'a TapeArchive> for Shown<'a> {
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

/// A tape that is listed and, moving meanwhile or deleted, not described.
impl<'a> From<&'a TapeInfo> for Shown<'a> {
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

/// Compares what is shown; in what is in `differs` it is known not to be the same.
pub(super) fn compare(asked: &NewTape, tape: &Shown<'_>, differs: &[&'static str]) -> Comparison {
    let size = asked.size.bytes();
    let worm = asked.worm == Some(true);
    // What never changes, and so never was.
    let is_others =
        tape.size.is_some_and(|other| other != size) || tape.worm.is_some_and(|other| other != worm);
    let found = [
        ("tape_size_in_bytes", tape.size != Some(size)),
        ("worm", tape.worm.is_some_and(|other| other != worm)),
        // Where none was asked for, AWS chose. AssignTapePool may have moved it since.
        ("pool", asked.pool.is_some() && asked.pool.as_ref() != tape.pool),
        (
            "kms_key",
            tape.kms_key
                .is_some_and(|key| is_other_key(&asked.encryption, key)),
        ),
        (
            "tape_status",
            matches!(tape.status, Some(KnownStatus::Deleting | KnownStatus::Deleted)),
        ),
    ];
    let found = found.into_iter().filter(|(_, is_other)| *is_other);
    let mut differs = differs.to_vec();
    differs.extend(found.map(|(name, _)| name));
    Comparison {
        differs,
        is_others,
        created: tape.created,
    }
}

/// Whether a tape is encrypted otherwise than was asked for. An alias cannot be compared, nor
/// can a key that AWS chose; that one side has none can.
fn is_other_key(asked: &Encryption, has: Option<&KmsKey>) -> bool {
    match (asked.kms_key(), has) {
        (Some(asked), Some(has)) => asked.is_key_arn() && has.is_key_arn() && asked != has,
        (Some(_), None) => true,
        (None, has) => has.is_some() && asked.kms_encrypted() != Some(true),
    }
}
