//! What AWS does where nobody outside it knows: the plausible answers to choose from.

use std::time::Duration;

use super::parsers::NumberChoice;
use crate::{
    app::settings::{
        Setting,
        parsers::{Bool, Choice, DurationIn},
        values::Values,
    },
    emulator::{
        BarcodeScope, DefaultPool, ErrorCode, InTransitSpelling, InternalServerErrorStatus, RetrievedListed,
        TapeArnsWithMarker, TokenMismatch, TokenScope, Undocumented, UnknownTapeArns,
    },
};

const MONTH: Duration = Duration::from_secs(30 * 86_400);

pub(crate) static TOKEN_SCOPE: Setting<Choice<TokenScope>> = Setting {
    key: "emulator.token_scope",
    kind: Choice(&[
        ("region", TokenScope::Region),
        ("gateway", TokenScope::Gateway),
        ("account", TokenScope::Account),
    ]),
    default: Some("region"),
    help: "Within what one ClientToken stands for one creation: a region of the account, one gateway, or the \
           account in all regions. AWS does not say.",
};

pub(crate) static TOKEN_MISMATCH: Setting<Choice<TokenMismatch>> = Setting {
    key: "emulator.token_mismatch",
    kind: Choice(&[
        ("refuse", TokenMismatch::Refused),
        ("replay", TokenMismatch::Replayed),
    ]),
    default: Some("refuse"),
    help: "What answers a ClientToken that comes again with other parameters: InvalidParameters, or the tapes \
           that the first call made. AWS does not say.",
};

pub(crate) static TOKEN_WINDOW: Setting<DurationIn> = Setting {
    key: "emulator.token_window",
    kind: DurationIn(Duration::ZERO..=MONTH),
    default: None,
    help: "For how long a ClientToken is remembered, in the emulator's time. Not given, for ever. AWS does \
           not say.",
};

pub(crate) static BARCODE_SCOPE: Setting<Choice<BarcodeScope>> = Setting {
    key: "emulator.barcode_scope",
    kind: Choice(&[
        ("region", BarcodeScope::Region),
        ("account", BarcodeScope::Account),
    ]),
    default: Some("region"),
    help: "Within what a barcode is unique: a region of the account, or the account in all regions. AWS does \
           not say.",
};

pub(crate) static CODE_OF_FULL_LIBRARY: Setting<Choice<ErrorCode>> = Setting {
    key: "emulator.code_of_full_library",
    kind: Choice(&[
        (
            "MaximumTapeCartridgeCountExceeded",
            ErrorCode::MaximumTapeCartridgeCountExceeded,
        ),
        ("LocalStorageLimitExceeded", ErrorCode::LocalStorageLimitExceeded),
        ("InvalidParameters", ErrorCode::InvalidParameters),
    ]),
    default: Some("MaximumTapeCartridgeCountExceeded"),
    help: "The code that refuses tapes past `bytes_per_library`. AWS does not say.",
};

pub(crate) static CODE_WITHOUT_CACHE: Setting<Choice<ErrorCode>> = Setting {
    key: "emulator.code_without_cache",
    kind: Choice(&[
        ("NoDisksAvailable", ErrorCode::NoDisksAvailable),
        ("LocalStorageLimitExceeded", ErrorCode::LocalStorageLimitExceeded),
        ("InvalidParameters", ErrorCode::InvalidParameters),
    ]),
    default: Some("NoDisksAvailable"),
    help: "The code that refuses a tape to a gateway without a cache. AWS does not say.",
};

pub(crate) static DESCRIBE_OFFLINE: Setting<Bool> = Setting {
    key: "emulator.describe_offline",
    kind: Bool,
    default: Some("true"),
    help: "Whether DescribeTapes answers for a gateway that is not connected. AWS does not say.",
};

pub(crate) static DEFAULT_POOL: Setting<Choice<DefaultPool>> = Setting {
    key: "emulator.default_pool",
    kind: Choice(&[
        ("GLACIER", DefaultPool::Glacier),
        ("DEEP_ARCHIVE", DefaultPool::DeepArchive),
    ]),
    default: Some("GLACIER"),
    help: "The pool of a tape that is created without one. AWS does not say.",
};

pub(crate) static KMS_KEY_REQUIRED: Setting<Bool> = Setting {
    key: "emulator.kms_key_required",
    kind: Bool,
    default: Some("false"),
    help: "Whether KMSEncrypted without KMSKey is refused. AWS does not say.",
};

pub(crate) static TAGS_WITH_BARCODE: Setting<Bool> = Setting {
    key: "emulator.tags_with_barcode",
    kind: Bool,
    default: Some("false"),
    help: "Whether a tape keeps the tags that CreateTapeWithBarcode was sent. AWS has been seen to drop them.",
};

