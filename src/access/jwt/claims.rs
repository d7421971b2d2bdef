use std::sync::Arc;

use serde_json::{Map, Value};

use crate::{
    access::AuthError,
    domain::{Principal, Proof},
};

/// Which claims of a token say who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The principal's name: a text.
    pub principal: Claim,
    /// Its groups: a list of texts, or one. A token without it is in no group.
    pub groups: Claim,
    /// Put before the name, so that no other source's names can be the same.
    pub principal_prefix: String,
    /// Put before each group.
    pub groups_prefix: String,
}

/// One claim: by its name, or by a JSON Pointer (RFC 6901) to one inside another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim(String);

impl Claim {
    /// The claim of this name, or at this pointer, which begins with `/`; `None` for an empty
    /// one.
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

impl Claims {
    /// Who calls, and until when that holds, by the proved claims of a token.
    pub(super) fn read(
        &self,
        claims: &Map<String, Value>,
        issuer: &str,
    ) -> Result<(Principal, u64), AuthError> {
        const NO_NAME: AuthError = AuthError::ClaimsUnusable("they have no text that names the caller");
        const NO_GROUPS: AuthError =
            AuthError::ClaimsUnusable("the groups are neither a text nor a list of texts");
        let name = self
            .principal
            .of(claims)
            .and_then(Value::as_str)
            .filter(|name| !name.is_empty())
            .ok_or(NO_NAME)?;
        let one = |group: &Value| Some(format!("{}{}", self.groups_prefix, group.as_str()?));
        let groups: Option<Vec<_>> = match self.groups.of(claims) {
            None | Some(Value::Null) => Some(Vec::new()),
            Some(Value::Array(groups)) => groups.iter().map(one).collect(),
            Some(group) => one(group).map(|group| vec![group]),
        };
        let expires = claims.get("exp").and_then(|exp| {
            // By RFC 7519 a number may have a fraction.
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
        let principal = principal.ok_or(AuthError::ClaimsUnusable(
            "the caller's name or a group is empty, longer than 2048 bytes or has control characters, or there \
             are more than 1000 groups",
        ))?;
        let expires = expires.ok_or(AuthError::ClaimsUnusable("exp is no number"))?;
        Ok((principal, expires))
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "within the range that is checked the cast only takes the fraction away"
)]
fn whole_seconds(seconds: f64) -> Option<u64> {
    (0.0..=9e15).contains(&seconds).then_some(seconds as u64)
}
