use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use aws_sdk_storagegateway::Client;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use tokio::{sync::watch, time::timeout};

use super::{
    assumed_role::AssumedRole,
    aws_files::{AwsFiles, ReloadAwsFiles},
    caller_sessions::CallerSessions,
    client_factory::ClientFactory,
    session::Session,
    settings::{AccountSettings, SdkSettings},
    sts::{NoOwner, Sts},
};
use crate::{
    access::reload::Reload,
    domain::{AccountId, Fault, Region},
};

/// How long STS may take to say whose the credentials are. Calls do not wait for it.
const OWNER_PATIENCE: Duration = Duration::from_secs(3);

/// The clients of the SDK: one for each region of each account that is served. A client costs
/// milliseconds to make and has its own connections, so it is made once and shared.
#[derive(Debug)]
pub struct Clients {
    accounts: Accounts,
    callers: CallerSessions,
    /// The credentials of the profiles, or those of the standard chain.
    bases: Vec<Session>,
    /// The files of AWS, if credentials can come from them.
    files: Option<Arc<ReloadAwsFiles>>,
}

#[derive(Debug)]
enum Accounts {
    /// One set of credentials, for whichever account it belongs to.
    OfCredentials {
        clients: Arc<SessionClients>,
        /// `None` if STS is not asked.
        sts: Option<Sts>,
        owner: ArcSwapOption<AccountId>,
    },
    /// Several accounts, each with a role.
    WithRoles(BTreeMap<AccountId, AccountClients>),
}

/// The clients of an account, and how those of a caller are made.
#[derive(Debug)]
struct AccountClients {
    of_service: Arc<SessionClients>,
    settings: AccountSettings,
    sts: Sts,
    factory: Arc<ClientFactory>,
}

/// The clients that sign with one set of credentials, by region.
#[derive(Debug)]
pub(super) struct SessionClients {
    pub(super) session: Session,
    by_region: BTreeMap<Region, Client>,
}

impl SessionClients {
    fn new<'r>(
        factory: &ClientFactory,
        session: Session,
        account: Option<&AccountId>,
        regions: impl Iterator<Item = &'r Region>,
    ) -> Self {
        let client = |region: &Region| {
            let client = factory.storage_gateway(region, account, &session);
            (region.clone(), client)
        };
        Self {
            by_region: regions.map(client).collect(),
            session,
        }
    }

    /// The client of a region, if it is served.
    pub(super) fn of(&self, region: &Region) -> Option<&Client> {
        self.by_region.get(region)
    }
}

impl AccountClients {
    fn new(factory: &Arc<ClientFactory>, settings: &AccountSettings, base: &Session) -> Self {
        let sts = factory.sts(settings.regions.iter(), Some(&settings.id), base);
        Self {
            of_service: Arc::new(Self::session(factory, settings, &sts, None)),
            settings: settings.clone(),
            sts,
            factory: factory.clone(),
        }
    }

    /// The clients of the service, or of one caller.
    fn session(
        factory: &ClientFactory,
        settings: &AccountSettings,
        sts: &Sts,
        caller: Option<&str>,
    ) -> SessionClients {
        let role = AssumedRole::new(sts.clone(), settings, caller);
        let session = factory.session_of(role);
        SessionClients::new(factory, session, Some(&settings.id), settings.regions.iter())
    }

    fn of_caller(&self, caller: &str) -> SessionClients {
        Self::session(&self.factory, &self.settings, &self.sts, Some(caller))
    }
}

impl Clients {
    /// Makes the clients of `regions`, or of the accounts with their own regions. They send with
    /// `http_client`. The standard credentials chain uses the region `home`.
    pub async fn new(
        settings: &SdkSettings,
        http_client: SharedHttpClient,
        home: &Region,
        regions: impl IntoIterator<Item = Region>,
    ) -> Self {
        let files = AwsFiles::of_environment();
        let factory = Arc::new(ClientFactory::new(settings.clone(), http_client, home).await);
        let mut bases = BTreeMap::new();
        let accounts = match &settings.accounts[..] {
            [] => {
                let session = factory.session(None, &files);
                bases.insert(None, session.clone());
                let regions: Vec<_> = regions.into_iter().collect();
                let clients = SessionClients::new(&factory, session.clone(), None, regions.iter());
                // Where something else stands for AWS, AWS's own STS knows nothing of it.
                let is_asked = settings.credentials.is_none()
                    && (settings.endpoint.is_none() || settings.sts_endpoint.is_some());
                Accounts::OfCredentials {
                    clients: Arc::new(clients),
                    sts: is_asked.then(|| factory.sts(regions.iter(), None, &session)),
                    owner: ArcSwapOption::empty(),
                }
            }
            accounts => {
                let account = |settings: &AccountSettings| {
                    let base = bases.entry(settings.profile.clone());
                    let base = base.or_insert_with(|| factory.session(settings.profile.as_deref(), &files));
                    (settings.id.clone(), AccountClients::new(&factory, settings, base))
                };
                Accounts::WithRoles(accounts.iter().map(account).collect())
            }
        };
        let is_given = settings.credentials.is_some();
        Self {
            accounts,
            callers: CallerSessions::new(settings.max_caller_sessions),
            bases: bases.into_values().collect(),
            files: (!is_given).then(|| ReloadAwsFiles::new(files)),
        }
    }