pub(crate) static UNKNOWN_TAPE_ARNS: Setting<Choice<UnknownTapeArns>> = Setting {
    key: "emulator.unknown_tape_arns",
    kind: Choice(&[
        ("omit", UnknownTapeArns::LeftOut),
        ("refuse", UnknownTapeArns::Refused),
    ]),
    default: Some("omit"),
    help: "What TapeARNs does with the ARN of a tape that the call does not show: it is left out, or the call \
           fails with TapeCartridgeNotFound. AWS does not say.",
};

pub(crate) static TAPE_ARNS_WITH_MARKER: Setting<Choice<TapeArnsWithMarker>> = Setting {
    key: "emulator.tape_arns_with_marker",
    kind: Choice(&[
        ("page", TapeArnsWithMarker::Paged),
        ("ignore", TapeArnsWithMarker::Ignored),
        ("refuse", TapeArnsWithMarker::Refused),
    ]),
    default: Some("page"),
    help: "How TapeARNs and Marker go together. With page, what TapeARNs selects comes in pages; with ignore \
           and refuse it comes as one, whatever Limit says, and a Marker sent with it is ignored or refused. \
           AWS does not say.",
};

pub(crate) static MARKER_LIFETIME: Setting<DurationIn> = Setting {
    key: "emulator.marker_lifetime",
    kind: DurationIn(Duration::from_millis(1)..=MONTH),
    default: None,
    help: "For how long a Marker is good, in the emulator's time. Not given, for ever. AWS does not say.",
};

pub(crate) static IN_TRANSIT_SPELLING: Setting<Choice<InTransitSpelling>> = Setting {
    key: "emulator.in_transit_spelling",
    kind: Choice(&[
        ("spaces", InTransitSpelling::Spaces),
        ("underscores", InTransitSpelling::Underscores),
        ("joined", InTransitSpelling::Joined),
    ]),
    default: Some("spaces"),
    help: "How the status is spelled: IN TRANSIT TO VTS, IN_TRANSIT_TO_VTS or INTRANSITTOVTS. AWS's user guide \
           has spaces; of the wire it does not say.",
};

pub(crate) static RETRIEVED_LISTED: Setting<Choice<RetrievedListed>> = Setting {
    key: "emulator.retrieved_listed",
    kind: Choice(&[("once", RetrievedListed::Once), ("twice", RetrievedListed::Twice)]),
    default: Some("once"),
    help: "How often ListTapes lists a RETRIEVED tape, which is in the library and in the archive. The second \
           time it has no GatewayARN. AWS does not say.",
};

pub(crate) static WORM_WHEN_FALSE: Setting<Bool> = Setting {
    key: "emulator.worm_when_false",
    kind: Bool,
    default: Some("false"),
    help: "Whether a tape that is no WORM says so with Worm false; else it has no Worm. AWS does not say.",
};

pub(crate) static INTERNAL_SERVER_ERROR_STATUS: Setting<NumberChoice<InternalServerErrorStatus>> = Setting {
    key: "emulator.internal_server_error_status",
    kind: NumberChoice {
        name: "STATUS",
        choices: &[
            (500, InternalServerErrorStatus::Status500),
            (400, InternalServerErrorStatus::Status400),
        ],
    },
    default: Some("500"),
    help: "The HTTP status of InternalServerError where a fault rule names none. AWS documents both.",
};

pub(super) fn read(values: &Values) -> Option<Undocumented> {
    Some(Undocumented {
        token_scope: values.get(&TOKEN_SCOPE)?,
        token_mismatch: values.get(&TOKEN_MISMATCH)?,
        token_window: values.optional(&TOKEN_WINDOW)?,
        barcode_scope: values.get(&BARCODE_SCOPE)?,
        default_pool: values.get(&DEFAULT_POOL)?,
        kms_key_required: values.get(&KMS_KEY_REQUIRED)?,
        unknown_tape_arns: values.get(&UNKNOWN_TAPE_ARNS)?,
        tape_arns_with_marker: values.get(&TAPE_ARNS_WITH_MARKER)?,
        marker_lifetime: values.optional(&MARKER_LIFETIME)?,
        in_transit_spelling: values.get(&IN_TRANSIT_SPELLING)?,
        retrieved_listed: values.get(&RETRIEVED_LISTED)?,
        worm_when_false: values.get(&WORM_WHEN_FALSE)?,
        internal_server_error: values.get(&INTERNAL_SERVER_ERROR_STATUS)?,
    })
}
