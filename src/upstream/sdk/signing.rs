//! Signs requests with Signature Version 4, as AWS documents it under "Create a signed AWS API request".
//!
//! The signer of the SDK derives the key of the day again for each request, and copies the headers twice. It
//! signs what is not a POST to `/`, as with the endpoint of a gateway in front of AWS.

use std::{sync::Arc, time::SystemTime};

use arc_swap::ArcSwapOption;
use aws_credential_types::Credentials;
use aws_lc_rs::{digest, hmac};
use aws_runtime::auth::sigv4::SCHEME_ID;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        auth::{AuthScheme, AuthSchemeEndpointConfig, AuthSchemeId, Sign},
        identity::{Identity, SharedIdentityResolver},
        orchestrator::HttpRequest,
        runtime_components::{GetIdentityResolver, RuntimeComponents},
    },
    http::Headers,
};
use aws_smithy_types::config_bag::ConfigBag;
use http::{HeaderValue, Uri, header::InvalidHeaderValue};
use jiff::{Timestamp, tz::Offset};

use super::clock::{ServiceClock, Signed};
use crate::domain::Region;

const SERVICE: &str = "storagegateway";

/// Headers that are not signed, because proxies change them; the same as the SDK's.
const UNSIGNED: [&str; 4] = [
    "authorization",
    "user-agent",
    "x-amzn-trace-id",
    "transfer-encoding",
];

/// The authentication scheme of a client, in place of the SDK's scheme of this id.
#[derive(Debug)]
pub(super) struct SigV4 {
    signer: Signer,
}

impl SigV4 {
    /// Signs for `region`, with the time of `clock`.
    pub(super) fn new(region: Region, clock: ServiceClock) -> Self {
        let signer = Signer {
            region,
            clock,
            last_key: ArcSwapOption::empty(),
        };
        Self { signer }
    }
}

impl AuthScheme for SigV4 {
    fn scheme_id(&self) -> AuthSchemeId {
        SCHEME_ID
    }

    fn identity_resolver(&self, resolvers: &dyn GetIdentityResolver) -> Option<SharedIdentityResolver> {
        resolvers.identity_resolver(SCHEME_ID)
    }

    fn signer(&self) -> &dyn Sign {
        &self.signer
    }
}

#[derive(Debug)]
struct Signer {
    region: Region,
    clock: ServiceClock,
    last_key: ArcSwapOption<DayKey>,
}

/// A key that signs on one day. Its `Debug` shows no secret: neither that of the credentials nor that of the
/// key does.
#[derive(Debug)]
struct DayKey {
    credentials: Credentials,
    day: String,
    key: hmac::Key,
}

#[derive(Debug, thiserror::Error)]
enum SigningError {
    #[error("the identity has no AWS credentials")]
    OtherIdentity,
    #[error("the request has no body in memory")]
    StreamedBody,
    #[error("the endpoint {0} has no host")]
    RelativeUrl(Uri),
}

impl Sign for Signer {
    fn sign_http_request(
        &self,
        request: &mut HttpRequest,
        identity: &Identity,
        _: AuthSchemeEndpointConfig<'_>,
        _: &RuntimeComponents,
        _: &ConfigBag,
    ) -> Result<(), BoxError> {
        let credentials = identity.data().ok_or(SigningError::OtherIdentity)?;
        let time = self.clock.now();
        let url: Uri = request.uri().parse()?;
        match request.method() == "POST" && url.path() == "/" && url.query().is_none() {
            true => self.sign(request, &url, credentials, time)?,
            false => self.sign_by_sdk(request, identity, time)?,
        }
        request.add_extension(Signed(time));
        Ok(())
    }
}

