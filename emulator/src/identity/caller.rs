use std::{fmt::Write as _, sync::Arc};

use sha2::{Digest, Sha256};

use super::sessions::RoleSession;
use crate::settings::partition;

/// Who signed a request: a user, or a session of a role.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) access_key_id: String,
    /// 12 digits.
    pub(crate) account: String,
    pub(crate) partition: String,
    /// `None` for a user.
    pub(crate) session: Option<Arc<RoleSession>>,
}

impl Caller {
    /// The user with an access key, as it signs in a region.
    pub(super) fn user(access_key_id: &str, account: &str, region: &str) -> Self {
        Self {
            access_key_id: access_key_id.to_owned(),
            account: account.to_owned(),
            partition: partition(region).to_owned(),
            session: None,
        }
    }

    /// Its ARN. A user has the name of its access key id, since credentials have no other.
    pub(crate) fn arn(&self) -> String {
        let Self {
            partition,
            account,
            access_key_id,
            session,
        } = self;
        match session {
            Some(session) => session.arn.clone(),
            None => format!("arn:{partition}:iam::{account}:user/{access_key_id}"),
        }
    }

    /// Its unique id, as `GetCallerIdentity` has it.
    pub(crate) fn user_id(&self) -> String {
        match &self.session {
            Some(session) => session.assumed_role_id(),
            None => unique_id("AIDA", &self.arn()),
        }
    }

    /// Whether its credentials are valid in the partition of a region.
    pub(super) fn is_valid_in(&self, region: &str) -> bool {
        self.partition == partition(region)
    }
}

/// The unique id of a user or a role: a prefix of AWS and 17 characters of a hash of the ARN.
pub(super) fn unique_id(prefix: &str, arn: &str) -> String {
    let digest = Sha256::digest(arn);
    let mut id = prefix.to_owned();
    for byte in &digest[..9] {
        let _ = write!(id, "{byte:02X}");
    }
    id.truncate(prefix.len() + 17);
    id
}
