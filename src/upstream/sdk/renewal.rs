use std::{
    fmt,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant, SystemTime},
};

use aws_credential_types::{
    Credentials,
    provider::{error::CredentialsError, future},
};
use aws_sdk_storagegateway::config::{ProvideCredentials, SharedCredentialsProvider};
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use tokio::{runtime::Handle, sync::oneshot, time::timeout};
use tokio_util::task::AbortOnDropHandle;

use super::failure::causes;
use crate::domain::AccountId;

/// How long before they expire credentials are renewed, unless they live for less than four times that.
const AHEAD: Duration = Duration::from_secs(5 * 60);

/// How long before credentials are renewed they are fetched for every client that asks. It is longer
/// than the time by which the cache of the SDK asks early.
const FRESH: Duration = Duration::from_secs(20);

/// How long a call waits for its credentials, at most.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long the failure of the source is the answer to calls, so that many calls do not ask it as
/// often.
const FAILED_FOR: Duration = Duration::from_secs(1);

/// The SDK's cache asks this long before the expiry.
const BUFFER: Duration = Duration::from_secs(10);

/// When a source that hangs is asked again.
const ABANDONED: Duration = Duration::from_secs(60);

/// A credentials provider that renews credentials before they expire. If that fails, it provides the
/// old ones while they are valid. The SDK calls it only when its cache has none, or when those that it
/// has are about to expire.
///
/// It asks its source once at a time: clients that need credentials meanwhile wait for the same
/// answer, and what comes too late for them is there for the next. It records when it last obtained
/// credentials, and rejects those that the SDK cannot sign with.
#[derive(Clone, Debug)]
pub(super) struct RenewingProvider {
    source: Source,
    /// The minimum time between two attempts to renew valid credentials.
    pause: Duration,
    /// How long a call waits. It is less than the timeout of an attempt, so that a source that hangs is
    /// not taken for an AWS that does not answer.
    patience: Duration,
    state: Arc<Mutex<State>>,
}

/// Where credentials come from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// The caller of the library gave them.
    Given(Credentials),
    /// A provider fetches them.
    Provider(SharedCredentialsProvider),
}

/// The answer of the source, for everybody who waits for it.
type Fetch = Shared<BoxFuture<'static, Result<Credentials, NotObtained>>>;

#[derive(Default)]
struct State {
    current: Option<Credentials>,
    /// Until when the current credentials are provided without a fetch: each client has a cache entry
    /// of its own, and asks for itself.
    fresh_until: Option<SystemTime>,
    obtained: Option<Instant>,
    failed: Option<(Instant, NotObtained)>,
    fetch: Option<Fetch>,
    /// Counts how often the credentials were forgotten. A fetch that began before is not kept.
    epoch: u64,
}

impl RenewingProvider {
    /// A provider that has not provided credentials yet, for attempts that end after `attempt_timeout`.
    pub(super) fn new(source: Source, pause: Duration, attempt_timeout: Duration) -> Self {
        Self {
            source,
            pause,
            patience: PATIENCE.min(attempt_timeout.mul_f64(0.75)),
            state: Arc::default(),
        }
    }

    /// When it last obtained credentials.
    pub(super) fn obtained(&self) -> Option<Instant> {
        self.lock().obtained
    }

    /// The account of the current credentials, if their source knows it.
    pub(super) fn account(&self) -> Option<AccountId> {
        let state = self.lock();
        let account = state.current.as_ref()?.account_id()?;
        account.as_str().parse().ok()
    }

    /// Whether the current credentials are those of a session, which can be revoked.
    pub(super) fn is_session(&self) -> bool {
        let state = self.lock();
        let current = state.current.as_ref();
        current.is_some_and(|current| current.session_token().is_some())
    }

    /// Forgets the current credentials, because AWS rejected them.
    pub(super) fn forget(&self) {
        let mut state = self.lock();
        state.current = None;
        state.fresh_until = None;
        state.failed = None;
        state.fetch = None;
        state.epoch += 1;
    }

    /// Obtains the current credentials, or new ones if there are none, however long that takes.
    pub(super) async fn obtain(&self) -> Result<Credentials, CredentialsError> {
        if let Some(current) = self.fresh() {
            return Ok(current);
        }
        Ok(self.fetch().await?)
    }