    /// The files of AWS, which can be checked for changes; `None` if the credentials are given.
    pub fn files(&self) -> Option<Arc<dyn Reload>> {
        self.files.clone().map(|files| files as Arc<dyn Reload>)
    }

    /// Receives that a file of AWS has changed; `None` if the credentials are given.
    pub fn watch_files(&self) -> Option<watch::Receiver<()>> {
        self.files.as_ref().map(|files| files.changed())
    }

    /// Replaces the credentials by those of the changed files. Where the files have none, the previous
    /// ones stay in force, and the fault is logged. Sessions of roles that have begun last until they
    /// expire.
    pub async fn reload(&self) {
        let mut faults = Vec::new();
        for base in &self.bases {
            faults.extend(base.replace().await.err());
        }
        if let Some(files) = &self.files {
            files.record(&faults);
        }
    }

    /// The clients that send a request of this caller to an account.
    ///
    /// # Errors
    ///
    /// [`Fault::WrongAccount`], and [`Fault::Internal`] for an account that is not served.
    pub(super) fn of(&self, account: Option<&AccountId>, caller: &str) -> Result<Arc<SessionClients>, Fault> {
        match &self.accounts {
            Accounts::OfCredentials { clients, owner, .. } => {
                let owner = owner.load();
                match (account, owner.as_deref()) {
                    (Some(requested), Some(owner)) if requested != owner => Err(Fault::WrongAccount {
                        requested: requested.clone(),
                        owner: owner.clone(),
                    }),
                    _ => Ok(clients.clone()),
                }
            }
            Accounts::WithRoles(accounts) => {
                let Some((id, account)) = account.and_then(|account| accounts.get_key_value(account)) else {
                    let cause = "there is no client for the account".to_owned();
                    return Err(Fault::Internal { cause });
                };
                Ok(match account.settings.session_per_caller {
                    false => account.of_service.clone(),
                    true => self.callers.of(id, caller, || account.of_caller(caller)),
                })
            }
        }
    }

    /// An account that has a role.
    fn with_role(&self, account: Option<&AccountId>) -> Option<&AccountClients> {
        match &self.accounts {
            Accounts::OfCredentials { .. } => None,
            Accounts::WithRoles(accounts) => accounts.get(account?),
        }
    }

    fn session(&self, account: Option<&AccountId>) -> Option<&Session> {
        match &self.accounts {
            Accounts::OfCredentials { clients, .. } => Some(&clients.session),
            Accounts::WithRoles(_) => Some(&self.with_role(account)?.of_service.session),
        }
    }

    /// When the credentials of an account were last obtained, if ever.
    pub fn credentials_obtained(&self, account: Option<&AccountId>) -> Option<Instant> {
        self.session(account)?.obtained()
    }

    /// What the credentials of an account come from, for operators.
    pub fn source_of_credentials(&self, account: Option<&AccountId>) -> String {
        match self.with_role(account) {
            Some(account) => format!(
                "a session of {} by {}",
                account.settings.role,
                account.sts.place()
            ),
            None => "the source of the AWS credentials".to_owned(),
        }
    }

    /// Obtains the credentials of an account, if there are none.
    ///
    /// # Errors
    ///
    /// The source's error, for the operator.
    pub async fn obtain_credentials(&self, account: Option<&AccountId>) -> Result<(), String> {
        match self.session(account) {
            Some(session) => session.obtain().await,
            None => Err("the account is not served".to_owned()),
        }
    }

    /// Obtains new credentials of an account. Those that there are stay in force if that fails.
    ///
    /// # Errors
    ///
    /// The source's error, for the operator.
    pub async fn replace_credentials(&self, account: Option<&AccountId>) -> Result<(), String> {
        match self.session(account) {
            Some(session) => session.replace().await,
            None => Err("the account is not served".to_owned()),
        }
    }

    /// The account that the credentials belong to, as their provider or STS says. `None` where each
    /// account has its role, and where nothing is known.
    ///
    /// # Errors
    ///
    /// [`NoOwner`], for the operator.
    pub async fn find_owner(&self) -> Option<Result<AccountId, NoOwner>> {
        let Accounts::OfCredentials { clients, sts, owner } = &self.accounts else {
            return None;
        };
        let found = match (clients.session.account(), sts) {
            (Some(account), _) => Ok(account),
            (None, None) => return None,
            (None, Some(sts)) => timeout(OWNER_PATIENCE, sts.account_of_credentials())
                .await
                .unwrap_or_else(|_| {
                    let why = format!("{} did not answer within {OWNER_PATIENCE:?}", sts.place());
                    Err(NoOwner::Unknown(why))
                }),
        };
        // Another account's credentials may have come, of which nothing is known.
        owner.store(found.as_ref().ok().cloned().map(Arc::new));
        Some(found)
    }
}
