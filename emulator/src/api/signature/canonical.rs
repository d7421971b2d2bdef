use std::fmt::Write as _;

use axum::http::{HeaderValue, request::Parts};
use sha2::{Digest, Sha256};

use super::{Rejection, invalid};

/// The canonical request, which the signature covers. The payload hash is that of the received body,
/// so `UNSIGNED-PAYLOAD`, which this service does not accept, cannot match.
pub(super) fn request(parts: &Parts, signed_headers: &[String], body: &[u8]) -> Result<Vec<u8>, Rejection> {
    let payload = hash(body);
    if parts
        .headers
        .get("x-amz-content-sha256")
        .is_some_and(|sent| sent.as_bytes() != payload.as_bytes())
    {
        return Err(invalid(
            "The value of 'x-amz-content-sha256' is not the hash of the body received.",
        ));
    }
    let mut text = format!("{}\n{}\n{}\n", parts.method, parts.uri.path(), query(parts)).into_bytes();
    for name in signed_headers {
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        text.extend_from_slice(&header(parts, name)?);
        text.push(b'\n');
    }
    text.extend_from_slice(format!("\n{}\n{payload}", signed_headers.join(";")).as_bytes());
    Ok(text)
}

/// SHA-256 in hexadecimal digits.
pub(super) fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

/// The sorted pairs of the query, each with an equals sign. Clients send them encoded.
fn query(parts: &Parts) -> String {
    let pairs = parts
        .uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty());
    let mut pairs: Vec<String> = pairs
        .map(|pair| {
            if pair.contains('=') {
                pair.to_owned()
            } else {
                format!("{pair}=")
            }
        })
        .collect();
    pairs.sort_unstable();
    pairs.join("&")
}

/// The values of a header, trimmed and joined by commas, with runs of spaces made one space.
fn header(parts: &Parts, name: &str) -> Result<Vec<u8>, Rejection> {
    let mut values: Vec<&[u8]> = parts
        .headers
        .get_all(name)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if let (true, "host" | ":authority", Some(authority)) = (values.is_empty(), name, parts.uri.authority()) {
        values.push(authority.as_str().as_bytes()); // HTTP/2 names the host there
    }
    if values.is_empty() {
        return Err(invalid(format!(
            "The signed header '{name}' is not in the request."
        )));
    }
    let words = |value: &&[u8]| {
        let words: Vec<&[u8]> = value.split(|b| *b == b' ').filter(|w| !w.is_empty()).collect();
        words.join(&b' ')
    };
    Ok(values.iter().map(words).collect::<Vec<_>>().join(&b','))
}
