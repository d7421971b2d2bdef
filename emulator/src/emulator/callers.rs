//! What a test sees and changes of the callers: roles, their sessions, and the signed calls.

use std::time::SystemTime;

use super::Emulator;
use crate::identity::{RoleSession, RoleState, SessionState, SignedCall};

impl Emulator {
    /// The latest 10,000 calls with a valid signature, of Storage Gateway and of STS, in the order of
    /// their ends. A call that a fault rule answered before its signature was verified is not listed.
    pub fn calls(&self) -> Vec<SignedCall> {
        self.inner.calls.list()
    }

    /// Empties the list of signed calls.
    pub fn clear_calls(&self) {
        self.inner.calls.clear();
    }

    /// The configured roles, and those that were refused or allowed since the start, by ARN.
    pub fn roles(&self) -> Vec<RoleState> {
        self.inner.identities.roles.list()
    }

    /// Refuses every caller that assumes the role from now on, with `AccessDenied`. Its sessions stay
    /// valid.
    pub fn refuse_role(&self, role_arn: &str) {
        self.inner.identities.roles.set_refused(role_arn, true);
    }

    /// No longer refuses every caller of the role. What the settings say of the role still applies.
    pub fn allow_role(&self, role_arn: &str) {
        self.inner.identities.roles.set_refused(role_arn, false);
    }

    /// The latest 10,000 sessions that STS has issued, with their states, in the order in which they
    /// were issued.
    pub fn sessions(&self) -> Vec<(RoleSession, SessionState)> {
        self.inner.identities.sessions.list(SystemTime::now())
    }

    /// Expires the credentials of every session of the role so far: calls with them get
    /// `ExpiredTokenException`. Returns the number of sessions.
    pub fn expire_sessions(&self, role_arn: &str) -> usize {
        let sessions = &self.inner.identities.sessions;
        sessions.set_state(role_arn, SessionState::Expired)
    }

    /// Takes the permissions of every session of the role so far: calls with their credentials get
    /// `AccessDeniedException`. Returns the number of sessions.
    pub fn revoke_sessions(&self, role_arn: &str) -> usize {
        let sessions = &self.inner.identities.sessions;
        sessions.set_state(role_arn, SessionState::Revoked)
    }
}
