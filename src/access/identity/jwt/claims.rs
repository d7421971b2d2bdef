use std::sync::Arc;

use serde_json::{Map, Value};

use crate::{
    access::identity::auth_error::AuthError,
    domain::{Principal, Proof},
};

/// Which claims of a token become the principal's name and groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimMapping {
    /// The claim with the principal's name, a string.
    pub principal: ClaimPath,
    /// The claim with the principal's groups: a string or a list of strings. A token without it
    /// has no groups.
    pub groups: ClaimPath,
    /// A prefix for names, which separates them from the names of other identity sources.
    pub principal_prefix: String,
    /// A prefix for groups.
    pub groups_prefix: String,
}

/// The path of a claim: its name, or a JSON Pointer (RFC 6901) to a nested value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath(String);

impl ClaimPath {
    /// Parses a claim's name, or a JSON Pointer, which begins with `/`. `None` if it is empty.
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    fn of<'v>(&self, claims: &'v Map<String, Value>) -> Option<&'v Value> {
        let Some(pointer) = self.0.strip_prefix('/') else {
            return claims.get(&self.0);
        };
        let (first, rest) = match pointer.split_once('/') {
            Some((first, rest)) => (first, format!("/{rest}")),
            None => (pointer, String::new()),
        };
        let first = first.replace("~1", "/").replace("~0", "~");
        claims.get(&first)?.pointer(&rest)
    }
}

impl ClaimMapping {
    /// Returns the principal and the expiry of a token with these verified claims.
    pub(super) fn principal(
        &self,
        claims: &Map<String, Value>,
        issuer: &str,
    ) -> Result<(Principal, u64), AuthError> {
        const NO_NAME: AuthError = AuthError::TokenClaimsInvalid(
            "the claim with the caller's name is missing, empty or not a string",
        );
        const NO_GROUPS: AuthError = AuthError::TokenClaimsInvalid(
            "the claim with the groups is neither a string nor a list of strings",
        );
        let name = self
            .principal
            .of(claims)
            .and_then(Value::as_str)
            .filter(|name| !name.is_empty())
            .ok_or(NO_NAME)?;
        let prefixed = |group: &Value| Some(format!("{}{}", self.groups_prefix, group.as_str()?));
        let groups: Option<Vec<_>> = match self.groups.of(claims) {
            None | Some(Value::Null) => Some(Vec::new()),
            Some(Value::Array(groups)) => groups.iter().map(prefixed).collect(),
            Some(group) => prefixed(group).map(|group| vec![group]),
        };
        let expires = claims.get("exp").and_then(|exp| {
            // RFC 7519 allows fractions of a second.
            exp.as_u64().or_else(|| exp.as_f64().and_then(whole_seconds))
        });
        let proof = Proof::Jwt {
            issuer: Arc::from(issuer),
        };
        let principal = Principal::new(
            format!("{}{name}", self.principal_prefix),
            groups.ok_or(NO_GROUPS)?,
            proof,
        );
        let principal = principal.ok_or(AuthError::TokenClaimsInvalid(
            "the caller's name or a group is empty, longer than 2048 bytes or contains control characters, or \
             there are more than 1000 groups",
        ))?;
        let expires = expires.ok_or(AuthError::TokenClaimsInvalid("exp is not a number"))?;
        Ok((principal, expires))
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked, so the cast only removes the fraction"
)]
fn whole_seconds(seconds: f64) -> Option<u64> {
    (0.0..=9e15).contains(&seconds).then_some(seconds as u64)
}
