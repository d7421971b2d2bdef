use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_storagegateway::{
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        RequestId, create_tape_with_barcode::CreateTapeWithBarcodeError, create_tapes::CreateTapesError,
        describe_tape_archives::DescribeTapeArchivesError, describe_tapes::DescribeTapesError,
        list_tapes::ListTapesError,
    },
    types::{
        StorageGatewayError,
        error::{InternalServerError, InvalidGatewayRequestException},
    },
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::http::StatusCode;
use http_body_util::LengthLimitError;

use super::{clock::Misdated, retry_after::retry_after, strict::NotTheModel};
use crate::domain::{Attempts, Failure, Fault, is_about_credentials};

/// The errors that all five operations model, and no others.
pub(super) enum Modelled<'a> {
    InvalidGatewayRequest(&'a InvalidGatewayRequestException),
    InternalServer(&'a InternalServerError),
}

/// An operation's error type, of which the SDK has one each.
pub(super) trait OperationError: ProvideErrorMetadata + Error + 'static {
    fn modelled(&self) -> Option<Modelled<'_>>;
}

macro_rules! operation_errors {
    ($($name:ident),*) => {$(
        impl OperationError for $name {
            fn modelled(&self) -> Option<Modelled<'_>> {
                match self {
                    Self::InvalidGatewayRequestException(error) => Some(Modelled::InvalidGatewayRequest(error)),
                    Self::InternalServerError(error) => Some(Modelled::InternalServer(error)),
                    _ => None,
                }
            }
        }
    )*};
}

operation_errors!(
    CreateTapeWithBarcodeError,
    CreateTapesError,
    DescribeTapeArchivesError,
    DescribeTapesError,
    ListTapesError
);

impl Modelled<'_> {
    /// Where the cause is: the exception's name says little.
    fn nested_code(&self) -> Option<&str> {
        let error: Option<&StorageGatewayError> = match self {
            Self::InvalidGatewayRequest(error) => error.error(),
            Self::InternalServer(error) => error.error(),
        };
        Some(error?.error_code()?.as_str())
    }
}

/// The most bytes of AWS's own words that are kept.
const MAX_WORDS: usize = 1024;

/// What an attempt of the SDK came to.
pub(super) fn failure<E: OperationError>(error: &SdkError<E, HttpResponse>) -> Failure {
    let fault = fault(error);
    let attempts = match fault {
        Fault::NoCredentials { .. } | Fault::NotSent { .. } => Attempts::default(),
        _ => Attempts::one(error.request_id()),
    };
    Failure {
        upstream_retry_after: error.raw_response().and_then(retry_after),
        ..fault.after(attempts)
    }
}

fn fault<E: OperationError>(error: &SdkError<E, HttpResponse>) -> Fault {
    let cause = || causes(error);
    if let Some(error) = find::<CredentialsError>(error) {
        return Fault::NoCredentials { cause: causes(error) };
    }
    match error {
        SdkError::ServiceError(service) => aws_fault(service.err(), service.raw()),
        SdkError::ResponseError(response) => response_fault(error, response.raw().status()),
        SdkError::TimeoutError(_) => Fault::AttemptTimeout,
        SdkError::DispatchFailure(_) if never_connected(error) => Fault::Unreachable { cause: cause() },
        SdkError::DispatchFailure(dispatch) if dispatch.is_timeout() => Fault::AttemptTimeout,
        SdkError::DispatchFailure(dispatch) if dispatch.is_io() || find::<hyper::Error>(error).is_some() => {
            Fault::ConnectionLost { cause: cause() }
        }
        _ => Fault::NotSent { cause: cause() },
    }
}

fn aws_fault<E: OperationError>(error: &E, answer: &HttpResponse) -> Fault {
    let http_status = answer.status().as_u16();
    let modelled = error.modelled();
    let nested = modelled.as_ref().and_then(Modelled::nested_code);
    let Some(code) = nested.or(error.code()) else {
        return Fault::Http { http_status };
    };
    let message = match error.message() {
        None => "no message",
        Some(message) if is_about_credentials(code) || repeats_what_was_signed(message) => {
            "its message is not shown, since it can repeat secrets"
        }
        Some(message) => &without_keys(&message[..message.floor_char_boundary(MAX_WORDS)]),
    };
    Fault::Aws {
        code: code.to_owned(),
        nested: nested.is_some(),
        message: message.to_owned(),
        http_status,
        misdated: answer.extension::<Misdated>().is_some(),
    }
}

/// A message without the ARNs of KMS keys, which are nobody's but who sent them.
fn without_keys(message: &str) -> String {
    let is_key = |word: &str| word.contains("arn:") && word.contains(":kms:");
    let words = message.split_inclusive(char::is_whitespace);
    words
        .map(|word| if is_key(word) { "(a KMS key) " } else { word })
        .collect()
}

/// Whether AWS shows in its message the request that it made a signature for.
fn repeats_what_was_signed(message: &str) -> bool {
    message.to_ascii_lowercase().contains("x-amz-security-token")
}

/// An answer came, but no sense could be made of it.
fn response_fault(error: &(dyn Error + 'static), status: StatusCode) -> Fault {
    if let Some(why) = find::<NotTheModel>(error) {
        return Fault::Unreadable {
            what: why.to_string(),
        };
    }
    if find::<LengthLimitError>(error).is_some() {
        return Fault::Unreadable {
            what: "it is longer than upstream.max_answer_bytes".to_owned(),
        };
    }
    let cause = causes(error);
    // Before the status: what an answer of failure would have said is lost with its end.
    if find::<hyper::Error>(error).is_some() {
        return Fault::ConnectionLost { cause };
    }
    match status.is_success() {
        true => Fault::Unreadable { what: cause },
        false => Fault::Http {
            http_status: status.as_u16(),
        },
    }
}

fn never_connected(error: &(dyn Error + 'static)) -> bool {
    find::<hyper_util::client::legacy::Error>(error)
        .is_some_and(hyper_util::client::legacy::Error::is_connect)
}

/// An error and its causes in one line, without their `Debug`.
pub(super) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

/// The first error of a type in a chain of causes.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
