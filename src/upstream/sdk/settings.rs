use std::{collections::BTreeSet, time::Duration};

use aws_credential_types::Credentials;

use crate::{
    domain::{AccountId, Region, RoleArn},
    network::NetworkSettings,
};

/// How the SDK's clients connect, sign and time out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SdkSettings {
    /// The URL that is called instead of AWS's own endpoints of Storage Gateway.
    pub endpoint: Option<String>,
    /// The same for STS, which gives out the credentials of roles and says whose credentials are.
    pub sts_endpoint: Option<String>,
    /// Endpoints of single regions and accounts.
    pub endpoints: Vec<EndpointSettings>,
    /// Proxies and root certificates.
    pub network: NetworkSettings,
    /// The credentials that sign requests; `None` is the standard chain of the SDK. They are not a
    /// setting: the caller of the library may set them.
    pub credentials: Option<Credentials>,
    /// The accounts, each with a role of its own; none if all requests are signed with the credentials
    /// of the chain.
    pub accounts: Vec<AccountSettings>,
    /// The maximum number of sessions of callers that are kept, over all accounts.
    pub max_caller_sessions: usize,
    /// The timeout for opening a TCP and TLS connection.
    pub connect_timeout: Duration,
    /// The timeout of one attempt, including the time to fetch credentials.
    pub attempt_timeout: Duration,
    /// The maximum size of a response body, in bytes.
    pub max_answer_bytes: usize,
    /// The minimum time between two fetches of rejected credentials.
    pub credentials_pause: Duration,
}

/// An account that the service serves by assuming a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSettings {
    /// The account.
    pub id: AccountId,
    /// What operators call it; `None` if they call it by its ID.
    pub alias: Option<String>,
    /// The role that is assumed. It belongs to the account.
    pub role: RoleArn,
    /// The external id that the role's trust policy asks for.
    pub external_id: Option<String>,
    /// The profile whose credentials assume the role; `None` is the standard chain.
    pub profile: Option<String>,
    /// The name of the sessions.
    pub session_name: String,
    /// Whether each caller has a session of its own.
    pub session_per_caller: bool,
    /// Whether sessions have tags.
    pub session_tags: bool,
    /// The regions that are called; at least one.
    pub regions: BTreeSet<Region>,
}

/// The endpoints of a region, of an account, or of a region of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointSettings {
    /// The region; `None` for every region of the account.
    pub region: Option<Region>,
    /// The account; `None` for every account.
    pub account: Option<AccountId>,
    /// The URL of Storage Gateway.
    pub url: Option<String>,
    /// The URL of STS.
    pub sts_url: Option<String>,
    /// Whether the FIPS variants of AWS's own endpoints are called.
    pub use_fips: Option<bool>,
    /// Whether the dual-stack variants of AWS's own endpoints are called.
    pub use_dual_stack: Option<bool>,
}

impl AccountSettings {
    /// The name of the account in metrics, in the log and on the admin page.
    pub fn label(&self) -> &str {
        self.alias.as_deref().unwrap_or(self.id.as_str())
    }
}

impl SdkSettings {
    /// The endpoints of a region of an account. Each value is that of the most specific row that has
    /// it: region and account, account, region, and last the settings of all.
    pub(super) fn endpoint_of(&self, region: &Region, account: Option<&AccountId>) -> EndpointSettings {
        let of_all = EndpointSettings {
            url: self.endpoint.clone(),
            sts_url: self.sts_endpoint.clone(),
            ..EndpointSettings::default()
        };
        let mut rows: Vec<_> = self
            .endpoints
            .iter()
            .filter(|row| row.region.as_ref().is_none_or(|of| of == region))
            .filter(|row| row.account.is_none() || row.account.as_ref() == account)
            .collect();
        rows.sort_by_key(|row| (row.account.is_none(), row.region.is_none()));
        rows.into_iter().chain([&of_all]).fold(
            EndpointSettings {
                region: Some(region.clone()),
                account: account.cloned(),
                ..EndpointSettings::default()
            },
            |found, row| EndpointSettings {
                url: found.url.or_else(|| row.url.clone()),
                sts_url: found.sts_url.or_else(|| row.sts_url.clone()),
                use_fips: found.use_fips.or(row.use_fips),
                use_dual_stack: found.use_dual_stack.or(row.use_dual_stack),
                ..found
            },
        )
    }
}
