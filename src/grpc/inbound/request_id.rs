use http::{HeaderName, HeaderValue, Request, Response};
use uuid::Uuid;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is accepted from a caller, in characters.
const MAX_LENGTH: usize = 128;

/// The id of one call: the caller's `x-request-id` if it is usable, else a new UUID.
#[derive(Clone, Debug)]
pub(super) struct RequestId(HeaderValue);

impl RequestId {
    /// The id's text.
    pub(super) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// The id of a request. A caller's id must be at most 128 visible ASCII characters, so that it
    /// cannot inject text into logs.
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        let usable = |id: &&HeaderValue| {
            (1..=MAX_LENGTH).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
        };
        match request.headers().get(X_REQUEST_ID).filter(usable) {
            Some(id) => Self(id.clone()),
            None => {
                let id = Uuid::new_v4().to_string();
                Self(id.try_into().expect("a UUID is visible ASCII"))
            }
        }
    }

    /// Adds the id to the response.
    pub(super) fn echo<B>(self, response: &mut Response<B>) {
        response.headers_mut().insert(X_REQUEST_ID, self.0);
    }
}
