use std::fmt;

use aws_credential_types::provider::future;
use aws_sdk_storagegateway::config::ProvideCredentials;

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
    let allowed = |c: char| c.is_ascii_alphanumeric() || "+=,.@-".contains(c);
    let caller = caller.chars().map(|c| if allowed(c) { c } else { '_' });
    let name = service.chars().chain(['-']).chain(caller);
    name.take(MAX_SESSION_NAME).collect()
}

/// The value of a session tag: letters, digits, spaces and `_.:/=+-@`, at most 256.
fn tag_value(caller: &str) -> String {
    let allowed = |c: char| c.is_alphanumeric() || " _.:/=+-@".contains(c);
    let caller = caller.chars().map(|c| if allowed(c) { c } else { '_' });
    caller.take(MAX_TAG_VALUE).collect()
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
    use super::*;

    #[test]
    fn a_session_is_named_after_its_caller() {
        assert_eq!(session_name("tapegate", "agent-7"), "tapegate-agent-7");
        assert_eq!(
            session_name("tapegate", "spiffe://example.org/agent 7"),
            "tapegate-spiffe___example.org_agent_7"
        );
        assert_eq!(session_name("tapegate", &"x".repeat(300)).len(), 64);
        assert_eq!(
            tag_value("spiffe://example.org/agent#7"),
            "spiffe://example.org/agent_7"
        );
    }
}
