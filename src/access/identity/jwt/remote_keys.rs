//! Fetches the key set of an issuer from a URL and keeps it up to date.

use std::{
    error::Error as _,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwapOption;
use http::{HeaderValue, StatusCode, header};
use reqwest::{Certificate, Client, Url, redirect::Policy};
use tokio::{
    sync::{Mutex, watch},
    time::{Instant, sleep, sleep_until},
};

use super::key_set::KeySet;
use crate::{
    files,
    network::{Proxies, http_client},
    observability::metrics::Count,
};

/// The settings for fetching keys from a URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteKeysSettings {
    /// The age at which keys are fetched again.
    pub refresh: Duration,
    /// How much older the keys may become while fetching fails.
    pub max_stale: Duration,
    /// The timeout of one fetch.
    pub timeout: Duration,
    /// The root certificates for the server, instead of the system's.
    pub ca: Option<PathBuf>,
    /// A file with a bearer token for the server.
    pub token_file: Option<PathBuf>,
    /// Which proxy a fetch uses.
    pub proxies: Proxies,
}

/// The key set of an issuer at a URL.
#[derive(Debug)]
pub struct RemoteKeys {
    url: Url,
    settings: RemoteKeysSettings,
    client: Client,
    fetched: ArcSwapOption<Fetched>,
    /// When the last fetch ended. Locked during a fetch, so that there is one at a time.
    last_fetch: Mutex<Option<Instant>>,
    has_keys: watch::Sender<bool>,
    failures: Count,
}

#[derive(Debug)]
struct Fetched {
    keys: Arc<KeySet>,
    at: Instant,
}

/// Settings with which keys cannot be fetched.
#[derive(Debug, thiserror::Error)]
pub enum RemoteKeysError {
    /// The URL is not allowed.
    #[error("is not an https URL without user and password (http is allowed on loopback only)")]
    Url,
    /// The file of root certificates is invalid.
    #[error("the root certificates in {path} cannot be used: {why}")]
    Ca {
        /// The path of the file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file with the bearer token is invalid.
    #[error("{0}")]
    Token(String),
    /// The HTTP client could not be created.
    #[error("the HTTP client for keys cannot be created: {0}")]
    Client(reqwest::Error),
}

/// The minimum interval between fetches, so that callers with made-up key ids cannot cause many.
const MIN_INTERVAL: Duration = Duration::from_secs(10);

/// The largest key set that is accepted, in bytes.
const MAX_BYTES: usize = 1024 * 1024;

impl RemoteKeys {
    /// Creates a source of keys at a URL, without fetching them. Reads the files of the settings.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the URL and the files of the settings.
    pub fn new(url: &str, settings: RemoteKeysSettings) -> Result<Self, Vec<RemoteKeysError>> {
        let mut faults = Vec::new();
        let url = Url::parse(url).ok().filter(is_allowed);
        if url.is_none() {
            faults.push(RemoteKeysError::Url);
        }
        let roots = settings.ca.as_deref().map(roots).transpose();
        let roots = roots.unwrap_or_else(|fault| {
            faults.push(fault);
            None
        });
        let token = settings.token_file.as_deref().map(bearer).transpose();
        faults.extend(token.err().map(RemoteKeysError::Token));
        let Some(url) = url.filter(|_| faults.is_empty()) else {
            return Err(faults);
        };
        let client = http_client(&settings.proxies)
            // A redirect could lead to any server, and key servers do not need one.
            .redirect(Policy::none())
            .timeout(settings.timeout)
            .user_agent(concat!("tapegate/", env!("CARGO_PKG_VERSION")));
        let client = match roots {
            None => client,
            Some(roots) => client.tls_certs_only(roots),
        };
        Ok(Self {
            url,
            settings,
            client: client
                .build()
                .map_err(|error| vec![RemoteKeysError::Client(error)])?,
            fetched: ArcSwapOption::empty(),
            last_fetch: Mutex::default(),
            has_keys: watch::Sender::new(false),
            failures: Count::default(),
        })
    }

    /// Returns the keys, unless none were fetched yet or they are too old.
    pub fn keys(&self) -> Option<Arc<KeySet>> {
        let RemoteKeysSettings {
            refresh, max_stale, ..
        } = self.settings;
        let fetched = self.fetched.load();
        let fetched = fetched.as_ref()?;
        (fetched.at.elapsed() <= refresh + max_stale).then(|| fetched.keys.clone())
    }

    /// The URL.
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// How long ago the keys were last fetched; `None` if they never were.
    pub fn age(&self) -> Option<Duration> {
        self.fetched.load().as_ref().map(|fetched| fetched.at.elapsed())
    }

    /// Watches whether valid keys are available.
    pub fn watch(&self) -> watch::Receiver<bool> {
        self.has_keys.subscribe()
    }

    /// The number of failed fetches.
    pub fn failures(&self) -> u64 {
        self.failures.get()
    }

