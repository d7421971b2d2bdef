use std::{error::Error, time::Duration};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_storagegateway::{
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        RequestId, add_tags_to_resource::AddTagsToResourceError,
        create_tape_with_barcode::CreateTapeWithBarcodeError, create_tapes::CreateTapesError,
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
use aws_smithy_types::error::ErrorMetadata;
use http_body_util::LengthLimitError;

use super::{
    clock::{Misdated, http_date},
    interceptors::InvalidResponse,
};
use crate::domain::{Attempts, Failure, Fault, failure::table, is_about_credentials};

/// The errors of the service model. All operations have these two and no others.
pub(super) enum Modelled<'a> {
    InvalidGatewayRequest(&'a InvalidGatewayRequestException),
    InternalServer(&'a InternalServerError),
}

/// The error type of an operation; the SDK has one for each.
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
    AddTagsToResourceError,
    CreateTapeWithBarcodeError,
    CreateTapesError,
    DescribeTapeArchivesError,
    DescribeTapesError,
    ListTapesError
);

impl Modelled<'_> {
    /// The nested error code, which names the cause. The exception's name does not.
    fn nested_code(&self) -> Option<&str> {
        let error: Option<&StorageGatewayError> = match self {
            Self::InvalidGatewayRequest(error) => error.error(),
            Self::InternalServer(error) => error.error(),
        };
        Some(error?.error_code()?.as_str())
    }
}

/// The most bytes of AWS's message that are kept.
const MAX_MESSAGE: usize = 1024;

/// The longest `Retry-After` that is honoured; a longer one counts as this.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(5 * 60);

/// The failure of an attempt that the SDK made.
pub(super) fn failure<E: OperationError>(error: &SdkError<E, HttpResponse>) -> Failure {
    let fault = fault(error);
    let attempts = match fault {
        Fault::NoCredentials { .. } | Fault::NotSent { .. } => Attempts::default(),
        Fault::Unreachable { .. } => Attempts::unsent(),
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
    // Every response of AWS has a request id. A proxy can send JSON with a code of its own, which proves
    // nothing: AWS may have carried out the request.
    let is_of_aws = |code: &&str| answer.request_id().is_some() || table::find_aws(code).is_some();
    let Some(code) = nested.or(error.code()).filter(is_of_aws) else {
        return Fault::Http { http_status };
    };
    let message = match error.message() {
        None => "no message",
        Some(message) if is_about_credentials(code) || repeats_signed_request(message) => {
            "its message is not shown, because it may contain secrets"
        }
        Some(message) => &without_keys(&message[..message.floor_char_boundary(MAX_MESSAGE)]),
    };
    Fault::Aws {
        code: code.to_owned(),
        nested: nested.is_some(),
        message: message.to_owned(),
        http_status,
        misdated: answer.extension::<Misdated>().is_some(),
        is_internal: matches!(modelled, Some(Modelled::InternalServer(_))),
    }
}

/// The message without the ARNs of KMS keys, which only their owner may see.
fn without_keys(message: &str) -> String {
    let is_key = |word: &str| word.contains("arn:") && word.contains(":kms:");
    let words = message.split_inclusive(char::is_whitespace);
    words
        .map(|word| if is_key(word) { "(a KMS key) " } else { word })
        .collect()
}

/// Whether AWS's message repeats the request that was signed.
fn repeats_signed_request(message: &str) -> bool {
    message.to_ascii_lowercase().contains("x-amz-security-token")
}

/// The fault of a response that could not be read.
fn response_fault(error: &(dyn Error + 'static), status: StatusCode) -> Fault {
    if let Some(why) = find::<InvalidResponse>(error) {
        return Fault::Unreadable {
            what: why.to_string(),
        };
    }
    if find::<LengthLimitError>(error).is_some() {
        return Fault::Unreadable {
            what: "it is longer than the setting upstream.max_answer_bytes allows".to_owned(),
        };
    }
    let cause = causes(error);
    // Checked before the status: the body of an error response, which has its code, is incomplete.
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

/// The most bytes of the causes of an error, apart from a mark that there are more.
const MAX_CAUSE: usize = 2048;

/// An error and its causes in one line.
pub(super) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        next = error.source();
        let cause = match error.downcast_ref::<ErrorMetadata>() {
            Some(metadata) => code_and_message(metadata),
            None if is_only_a_wrapper(error, next) => continue,
            None => error.to_string(),
        };
        if text.is_empty() {
            text = cause;
        } else if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    if text.len() > MAX_CAUSE {
        text.truncate(text.floor_char_boundary(MAX_CAUSE));
        text += "…";
    }
    text
}

/// Whether the SDK says with this error no more than that there is a cause.
fn is_only_a_wrapper(error: &(dyn Error + 'static), cause: Option<&(dyn Error + 'static)>) -> bool {
    const WRAPPERS: [&str; 4] = [
        "service error",
        "unhandled error",
        "an error occurred while loading credentials",
        "the credential provider was not enabled",
    ];
    let text = error.to_string();
    cause.is_some() && WRAPPERS.iter().any(|wrapper| text.starts_with(wrapper))
}

/// The code and the message of a service's error, which the SDK shows as Rust would debug it.
fn code_and_message(metadata: &ErrorMetadata) -> String {
    let code = metadata.code().unwrap_or("no code");
    let message = metadata.message().unwrap_or("no message");
    format!("{code}: {message}")
}

/// The first error of this type in the chain of causes.
pub(super) fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// How long a response asks to wait before the next attempt.
///
/// AWS sends `x-amz-retry-after`, in milliseconds. A proxy sends `Retry-After` with a 429 or 503, in
/// seconds or as a date (RFC 9110, section 10.2.3). Zero and unparsable values are ignored.
fn retry_after(response: &HttpResponse) -> Option<Duration> {
    let headers = response.headers();
    let number = |name| headers.get(name)?.trim().parse().ok();
    let aws = || number("x-amz-retry-after").map(Duration::from_millis);
    let seconds = || number("retry-after").map(Duration::from_secs);
    let date = || {
        let until = http_date(response, "retry-after")?;
        until.duration_since(http_date(response, "date")?).ok()
    };
    let wait = match response.status().as_u16() {
        429 | 503 => aws().or_else(seconds).or_else(date),
        _ => aws(),
    };
    wait.filter(|wait| !wait.is_zero())
        .map(|wait| wait.min(MAX_RETRY_AFTER))
}
