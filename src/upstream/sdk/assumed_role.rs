use std::fmt;

use aws_credential_types::provider::future;
use aws_sdk_storagegateway::config::ProvideCredentials;
use sha2::{Digest, Sha256};

use super::{
    settings::AccountSettings,
    sts::{RoleSession, Sts},
};

/// Provides the credentials of a session of a role, a new session each time.
pub(super) struct AssumedRole {
    sts: Sts,
    session: RoleSession,
}

/// The longest session name of STS, in characters.
const MAX_SESSION_NAME: usize = 64;

/// The longest value of a session tag, in characters.
const MAX_TAG_VALUE: usize = 256;

impl AssumedRole {
    /// The role of an account, in a session of this caller, or of the service for all callers.
    pub(super) fn new(sts: Sts, account: &AccountSettings, caller: Option<&str>) -> Self {
        let service = &account.session_name;
        let name = match caller {
            None => service.clone(),
            Some(caller) => session_name(service, caller),
        };
        let mut tags = Vec::new();
        if account.session_tags {
            tags.push(("tapegate:service", service.clone()));
            tags.extend(caller.map(|caller| ("tapegate:caller", tag_value(caller))));
        }
        Self {
            sts,
            session: RoleSession {
                role: account.role.clone(),
                external_id: account.external_id.clone(),
                name,
                tags,
            },
        }
    }
}

/// The name of a caller's session: letters, digits and `+=,.@-_`, at most 64.
fn session_name(service: &str, caller: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "+=,.@-_".contains(c);
    fitted(&format!("{service}-{caller}"), caller, allowed, MAX_SESSION_NAME)
}

/// The value of a session tag: letters, digits, spaces and `_.:/=+-@`, at most 256.
fn tag_value(caller: &str) -> String {
    let allowed = |c: char| c.is_alphanumeric() || " _.:/=+-@".contains(c);
    fitted(caller, caller, allowed, MAX_TAG_VALUE)
}

/// A text with `_` for characters that are not allowed, and at most so many characters. If that changes
/// it, it ends with a hash of the caller's name, so that different callers have different texts.
fn fitted(text: &str, caller: &str, allowed: impl Fn(char) -> bool, max: usize) -> String {
    if text.chars().all(&allowed) && text.chars().count() <= max {
        return text.to_owned();
    }
    let hash = Sha256::digest(caller);
    let end = format!("-{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2]);
    let fitted = text.chars().map(|c| if allowed(c) { c } else { '_' });
    fitted.take(max - end.len()).chain(end.chars()).collect()
}

impl ProvideCredentials for AssumedRole {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.sts.assume(&self.session))
    }
}

impl fmt::Debug for AssumedRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AssumedRole").field(&self.session).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_session_is_named_after_its_caller() {
        assert_eq!(session_name("tapegate", "agent-7"), "tapegate-agent-7");
        assert_eq!(
            session_name("tapegate", "spiffe://example.org/agent 7"),
            "tapegate-spiffe___example.org_agent_7-8f5a49"
        );
        assert_eq!(
            tag_value("spiffe://example.org/agent/7"),
            "spiffe://example.org/agent/7"
        );
        assert_eq!(
            tag_value("spiffe://example.org/agent#7"),
            "spiffe://example.org/agent_7-3f3cae"
        );
    }

    #[test]
    fn different_callers_have_different_names_and_tags() {
        let long = "x".repeat(300);
        let callers = ["a b", "a#b", "a_b", &long, &format!("{long}y")];
        let names = callers.map(|caller| session_name("tapegate", caller));
        let tags = callers.map(tag_value);
        for (all, max) in [(names, MAX_SESSION_NAME), (tags, MAX_TAG_VALUE)] {
            assert!(all.iter().all(|one| one.chars().count() <= max), "{all:?}");
            assert_eq!(BTreeSet::from(all).len(), callers.len());
        }
    }
}
