use crate::domain::{
    CreateTapeWithBarcode, CreateTapes, ErrorKind, FailureRow, Operation, Outcome, RetryVerdict,
};

/// What a message calls the members of a request, by the kind of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Words {
    /// CreateTapes, which is idempotent by its client token.
    CreateWithToken,
    /// CreateTapeWithBarcode, which is idempotent by its barcode.
    CreateWithBarcode,
    /// The three operations that list tapes.
    List,
}

impl Words {
    /// The words for the operation with this name.
    pub(super) fn of(operation: &str) -> Self {
        match operation {
            CreateTapes::NAME => Self::CreateWithToken,
            CreateTapeWithBarcode::NAME => Self::CreateWithBarcode,
            _ => Self::List,
        }
    }

    /// What a caller of the operation can do about a failure.
    pub(super) fn advice(self, row: &FailureRow) -> &'static str {
        let is_deadline = row.reason == ErrorKind::DeadlineExceeded.row().reason;
        match (self, row.name) {
            (Self::CreateWithToken, "InvalidParameters") => {
                "AWS does not say which parameter is invalid; check gateway, pool, size, KMS key and tags; if an \
                 earlier call sent this client_token with other parameters, use another client_token"
            }
            (Self::CreateWithBarcode, "InvalidParameters") => {
                "AWS does not say which parameter is invalid; check gateway, barcode, pool, size, KMS key and tags"
            }
            (Self::List, "InvalidParameters") => {
                "AWS does not say which parameter is invalid; check `gateway_arn`, `tape_arns` and `marker`"
            }
            (Self::CreateWithToken | Self::CreateWithBarcode, "MaximumContentLengthExceeded") => {
                "the request is too large for AWS; send fewer or shorter tags"
            }
            (Self::CreateWithToken | Self::CreateWithBarcode, _) if is_deadline => {
                "make the same call again, with a longer deadline"
            }
            _ => row.advice,
        }
    }

    /// What is known of the tapes of a create, and what to do about it; `None` for a list, and if a
    /// look-up has answered it.
    pub(super) fn about_tapes(
        self,
        outcome: Outcome,
        verdict: RetryVerdict,
        is_looked_up: bool,
    ) -> Option<&'static str> {
        use Outcome::{NotApplied, Unknown};
        let is_final = verdict != RetryVerdict::SameCall;
        let words = match (self, outcome) {
            (Self::List, _) => return None,
            (_, NotApplied) if is_looked_up => "no tape has this barcode",
            (Self::CreateWithToken, Unknown) if is_final => {
                "the tapes may have been created; find out with ListTapes before you use another client_token"
            }
            (Self::CreateWithBarcode, Unknown) if is_final => {
                "the tape may have been created; find out with ListTapes before you use another barcode"
            }
            (Self::CreateWithToken, Unknown) => {
                "the tapes may have been created; retrying with the same client_token is safe"
            }
            (Self::CreateWithBarcode, Unknown) => {
                "the tape may have been created; retrying with the same barcode is safe"
            }
            (Self::CreateWithToken, NotApplied) => {
                "this call created no tape; an earlier call with the same client_token may have"
            }
            (Self::CreateWithBarcode, NotApplied) => {
                "this call created no tape; an earlier call with the same barcode may have"
            }
        };
        Some(words)
    }
}
