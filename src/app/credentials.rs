//! Keeps the AWS credentials of all accounts, and reports their state to readiness, without calls.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use crate::{
    domain::{AccountId, Scope},
    observability::readiness::{CredentialsState, Readiness},
    upstream::sdk::Clients,
};

/// How long a start waits for AWS credentials, so that a service which has them at hand is ready as
/// soon as it listens. If it takes longer, the service listens meanwhile.
const AT_HAND: Duration = Duration::from_secs(1);

/// How long a provider of credentials may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The AWS credentials of a service.
#[derive(Clone)]
pub(super) struct AwsCredentials {
    clients: Arc<Clients>,
    readiness: Readiness,
    /// The accounts that are served; one `None` if calls may name any.
    accounts: Arc<BTreeSet<Option<AccountId>>>,
    /// The minimum time between two attempts to obtain credentials.
    pause: Duration,
}

impl AwsCredentials {
    /// Of the accounts in these scopes.
    pub(super) fn new(
        clients: Arc<Clients>,
        readiness: Readiness,
        scopes: &[Scope],
        pause: Duration,
    ) -> Self {
        let accounts = scopes.iter().map(|scope| scope.account.clone());
        Self {
            clients,
            readiness,
            accounts: Arc::new(accounts.collect()),
            pause,
        }
    }

    /// Obtains those that are at hand.
    pub(super) async fn obtain_at_start(&self) {
        let obtained = self.accounts.iter().map(|account| async move {
            let account = account.as_ref();
            if self.clients.obtain_credentials(account).await.is_ok() {
                self.obtained(account).await;
            }
        });
        // What takes longer, `keep` does again.
        if timeout(AT_HAND, join_all(obtained)).await.is_err() {
            for account in self.accounts.iter() {
                let account = account.as_ref();
                let source = self.clients.source_of_credentials(account);
                let why =
                    format!("{source} did not answer within {AT_HAND:?}; the service still waits for it");
                self.readiness.credentials_awaited(account, why);
            }
        }
    }

    /// Fetches missing ones again, looks at changed files, and lets rejections lapse.
    pub(super) async fn keep(self) {
        join_all(
            self.accounts
                .iter()
                .map(|account| self.keep_one(account.as_ref())),
        )
        .await;
    }

    async fn keep_one(&self, account: Option<&AccountId>) {
        let Self {
            clients,
            readiness,
            pause,
            ..
        } = self;
        let mut watch = readiness.watch();
        let mut files = clients.watch_files();
        loop {
            match watch.credentials(account) {
                CredentialsState::Good => {
                    let is_file_changed = tokio::select! {
                        true = watch.changed() => false,
                        () = changed(&mut files) => true,
                        else => return,
                    };
                    if is_file_changed {
                        match clients.check_changed_files(account).await {
                            Ok(()) => self.obtained(account).await,
                            // Not only the next call finds out that there are no credentials.
                            Err(why) => readiness.credentials_missing(account, &why),
                        }
                    }
                }
                CredentialsState::Rejected => {
                    sleep(*pause).await;
                    readiness.forget_rejections(account);
                }
                CredentialsState::Missing => {
                    let obtained = timeout(PATIENCE, clients.obtain_credentials(account)).await;
                    match obtained.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}"))) {
                        Ok(()) => self.obtained(account).await,
                        Err(why) => {
                            let id = account.map(AccountId::as_str);
                            tracing::warn!(
                                why,
                                account = id,
                                "no AWS credentials; trying again in {pause:?}"
                            );
                            readiness.credentials_missing(account, &why);
                            tokio::select! {
                                () = sleep(*pause) => {}
                                () = changed(&mut files) => {}
                            }
                        }
                    }
                }
            }
        }
    }

    /// When those of each account were obtained; accounts without credentials are left out.
    pub(super) fn obtained_by_account(&self) -> BTreeMap<Option<AccountId>, Instant> {
        let obtained = |account: &Option<AccountId>| {
            let at = self.clients.credentials_obtained(account.as_ref())?;
            Some((account.clone(), at))
        };
        self.accounts.iter().filter_map(obtained).collect()
    }

    /// Finds out whose the credentials are, before the replica is ready: a list of a wrong account that
    /// has no tapes would look like an empty list of the right one.
    async fn obtained(&self, account: Option<&AccountId>) {
        match self.clients.find_owner().await {
            None => {}
            Some(Err(why)) => tracing::warn!(
                why,
                "STS did not say which account the AWS credentials belong to; only the tapes in a list can show it"
            ),
            Some(Ok(owner)) => {
                let wrong = match account {
                    Some(account) if owner != *account => {
                        let why = format!("the AWS credentials belong to account {owner}, not to {account}");
                        tracing::error!(why, "the AWS credentials belong to a wrong account");
                        Some(why)
                    }
                    _ => None,
                };
                self.readiness.set_wrong_account(wrong);
            }
        }
        self.readiness.credentials_obtained(account);
    }
}

/// Waits for a change; for ever if there will be none.
async fn changed(files: &mut watch::Receiver<()>) {
    if files.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
