//! Who signs requests: users with long-lived keys, and sessions of roles.
//!
//! `roles` says who can assume a role, `sessions` keeps the credentials that STS issued, `calls` is
//! the list of signed calls, in place of CloudTrail.

mod caller;
pub(crate) mod calls;
pub(crate) mod roles;
pub(crate) mod sessions;

use std::time::SystemTime;

use secrecy::SecretString;

use crate::settings::Settings;
pub(crate) use caller::Caller;
pub use calls::SignedCall;
pub use roles::RoleState;
use roles::Roles;
use sessions::Sessions;
pub use sessions::{RoleSession, SessionState};

/// The callers that the emulator knows, and the roles that they can assume.
pub(crate) struct Identities {
    pub(crate) roles: Roles,
    pub(crate) sessions: Sessions,
}

/// The owner of an access key id, and what requests with this id are verified by.
pub(crate) struct Signer {
    pub(crate) caller: Caller,
    /// `None`: the id is accepted without verification.
    pub(crate) keys: Option<Keys>,
    pub(crate) state: SessionState,
}

/// The secret parts of credentials.
pub(crate) struct Keys {
    pub(crate) secret: SecretString,
    pub(crate) token: Option<SecretString>,
}

impl Identities {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            roles: Roles::new(settings),
            sessions: Sessions::default(),
        }
    }

    /// The owner of an access key id that signs in a region; `None` if the id is unknown there.
    pub(crate) fn signer(&self, access_key_id: &str, region: &str, settings: &Settings) -> Option<Signer> {
        if let Some(signer) = self.sessions.signer(access_key_id) {
            return Some(signer).filter(|signer| signer.caller.is_valid_in(region));
        }
        if sessions::is_issued_id(access_key_id) {
            return None;
        }
        let known = settings
            .credentials
            .iter()
            .find(|known| known.access_key_id == access_key_id);
        if known.is_none() && !settings.credentials.is_empty() {
            return None;
        }
        let account = known.and_then(|known| known.account_id.as_ref());
        let account = account.unwrap_or(&settings.account_id);
        let signer = Signer {
            caller: Caller::user(access_key_id, account, region),
            keys: known.map(|known| Keys {
                secret: known.secret_access_key.clone(),
                token: known.session_token.clone(),
            }),
            state: SessionState::Active,
        };
        let is_here = settings.is_in_partition(account, &signer.caller.partition);
        is_here.then_some(signer)
    }
}

impl Signer {
    /// Whether its credentials are accepted at `now`.
    pub(crate) fn state_at(&self, now: SystemTime) -> SessionState {
        let session = self.caller.session.as_ref();
        session.map_or(self.state, |session| session.state_at(now, self.state))
    }
}