    /// Replaces the current credentials by new ones, and keeps them if that fails.
    pub(super) async fn replace(&self) -> Result<(), CredentialsError> {
        {
            // A fetch that is in flight may still see the old source.
            let mut state = self.lock();
            state.fetch = None;
            state.epoch += 1;
        }
        self.fetch().await?;
        Ok(())
    }

    /// The current credentials, if they need not be renewed yet.
    fn fresh(&self) -> Option<Credentials> {
        let state = self.lock();
        let is_fresh = state.fresh_until.is_some_and(|until| SystemTime::now() < until);
        let current = state.current.as_ref().filter(|_| is_fresh)?.clone();
        drop(state);
        Some(self.renewed_early(current))
    }

    async fn provide(&self) -> Result<Credentials, CredentialsError> {
        if let Some(current) = self.fresh() {
            return Ok(current);
        }
        let (old, failed) = {
            let mut state = self.lock();
            let now = SystemTime::now();
            state.current.take_if(|current| has_expired(current, now));
            let old = state.current.clone();
            let pause = match old {
                Some(_) => self.pause,
                None => self.pause.min(FAILED_FOR),
            };
            state.failed.take_if(|(at, _)| at.elapsed() >= pause);
            (old, state.failed.clone())
        };
        match (failed, &old) {
            (Some(_), Some(old)) => return Ok(self.for_now(old.clone())),
            (Some((_, why)), None) => return Err(why.into()),
            (None, _) => {}
        }
        let fetched = timeout(self.patience, self.fetch()).await;
        let error = match fetched.unwrap_or(Err(NotObtained::Late(self.patience))) {
            Ok(new) => return Ok(new),
            Err(error) => error,
        };
        let Some(old) = old else {
            return Err(error.into());
        };
        self.lock().failed = Some((Instant::now(), error.clone()));
        // Keys without an expiry are fetched anew whenever the SDK asks; that their file is invalid now is
        // told when it changes.
        if let Some(expiry) = old.expiry() {
            let left = expiry.duration_since(SystemTime::now());
            tracing::warn!(
                why = %error,
                seconds_left = left.unwrap_or_default().as_secs(),
                "failed to renew the AWS credentials; the old ones are used until they expire"
            );
        }
        Ok(self.for_now(old))
    }

    /// Joins the fetch in flight, or begins one.
    fn fetch(&self) -> Fetch {
        let mut state = self.lock();
        let epoch = state.epoch;
        let fetch = state.fetch.get_or_insert_with(|| {
            let this = self.clone();
            // In a task, so that it goes on when the calls that wait for it end.
            let fetching = AbortOnDropHandle::new(tokio::spawn(async move { this.fetch_once(epoch).await }));
            let ended = fetching.map(|ended| ended.unwrap_or(Err(NotObtained::Panicked)));
            ended.boxed().shared()
        });
        fetch.clone()
    }

    async fn fetch_once(&self, epoch: u64) -> Result<Credentials, NotObtained> {
        let provided = timeout(ABANDONED, self.source.clone().credentials()).await;
        let provided = provided.unwrap_or(Err(NotObtained::Abandoned));
        let mut state = self.lock();
        if state.epoch != epoch {
            drop(state);
            return provided.map(|provided| self.renewed_early(provided));
        }
        state.fetch = None;
        if let Err(why) = &provided {
            state.failed = Some((Instant::now(), why.clone()));
        }
        let provided = provided?;
        state.obtained = Some(Instant::now());
        state.failed = None;
        state.current = Some(provided.clone());
        let now = SystemTime::now();
        let is_expired = has_expired(&provided, now);
        let provided = self.renewed_early(provided);
        state.fresh_until = match is_expired {
            true => now.checked_add(self.pause),
            false => provided.expiry().and_then(|expiry| expiry.checked_sub(FRESH)),
        };
        Ok(provided)
    }

    /// The credentials with an expiry at which they are to be renewed. Those that have come expired, or
    /// so it seems to this machine's clock, are used for the pause: AWS decides.
    fn renewed_early(&self, credentials: Credentials) -> Credentials {
        with_expiry(credentials, |expiry, now| match expiry.duration_since(now) {
            Ok(life) if !life.is_zero() => expiry - AHEAD.min(life / 4),
            _ => now + BUFFER + self.pause,
        })
    }

    /// The old credentials, for which the SDK asks again after the pause.
    fn for_now(&self, old: Credentials) -> Credentials {
        with_expiry(old, |expiry, now| expiry.min(now + BUFFER + self.pause))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProvideCredentials for RenewingProvider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.provide())
    }
}

