use std::collections::BTreeMap;

use axum::http::{HeaderMap, header::AUTHORIZATION};

use super::{ALGORITHM, Rejection, incomplete};

/// The parts of an `Authorization` header. Without `Debug`, since a signature must not be logged.
pub(super) struct Authorization {
    pub(super) scope: Scope,
    /// In lower case, in the order of the header.
    pub(super) signed_headers: Vec<String>,
    /// 64 hexadecimal digits.
    pub(super) signature: String,
}

/// The parts of `Credential=AKID/20261122/us-east-1/storagegateway/aws4_request`.
pub(super) struct Scope {
    pub(super) access_key_id: String,
    pub(super) date: String,
    pub(super) region: String,
    pub(super) service: String,
    pub(super) terminator: String,
}

impl Authorization {
    /// Parses the header. The error lists everything that is missing.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Rejection> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else {
            return Err(Rejection::Missing);
        };
        let text = value.to_str().unwrap_or_default();
        let given = text
            .strip_prefix(ALGORITHM)
            .and_then(|rest| rest.strip_prefix(' '));
        let Some(given) = given.filter(|_| values.next().is_none()) else {
            return Err(incomplete(format!(
                "There must be one Authorization header, and it must begin with '{ALGORITHM} '."
            )));
        };
        let mut fields = BTreeMap::new();
        for field in given.split(',') {
            let Some((name, value)) = field.trim().split_once('=') else {
                let message = "Not a valid key=value pair (missing equal-sign) in Authorization header.";
                return Err(incomplete(message));
            };
            if fields.insert(name, value).is_some() {
                return Err(incomplete("A parameter appears twice in Authorization header."));
            }
        }
        let field = |name: &str| fields.get(name).copied().unwrap_or_default();

        let mut causes = Vec::new();
        for name in ["Credential", "Signature", "SignedHeaders"] {
            if field(name).is_empty() {
                causes.push(format!("Authorization header requires '{name}' parameter."));
            }
        }
        let scope = Scope::parse(field("Credential"));
        if scope.is_none() && !field("Credential").is_empty() {
            causes.push("Credential must have exactly 5 slash-delimited elements.".to_owned());
        }
        let signature = field("Signature");
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if !signature.is_empty() && (signature.len() != 64 || !signature.bytes().all(hex)) {
            causes.push("Signature must be 64 lower-case hexadecimal digits.".to_owned());
        }
        let signed_headers: Vec<String> = field("SignedHeaders").split(';').map(str::to_owned).collect();
        if !field("SignedHeaders").is_empty() {
            if !signed_headers
                .iter()
                .any(|name| name == "host" || name == ":authority")
            {
                let cause = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.";
                causes.push(cause.to_owned());
            }
            if !signed_headers.is_sorted() || signed_headers.iter().any(|name| *name != name.to_lowercase()) {
                causes.push("SignedHeaders must be lower-case and sorted.".to_owned());
            }
        }
        match scope {
            Some(scope) if causes.is_empty() => Ok(Self {
                scope,
                signed_headers,
                signature: signature.to_owned(),
            }),
            _ => Err(incomplete(causes.join(" "))),
        }
    }
}

impl Scope {
    fn parse(credential: &str) -> Option<Self> {
        let parts: Vec<&str> = credential.split('/').collect();
        let [access_key_id, date, region, service, terminator] = parts[..] else {
            return None;
        };
        Some(Self {
            access_key_id: access_key_id.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            terminator: terminator.to_owned(),
        })
    }
}