    /// Returns newer keys than `known`, and fetches them if necessary; `None` if there are none.
    pub(super) async fn newer_than(&self, known: &Arc<KeySet>) -> Option<Arc<KeySet>> {
        let newer = || self.keys().filter(|keys| !Arc::ptr_eq(keys, known));
        let mut last = self.last_fetch.lock().await;
        if newer().is_none() && last.is_none_or(|at| at.elapsed() >= MIN_INTERVAL) {
            self.fetch(&mut last).await;
        }
        newer()
    }

    /// Fetches the keys now and whenever they are older than `refresh`. Never returns.
    pub async fn keep_fresh(&self) {
        let mut pause = Duration::from_secs(1);
        loop {
            let due = self
                .fetched
                .load()
                .as_ref()
                .map(|fetched| fetched.at + self.settings.refresh);
            match due {
                Some(due) if due > Instant::now() => sleep_until(due).await,
                _ => {
                    let mut last = self.last_fetch.lock().await;
                    let fetched = self.fetch(&mut last).await;
                    drop(last);
                    pause = match fetched {
                        true => Duration::from_secs(1),
                        false => {
                            sleep(pause).await;
                            (2 * pause).min(MIN_INTERVAL)
                        }
                    };
                }
            }
            self.has_keys.send_replace(self.keys().is_some());
        }
    }

    async fn fetch(&self, last: &mut Option<Instant>) -> bool {
        let fetched = self.get().await;
        *last = Some(Instant::now());
        let url = self.url.as_str();
        match fetched {
            Ok(keys) => {
                tracing::debug!(url, ?keys, "fetched the keys of an issuer");
                self.fetched.store(Some(Arc::new(Fetched {
                    keys: Arc::new(keys),
                    at: Instant::now(),
                })));
                true
            }
            Err(why) => {
                self.failures.add();
                let age_seconds = self.age().map(|age| age.as_secs());
                let usable = self.keys().is_some();
                tracing::warn!(
                    url,
                    why,
                    age_seconds,
                    usable,
                    "failed to fetch the keys of an issuer"
                );
                false
            }
        }
    }

    /// The cause of a failed fetch, with the proxy that it went through.
    fn through_proxy(&self, cause: String) -> String {
        let url = self.url.as_str().parse().ok();
        match url.and_then(|url| self.settings.proxies.for_url(&url)) {
            Some(proxy) => format!("{cause}, through the proxy {proxy}"),
            None => cause,
        }
    }

    async fn get(&self) -> Result<KeySet, String> {
        let mut request = self
            .client
            .get(self.url.clone())
            .header(header::ACCEPT, "application/json");
        if let Some(path) = &self.settings.token_file {
            request = request.header(header::AUTHORIZATION, bearer(path)?);
        }
        let failed = |error: reqwest::Error| self.through_proxy(root_cause(&error));
        let mut response = request.send().await.map_err(failed)?;
        if response.status() != StatusCode::OK {
            let status = response.status().as_u16();
            return Err(self.through_proxy(format!("the server returned HTTP status {status}, not 200")));
        }
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(failed)? {
            if body.len() + part.len() > MAX_BYTES {
                return Err(format!("the response is larger than {MAX_BYTES} bytes"));
            }
            body.extend_from_slice(&part);
        }
        KeySet::parse(&body).map_err(|what| format!("the response {what}"))
    }
}

/// Whether keys may be fetched from a URL. Keys that come over plain text could be forged,
/// except on loopback.
fn is_allowed(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address: Result<IpAddr, _> = host.trim_matches(['[', ']']).parse();
    let is_loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    let has_password = url.password().is_some() || !url.username().is_empty();
    !host.is_empty() && !has_password && (url.scheme() == "https" || (url.scheme() == "http" && is_loopback))
}

/// Reads the root certificates for the server.
fn roots(path: &Path) -> Result<Vec<Certificate>, RemoteKeysError> {
    let unusable = |why: String| RemoteKeysError::Ca {
        path: path.to_owned(),
        why,
    };
    let pem = files::read(path).map_err(|error| unusable(error.to_string()))?;
    let roots = Certificate::from_pem_bundle(&pem).map_err(|error| unusable(error.to_string()))?;
    match roots.is_empty() {
        true => Err(unusable("it has no certificate (BEGIN CERTIFICATE)".to_owned())),
        false => Ok(roots),
    }
}

/// Reads the bearer token for the server, on each fetch: Kubernetes replaces it regularly.
fn bearer(path: &Path) -> Result<HeaderValue, String> {
    let unusable = |why: String| format!("the token in {} cannot be used: {why}", path.display());
    let token = files::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.trim()))
        .map_err(|_| unusable("it contains characters that a header cannot have".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Returns the root cause of an error, without the URL and the layers above it.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    match error.source() {
        None => error.to_string(),
        Some(_) if error.is_timeout() => "no response within the timeout".to_owned(),
        Some(_) => cause.to_string(),
    }
}