impl Source {
    async fn credentials(self) -> Result<Credentials, NotObtained> {
        match self {
            Self::Given(credentials) => usable(Ok(credentials)),
            Self::Provider(provider) => ask(provider).await,
        }
    }
}

/// Asks a provider for credentials, on a thread of its own: some providers of the SDK read files in a
/// way that can block, and then no other call and no probe may wait with them.
async fn ask(provider: SharedCredentialsProvider) -> Result<Credentials, NotObtained> {
    let runtime = Handle::current();
    let (tell, told) = oneshot::channel();
    let asking = move || {
        let provided = provider.provide_credentials();
        // A provider can panic on a file or a response that it does not expect.
        let provided = AssertUnwindSafe(provided).catch_unwind();
        let provided = match runtime.block_on(async { timeout(ABANDONED, provided).await }) {
            Ok(Ok(provided)) => usable(provided),
            Ok(Err(_)) => Err(NotObtained::Panicked),
            Err(_) => Err(NotObtained::Abandoned),
        };
        let _ = tell.send(provided);
    };
    let thread = thread::Builder::new().name("aws-credentials".to_owned());
    thread
        .spawn(asking)
        .map_err(|error| NotObtained::Failed(format!("cannot start a thread: {error}")))?;
    told.await.unwrap_or(Err(NotObtained::Panicked))
}

fn usable(provided: Result<Credentials, CredentialsError>) -> Result<Credentials, NotObtained> {
    provided
        .and_then(checked)
        .map_err(|error| NotObtained::Failed(causes(&error)))
}

fn has_expired(credentials: &Credentials, now: SystemTime) -> bool {
    credentials.expiry().is_some_and(|expiry| expiry <= now)
}

/// The credentials with another expiry, if they have one.
fn with_expiry(
    mut credentials: Credentials,
    expiry: impl FnOnce(SystemTime, SystemTime) -> SystemTime,
) -> Credentials {
    if let Some(own) = credentials.expiry_mut() {
        *own = expiry(*own, SystemTime::now());
    }
    credentials
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("obtained", &self.obtained)
            .finish_non_exhaustive()
    }
}

/// Rejects credentials with characters that no HTTP header can have, such as the line end of a file.
/// The SDK would panic when it signs with them.
pub(super) fn checked(credentials: Credentials) -> Result<Credentials, CredentialsError> {
    let parts = [
        ("the access key id", Some(credentials.access_key_id())),
        ("the secret access key", Some(credentials.secret_access_key())),
        ("the session token", credentials.session_token()),
    ];
    let is_valid = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    match parts
        .iter()
        .find(|(_, text)| text.is_some_and(|text| !is_valid(text)))
    {
        None => Ok(credentials),
        Some((part, _)) => Err(CredentialsError::invalid_configuration(InvalidCredentials(part))),
    }
}

