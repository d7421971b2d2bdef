//! Who can assume a role.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Serialize;

use crate::settings::{Role, RoleArn, Settings};

/// The longest session of a role that no setting describes.
const MAX_SESSION: Duration = Duration::from_secs(12 * 3_600);

/// The roles of the settings, and those that the control API refused.
pub(crate) struct Roles {
    configured: Vec<Role>,
    /// By ARN: whether every caller is refused, in place of the settings.
    refused: Mutex<BTreeMap<String, bool>>,
}

/// A role, as the control API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoleState {
    /// Its ARN.
    pub role_arn: String,
    /// Whether every caller is refused.
    pub refused: bool,
    /// Whether a caller must give an external id.
    pub needs_external_id: bool,
    /// The accounts whose callers can assume it; `None`: all.
    pub trusted_accounts: Option<Vec<String>>,
}

impl Roles {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            configured: settings.roles.clone(),
            refused: Mutex::default(),
        }
    }

    /// The longest session of this name that a caller can have of a role; `None` if the caller cannot
    /// assume it. `account` is `None` for a caller with a web identity token, which belongs to no
    /// account.
    ///
    /// In an account without configured roles, every role can be assumed.
    pub(crate) fn max_session(
        &self,
        role_arn: &str,
        session_name: &str,
        account: Option<&str>,
        external_id: Option<&str>,
    ) -> Option<Duration> {
        let parsed = RoleArn::parse(role_arn)?;
        if self.is_refused(role_arn) {
            return None;
        }
        let Some(role) = self.configured.iter().find(|role| role.arn == role_arn) else {
            let mut others = self
                .configured
                .iter()
                .filter_map(|role| RoleArn::parse(&role.arn));
            let has_roles = others.any(|other| other.account == parsed.account);
            return (!has_roles).then_some(MAX_SESSION);
        };
        let is_trusted = account.is_none_or(|account| {
            let trusted = role.trusted_accounts.as_ref();
            trusted.is_none_or(|trusted| trusted.iter().any(|id| id == account))
        });
        // A web identity has no external id, so that a role which needs one cannot be assumed by it.
        let expected = role.external_id.as_deref();
        let has_id = expected.is_none_or(|expected| external_id == Some(expected));
        let is_refused = role.refused_sessions.iter().any(|name| name == session_name);
        (is_trusted && has_id && !is_refused).then_some(role.max_session_duration)
    }

    /// Refuses every caller of a role, or no longer.
    pub(crate) fn set_refused(&self, role_arn: &str, refused: bool) {
        self.changes().insert(role_arn.to_owned(), refused);
    }

    /// Returns to the settings.
    pub(crate) fn reset(&self) {
        self.changes().clear();
    }

    /// The configured roles, and those that were refused or allowed since, by ARN.
    pub(crate) fn list(&self) -> Vec<RoleState> {
        let mut roles: BTreeMap<String, Role> = BTreeMap::new();
        for role in &self.configured {
            roles.insert(role.arn.clone(), role.clone());
        }
        for (arn, refused) in &*self.changes() {
            let role = roles.entry(arn.clone()).or_insert_with(|| Role::new(arn));
            role.refused = *refused;
        }
        let state = |role: Role| RoleState {
            role_arn: role.arn,
            refused: role.refused,
            needs_external_id: role.external_id.is_some(),
            trusted_accounts: role.trusted_accounts,
        };
        roles.into_values().map(state).collect()
    }

    fn is_refused(&self, role_arn: &str) -> bool {
        let changed = self.changes().get(role_arn).copied();
        let configured = || {
            self.configured
                .iter()
                .any(|role| role.arn == role_arn && role.refused)
        };
        changed.unwrap_or_else(configured)
    }

    fn changes(&self) -> MutexGuard<'_, BTreeMap<String, bool>> {
        // A poisoned lock is safe to use: an insert is one change.
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
