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
    upstream::sdk::{Clients, NoOwner},
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
            let source = self.clients.source_of_credentials(account);
            self.readiness
                .credentials_awaited(account, format!("waiting for {source}"));
            if self.clients.obtain_credentials(account).await.is_ok() {
                let _ = self.obtained(account).await;
            }
        });
        // What takes longer, `keep` does again.
        let _ = timeout(AT_HAND, join_all(obtained)).await;
    }

    /// Fetches missing ones again, those of changed files, and lets rejections lapse.
    pub(super) async fn keep(self) {
        let reloads = watch::Sender::new(());
        let accounts = self.accounts.iter();
        let accounts = accounts.map(|account| self.keep_one(account.as_ref(), reloads.subscribe()));
        let reload = async {
            let Some(mut files) = self.clients.watch_files() else {
                return;
            };
            while files.changed().await.is_ok() {
                self.clients.reload().await;
                reloads.send_replace(());
            }
        };
        tokio::join!(join_all(accounts), reload);
    }

    /// `reloads` receives that the files of AWS were read again.
    async fn keep_one(&self, account: Option<&AccountId>, mut reloads: watch::Receiver<()>) {
        let Self {
            clients,
            readiness,
            pause,
            ..
        } = self;
        let mut watch = readiness.watch();
        loop {
            match watch.credentials(account) {
                CredentialsState::Good => tokio::select! {
                    is_there = watch.changed() => if !is_there {
                        return;
                    },
                    () = changed(&mut reloads) => {
                        if let Err(why) = self.obtained(account).await {
                            self.missing(account, &why);
                        }
                    }
                },
                CredentialsState::Rejected => {
                    sleep(*pause).await;
                    readiness.forget_rejections(account);
                }
                CredentialsState::Doubted => {
                    match timeout(PATIENCE, clients.replace_credentials(account)).await {
                        Ok(Ok(())) => readiness.credentials_trusted(account),
                        Ok(Err(why)) => self.missing(account, &why),
                        Err(_) => self.missing(account, &self.no_answer(account)),
                    }
                    sleep(*pause).await;
                }
                CredentialsState::Missing => {
                    let obtained = match timeout(PATIENCE, clients.obtain_credentials(account)).await {
                        Ok(Ok(())) => self.obtained(account).await,
                        Ok(Err(why)) => Err(why),
                        Err(_) => Err(self.no_answer(account)),
                    };
                    if let Err(why) = obtained {
                        self.missing(account, &why);
                        tokio::select! {
                            () = sleep(*pause) => {}
                            () = changed(&mut reloads) => {}
                        }
                    }
                }
            }
        }
    }

    fn missing(&self, account: Option<&AccountId>, why: &str) {
        let (id, pause) = (account.map(AccountId::as_str), self.pause);
        tracing::warn!(why, account = id, "no AWS credentials; trying again in {pause:?}");
        self.readiness.credentials_missing(account, why);
    }

    fn no_answer(&self, account: Option<&AccountId>) -> String {
        let source = self.clients.source_of_credentials(account);
        format!("no answer within {PATIENCE:?} from {source}")
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
    ///
    /// # Errors
    ///
    /// STS rejects the credentials; for the operator.
    async fn obtained(&self, account: Option<&AccountId>) -> Result<(), String> {
        let what = "waiting for STS, which says whose the AWS credentials are";
        self.readiness.credentials_awaited(account, what.to_owned());
        match self.clients.find_owner().await {
            None => {}
            Some(Err(NoOwner::Rejected(why))) => return Err(format!("AWS rejects them: {why}")),
            Some(Err(NoOwner::Unknown(why))) => tracing::warn!(
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
        Ok(())
    }
}

/// Waits for a change; for ever if there will be none.
async fn changed(files: &mut watch::Receiver<()>) {
    if files.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