/// Credentials that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0} is empty, or has characters other than visible ASCII")]
struct InvalidCredentials(&'static str);

/// Why there are no credentials.
#[derive(Clone, Debug, thiserror::Error)]
enum NotObtained {
    #[error("{0}")]
    Failed(String),
    #[error("the source of the credentials did not answer within {0:?}")]
    Late(Duration),
    #[error("the source of the credentials did not answer within {ABANDONED:?}")]
    Abandoned,
    #[error("the provider panicked; its files or the response of its server are probably malformed")]
    Panicked,
}

impl From<NotObtained> for CredentialsError {
    fn from(why: NotObtained) -> Self {
        Self::provider_error(why)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

    use super::*;

    /// Provides what a function returns for the number of the call, from 0.
    struct Scripted<F>(F, Mutex<u32>);

    impl<F: Fn(u32) -> Result<Credentials, CredentialsError> + Send + Sync> ProvideCredentials for Scripted<F> {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let mut calls = self.1.lock().unwrap();
            let number = *calls;
            *calls += 1;
            drop(calls);
            future::ProvideCredentials::new(async move { (self.0)(number) })
        }
    }

    impl<F> fmt::Debug for Scripted<F> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Scripted")
        }
    }

    fn provider(
        pause: Duration,
        script: impl Fn(u32) -> Result<Credentials, CredentialsError> + Send + Sync + 'static,
    ) -> RenewingProvider {
        let scripted = SharedCredentialsProvider::new(Scripted(script, Mutex::new(0)));
        RenewingProvider::new(Source::Provider(scripted), pause, Duration::from_secs(20))
    }

    fn valid_for(id: &str, seconds: u64) -> Credentials {
        let expiry = SystemTime::now() + Duration::from_secs(seconds);
        Credentials::new(id, "secret", None, Some(expiry), "tests")
    }

    #[tokio::test]
    async fn credentials_are_renewed_before_they_expire() {
        let provider = provider(Duration::ZERO, |_| Ok(valid_for("AKID", 3600)));
        let expiry = provider.provide_credentials().await.unwrap().expiry().unwrap();
        let left = expiry.duration_since(SystemTime::now()).unwrap();
        assert!((3200..=3300).contains(&left.as_secs()), "{left:?}");
    }

    #[tokio::test]
    async fn clients_that_ask_one_after_the_other_get_the_same_credentials() {
        let provider = provider(Duration::ZERO, |number| {
            Ok(valid_for(["ONE", "TWO"][number as usize], 3600))
        });
        for _ in 0..2 {
            let credentials = provider.provide_credentials().await.unwrap();
            assert_eq!(credentials.access_key_id(), "ONE");
        }
        provider.forget();
        let credentials = provider.provide_credentials().await.unwrap();
        assert_eq!(credentials.access_key_id(), "TWO");
    }

    #[tokio::test]
    async fn the_old_credentials_last_while_they_cannot_be_renewed() {
        let failed = || Err(CredentialsError::provider_error("of the test"));
        let provider = provider(Duration::ZERO, move |number| match number {
            0 => Ok(valid_for("OLD", 20)),
            1 | 2 => failed(),
            _ => Ok(valid_for("NEW", 60)),
        });
        let mut ids = Vec::new();
        for _ in 0..4 {
            let credentials = provider.provide_credentials().await.unwrap();
            assert!(credentials.expiry().unwrap() > SystemTime::now());
            ids.push(credentials.access_key_id().to_owned());
        }
        assert_eq!(ids, ["OLD", "OLD", "OLD", "NEW"]);
    }

    #[tokio::test]
    async fn after_a_failed_renewal_there_is_a_pause() {
        let provider = provider(Duration::from_secs(3600), |number| match number {
            0 => Ok(valid_for("OLD", 20)),
            1 => Err(CredentialsError::provider_error("of the test")),
            _ => Ok(valid_for("NEW", 60)),
        });
        for _ in 0..4 {
            let credentials = provider.provide_credentials().await.unwrap();
            assert_eq!(credentials.access_key_id(), "OLD");
        }
        provider.forget();
        let credentials = provider.provide_credentials().await.unwrap();
        assert_eq!(credentials.access_key_id(), "NEW");
    }

    #[tokio::test]
    async fn expired_credentials_are_not_provided_again() {
        let provider = provider(Duration::ZERO, |number| match number {
            0 => Ok(valid_for("OLD", 0)),
            _ => Err(CredentialsError::provider_error("of the test")),
        });
        provider.provide_credentials().await.unwrap();
        provider.provide_credentials().await.unwrap_err();
    }

    #[tokio::test]
    async fn what_the_sdk_cannot_sign_with_is_rejected() {
        for (id, secret, token, part) in [
            ("AKID\n", "secret", None, "the access key id"),
            ("AKID", "sec\u{1}ret", None, "the secret access key"),
            ("AKID", "secret", Some("to ken"), "the session token"),
            ("", "secret", None, "the access key id"),
        ] {
            let token: Option<&'static str> = token;
            let provider = provider(Duration::ZERO, move |_| {
                Ok(Credentials::new(
                    id,
                    secret,
                    token.map(str::to_owned),
                    None,
                    "tests",
                ))
            });
            let error = causes(&provider.provide_credentials().await.unwrap_err());
            assert!(error.contains(part) && !error.contains('\u{1}'), "{error}");
        }
    }

    #[tokio::test]
    async fn a_provider_that_panics_is_an_error() {
        let provider = provider(Duration::ZERO, |number| {
            assert!(number > 0, "of the test");
            Ok(valid_for("AKID", 60))
        });
        let error = causes(&provider.provide_credentials().await.unwrap_err());
        assert!(error.contains("the provider panicked"), "{error}");
        provider.provide_credentials().await.unwrap();
    }
}