impl Signer {
    fn sign(
        &self,
        request: &mut HttpRequest,
        url: &Uri,
        credentials: &Credentials,
        time: SystemTime,
    ) -> Result<(), BoxError> {
        let (day, second) = date(time)?;
        let body = request.body().bytes().ok_or(SigningError::StreamedBody)?;
        let payload = hex_of(digest::digest(&digest::SHA256, body).as_ref());
        let host = host(url)?;
        let headers = request.headers_mut();
        headers.insert("host", host);
        headers.insert("x-amz-date", second.clone());
        if let Some(token) = credentials.session_token() {
            headers.insert("x-amz-security-token", sensitive(token)?);
        }
        let (canonical, signed_headers) = canonical(headers, &payload);
        let canonical = hex_of(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
        let scope = [&day, "/", self.region.as_str(), "/", SERVICE, "/aws4_request"].concat();
        let text = ["AWS4-HMAC-SHA256\n", &second, "\n", &scope, "\n", &canonical].concat();
        let signature = self.with_key(credentials, &day, |key| hmac::sign(key, text.as_bytes()));
        let authorization = [
            "AWS4-HMAC-SHA256 Credential=",
            credentials.access_key_id(),
            "/",
            &scope,
            ", SignedHeaders=",
            &signed_headers,
            ", Signature=",
            &hex_of(signature.as_ref()),
        ]
        .concat();
        headers.insert("authorization", sensitive(&authorization)?);
        Ok(())
    }

    /// Calls `sign` with the key of this day, and derives it if the last one is another.
    fn with_key<T>(&self, credentials: &Credentials, day: &str, sign: impl FnOnce(&hmac::Key) -> T) -> T {
        if let Some(last) = &*self.last_key.load()
            && last.day == day
            && last.credentials == *credentials
        {
            return sign(&last.key);
        }
        let step = |secret: &[u8], text: &str| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes())
        };
        let secret = format!("AWS4{}", credentials.secret_access_key());
        let of_day = step(secret.as_bytes(), day);
        let of_region = step(of_day.as_ref(), self.region.as_str());
        let of_service = step(of_region.as_ref(), SERVICE);
        let of_requests = step(of_service.as_ref(), "aws4_request");
        let key = hmac::Key::new(hmac::HMAC_SHA256, of_requests.as_ref());
        let signed = sign(&key);
        self.last_key.store(Some(Arc::new(DayKey {
            credentials: credentials.clone(),
            day: day.to_owned(),
            key,
        })));
        signed
    }

    fn sign_by_sdk(
        &self,
        request: &mut HttpRequest,
        identity: &Identity,
        time: SystemTime,
    ) -> Result<(), BoxError> {
        let body = request.body().bytes().ok_or(SigningError::StreamedBody)?;
        let signable = SignableRequest::new(
            request.method(),
            request.uri(),
            request.headers().iter(),
            SignableBody::Bytes(body),
        )?;
        let parameters = v4::SigningParams::builder()
            .identity(identity)
            .region(self.region.as_str())
            .name(SERVICE)
            .time(time)
            .settings(SigningSettings::default())
            .build()?;
        let (instructions, _) = sign(signable, &parameters.into())?.into_parts();
        let (headers, _) = instructions.into_parts();
        for header in headers {
            let mut value = HeaderValue::from_str(header.value())?;
            value.set_sensitive(header.sensitive());
            request.headers_mut().insert(header.name(), value);
        }
        Ok(())
    }
}

/// The canonical request of a POST to `/`, and the names of the signed headers.
fn canonical(headers: &Headers, payload: &str) -> (String, String) {
    let mut signed: Vec<_> = headers
        .iter()
        .filter(|(name, _)| !UNSIGNED.contains(name))
        .collect();
    // Stable: the values of one name keep their order.
    signed.sort_by_key(|(name, _)| *name);
    let length: usize = signed
        .iter()
        .map(|(name, value)| 2 * name.len() + value.len() + 3)
        .sum();
    let mut text = String::with_capacity(length + payload.len() + 16);
    let mut names = String::with_capacity(length);
    text.push_str("POST\n/\n\n");
    for (index, (name, value)) in signed.iter().enumerate() {
        match index
            .checked_sub(1)
            .is_some_and(|before| signed[before].0 == *name)
        {
            true => text.push(','),
            false => {
                if index > 0 {
                    text.push('\n');
                    names.push(';');
                }
                names.push_str(name);
                text.push_str(name);
                text.push(':');
            }
        }
        push_trimmed(&mut text, value);
    }
    text.push_str("\n\n");
    text.push_str(&names);
    text.push('\n');
    text.push_str(payload);
    (text, names)
}

/// Adds a value without spaces around it, and with one where there are several in a row.
fn push_trimmed(text: &mut String, value: &str) {
    let value = value.trim_matches(' ');
    match value.contains("  ") {
        false => text.push_str(value),
        true => {
            let words = value.split(' ').filter(|word| !word.is_empty());
            for (index, word) in words.enumerate() {
                if index > 0 {
                    text.push(' ');
                }
                text.push_str(word);
            }
        }
    }
}

