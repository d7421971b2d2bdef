use std::time::Duration;

use secrecy::SecretString;

/// An AWS account of the emulator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its 12 digits.
    pub id: String,
    /// The region that its gateway, its pool and its tapes are in at the start. Its credentials are
    /// valid in the partition of this region only.
    pub region: String,
    /// How many tapes it starts with; `None`: as many as `Settings::seed_tapes`.
    pub seed_tapes: Option<usize>,
}

impl Account {
    /// The account with this id, in `us-east-1`.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            region: "us-east-1".to_owned(),
            seed_tapes: None,
        }
    }
}

/// A pair of AWS access keys, with a session token if it is temporary.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The access key id, such as `AKIDEXAMPLE`.
    pub access_key_id: String,
    /// The secret access key. `Debug` hides it.
    pub secret_access_key: SecretString,
    /// The `X-Amz-Security-Token` that requests must have; `None` for a long-lived pair, with which
    /// they must have none. `Debug` hides it.
    pub session_token: Option<SecretString>,
    /// The account that they belong to, 12 digits; `None`: that of `Settings::account_id`.
    pub account_id: Option<String>,
}

/// An IAM role that callers of STS can assume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// `arn:PARTITION:iam::ACCOUNT:role/NAME`; a path before the name is allowed. Its account must be
    /// one of the emulator's.
    pub arn: String,
    /// The `ExternalId` that a caller must give; `None`: any or none.
    pub external_id: Option<String>,
    /// The accounts whose callers can assume it; `None`: all.
    pub trusted_accounts: Option<Vec<String>>,
    /// The session names that are refused, as a trust policy does with `sts:RoleSessionName`.
    pub refused_sessions: Vec<String>,
    /// Whether every caller is refused.
    pub refused: bool,
    /// The longest session, from 1 to 12 hours.
    pub max_session_duration: Duration,
}

impl Role {
    /// A role that every account can assume, for at most an hour, as AWS has it by default.
    pub fn new(arn: impl Into<String>) -> Self {
        Self {
            arn: arn.into(),
            external_id: None,
            trusted_accounts: None,
            refused_sessions: Vec::new(),
            refused: false,
            max_session_duration: Duration::from_secs(3_600),
        }
    }
}