/// The host of a URL as HTTP clients send it: without the default port.
fn host(url: &Uri) -> Result<String, SigningError> {
    let host = url.host().ok_or_else(|| SigningError::RelativeUrl(url.clone()))?;
    let default = if url.scheme_str() == Some("https") {
        443
    } else {
        80
    };
    Ok(match url.port_u16().filter(|port| *port != default) {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

/// The day, and the second, of a time in UTC: `20261122` and `20261122T184500Z`.
fn date(time: SystemTime) -> Result<(String, String), jiff::Error> {
    let time = Offset::UTC.to_datetime(Timestamp::try_from(time)?);
    let year = time.year().unsigned_abs();
    let [century, of_century] = [year / 100, year % 100].map(|part| u8::try_from(part).unwrap_or_default());
    let mut text = String::with_capacity(16);
    for number in [
        century,
        of_century,
        time.month().unsigned_abs(),
        time.day().unsigned_abs(),
    ] {
        push_two_digits(&mut text, number);
    }
    let day = text.clone();
    text.push('T');
    for number in [time.hour(), time.minute(), time.second()] {
        push_two_digits(&mut text, number.unsigned_abs());
    }
    text.push('Z');
    Ok((day, text))
}

fn push_two_digits(text: &mut String, number: u8) {
    text.extend([number / 10, number % 10].map(|digit| char::from(b'0' + digit)));
}

/// The hexadecimal digits of a hash of SHA-256. `hex::encode` collects characters one by one.
fn hex_of(hash: &[u8]) -> String {
    let mut digits = [0; 64];
    hex::encode_to_slice(hash, &mut digits).expect("it has 32 bytes");
    String::from_utf8_lossy(&digits).into_owned()
}

/// A value that `Debug` of the headers does not show.
fn sensitive(value: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = HeaderValue::from_str(value)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_smithy_types::body::SdkBody;
    use proptest::prelude::*;

    use super::*;

    fn credentials(secret: &str, token: Option<&str>) -> Credentials {
        Credentials::new("AKIDTEST", secret, token.map(str::to_owned), None, "tests")
    }

    fn request(url: &str, headers: &[(String, String)], body: &str) -> HttpRequest {
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method("POST").expect("it is a method");
        request.set_uri(url).expect("it is a URL");
        for (name, value) in headers {
            request.headers_mut().append(name.clone(), value.clone());
        }
        request
    }

    fn signature(request: &HttpRequest) -> &str {
        request.headers().get("authorization").expect("it is signed")
    }

    /// Names that come in each order among those that are always there, some of them not signed, and some
    /// twice; values with spaces everywhere.
    fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
        let name = prop_oneof![
            "[a-z][a-z0-9-]{0,12}",
            Just("user-agent".to_owned()),
            Just("x-amz-target".to_owned()),
            Just("x-amzn-trace-id".to_owned()),
        ];
        let taken = ["host", "authorization", "x-amz-date", "x-amz-security-token"];
        let name = name.prop_filter("set by signers", move |name| !taken.contains(&name.as_str()));
        prop::collection::vec((name, "[ -~]{0,24}| {0,3}[a-z]{1,3} {1,4}[a-z]{1,3} {0,3}"), 0..8)
    }

    proptest! {
        #[test]
        fn signatures_are_those_of_the_sdk(
            url in prop::sample::select(vec![
                "https://storagegateway.eu-central-1.amazonaws.com/",
                "https://localhost:443/",
                "http://127.0.0.1:4566/",
                "http://[::1]:80/",
            ]),
            headers in headers(),
            body in ".{0,200}",
            secrets in prop::collection::vec("[a-zA-Z0-9/+]{1,40}", 1..3),
            token in prop::option::of("[a-zA-Z0-9/+=]{1,80}"),
            // To the year 2286.
            seconds in prop::collection::vec(0_u64..10_000_000_000, 1..4),
        ) {
            let region = "eu-central-1".parse().expect("it is a region");
            let signer = SigV4::new(region, ServiceClock::new(true)).signer;
            // One signer signs all, so that a key that is kept too long is seen.
            for secret in &secrets {
                for seconds in &seconds {
                    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(*seconds);
                    let credentials = credentials(secret, token.as_deref());
                    let (mut ours, mut theirs) = (request(url, &headers, &body), request(url, &headers, &body));
                    signer.sign(&mut ours, &url.parse().expect("it is a URL"), &credentials, time)
                        .expect("it is signed");
                    signer.sign_by_sdk(&mut theirs, &credentials.into(), time).expect("it is signed");
                    prop_assert_eq!(signature(&ours), signature(&theirs));
                }
            }
        }
    }

    #[test]
    fn no_secret_is_shown() {
        let region = "eu-central-1".parse().expect("it is a region");
        let scheme = SigV4::new(region, ServiceClock::new(true));
        let url = "https://localhost/";
        let mut request = request(url, &[], "{}");
        let credentials = credentials("the-secret", Some("the-token"));
        let signer = &scheme.signer;
        signer
            .sign(
                &mut request,
                &url.parse().expect("it is a URL"),
                &credentials,
                SystemTime::now(),
            )
            .expect("it is signed");
        let shown = format!("{scheme:?} {request:?}");
        assert!(
            !shown.contains("the-secret") && !shown.contains("the-token"),
            "{shown}"
        );
        assert!(!shown.contains("Signature="), "{shown}");
    }
}
