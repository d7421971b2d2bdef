//! Keys at a URL, kept for a while.

use std::{error::Error as _, fs, net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use http::{HeaderValue, StatusCode, header};
use reqwest::{Certificate, Client, Url, redirect::Policy};
use tokio::{
    sync::{Mutex, watch},
    time::{Instant, sleep, sleep_until},
};

use super::Keys;
use crate::observability::metrics::Count;

/// How keys are fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteSettings {
    /// How old they may become before they are fetched anew.
    pub refresh: Duration,
    /// How much older, while they cannot be.
    pub max_stale: Duration,
    /// How long one fetch may take.
    pub timeout: Duration,
    /// The certificates that the server's is held against, in the place of the system's.
    pub ca: Option<PathBuf>,
    /// A file with a bearer token for the server.
    pub token_file: Option<PathBuf>,
}

/// The keys of an issuer at a URL.
#[derive(Debug)]
pub struct Remote {
    url: Url,
    settings: RemoteSettings,
    client: Client,
    fetched: ArcSwapOption<Fetched>,
    /// Held while keys are fetched, so that there is one fetch at a time.
    fetching: Mutex<LastFetch>,
    has_keys: watch::Sender<bool>,
    failures: Count,
}

#[derive(Debug)]
struct Fetched {
    keys: Arc<Keys>,
    at: Instant,
}

#[derive(Debug, Default)]
struct LastFetch(Option<Instant>);

/// Why keys cannot be fetched from a URL by these settings.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It is no URL that keys may come from.
    #[error("is not an https URL (http is for loopback alone)")]
    Url,
    /// The file of certificates cannot be used.
    #[error("the certificates in {path} cannot be used: {why}")]
    Ca {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The client could not be made.
    #[error("no client can be made: {0}")]
    Client(reqwest::Error),
}

/// The least time between two fetches: a caller who makes up key ids must not make a storm.
const LEAST_PAUSE: Duration = Duration::from_secs(10);

/// The largest set of keys that is read, in bytes.
const MAX_BYTES: usize = 1024 * 1024;

impl Remote {
    /// Keys at this URL, not fetched yet.
    ///
    /// # Errors
    ///
    /// [`Unusable`].
    pub fn new(url: &str, settings: RemoteSettings) -> Result<Self, Unusable> {
        let url = Url::parse(url).ok().filter(is_acceptable).ok_or(Unusable::Url)?;
        let client = Client::builder()
            // A redirect could lead to anywhere, and a server of keys has no need of one.
            .redirect(Policy::none())
            .timeout(settings.timeout)
            .user_agent(concat!("tapegate/", env!("CARGO_PKG_VERSION")));
        let client = match &settings.ca {
            None => client,
            Some(path) => {
                let unusable = |why: String| Unusable::Ca {
                    path: path.clone(),
                    why,
                };
                let pem = fs::read(path).map_err(|error| unusable(error.to_string()))?;
                let trusted =
                    Certificate::from_pem_bundle(&pem).map_err(|error| unusable(error.to_string()))?;
                if trusted.is_empty() {
                    return Err(unusable("there are none".to_owned()));
                }
                client.tls_certs_only(trusted)
            }
        };
        Ok(Self {
            url,
            settings,
            client: client.build().map_err(Unusable::Client)?,
            fetched: ArcSwapOption::empty(),
            fetching: Mutex::default(),
            has_keys: watch::Sender::new(false),
            failures: Count::default(),
        })
    }

    /// The keys, unless there are none or they are too old to be believed.
    pub fn keys(&self) -> Option<Arc<Keys>> {
        let RemoteSettings {
            refresh, max_stale, ..
        } = self.settings;
        let fetched = self.fetched.load();
        let fetched = fetched.as_ref()?;
        (fetched.at.elapsed() <= refresh + max_stale).then(|| fetched.keys.clone())
    }

    /// Tells whether there are keys.
    pub fn watch(&self) -> watch::Receiver<bool> {
        self.has_keys.subscribe()
    }

    /// How often a fetch has failed.
    pub fn failures(&self) -> u64 {
        self.failures.get()
    }

    /// Keys newer than these, fetched now if need be; `None` where there are none.
    pub(super) async fn newer_than(&self, known: &Arc<Keys>) -> Option<Arc<Keys>> {
        let newer = || self.keys().filter(|keys| !Arc::ptr_eq(keys, known));
        let mut last = self.fetching.lock().await;
        if newer().is_none() && last.0.is_none_or(|at| at.elapsed() >= LEAST_PAUSE) {
            self.fetch(&mut last).await;
        }
        newer()
    }

    /// Fetches the keys, and again whenever they have become too old, for as long as it is
    /// polled.
    pub async fn keep(&self) {
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
                    let mut last = self.fetching.lock().await;
                    let fetched = self.fetch(&mut last).await;
                    drop(last);
                    pause = match fetched {
                        true => Duration::from_secs(1),
                        false => {
                            sleep(pause).await;
                            (2 * pause).min(LEAST_PAUSE)
                        }
                    };
                }
            }
            self.has_keys.send_replace(self.keys().is_some());
        }
    }

    async fn fetch(&self, last: &mut LastFetch) -> bool {
        let fetched = self.get().await;
        last.0 = Some(Instant::now());
        let url = self.url.as_str();
        match fetched {
            Ok(keys) => {
                tracing::debug!(url, ?keys, "the keys of an issuer were fetched");
                self.fetched.store(Some(Arc::new(Fetched {
                    keys: Arc::new(keys),
                    at: Instant::now(),
                })));
                true
            }
            Err(why) => {
                self.failures.add();
                let age = self.fetched.load().as_ref().map(|fetched| fetched.at.elapsed());
                let usable = self.keys().is_some();
                tracing::warn!(url, why, ?age, usable, "the keys of an issuer cannot be fetched");
                false
            }
        }
    }

    async fn get(&self) -> Result<Keys, String> {
        let mut request = self
            .client
            .get(self.url.clone())
            .header(header::ACCEPT, "application/json");
        if let Some(path) = &self.settings.token_file {
            request = request.header(header::AUTHORIZATION, bearer(path)?);
        }
        let mut response = request.send().await.map_err(|error| innermost(&error))?;
        if response.status() != StatusCode::OK {
            return Err(format!("the server answered HTTP {}", response.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| innermost(&error))? {
            if body.len() + part.len() > MAX_BYTES {
                return Err(format!("the answer is larger than {MAX_BYTES} bytes"));
            }
            body.extend_from_slice(&part);
        }
        Keys::parse(&body).map_err(|what| format!("the answer {what}"))
    }
}

/// Keys that came by plain text could be anybody's; on loopback nobody is in between.
fn is_acceptable(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address: Result<IpAddr, _> = host.trim_matches(['[', ']']).parse();
    let is_loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    let has_password = url.password().is_some() || !url.username().is_empty();
    !host.is_empty() && !has_password && (url.scheme() == "https" || (url.scheme() == "http" && is_loopback))
}

/// The token is read each time: Kubernetes writes a new one every hour.
fn bearer(path: &PathBuf) -> Result<HeaderValue, String> {
    let unusable = |why: String| format!("the token in {} cannot be used: {why}", path.display());
    let token = fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.trim()))
        .map_err(|_| unusable("it is no header value".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// What an error comes down to.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    match error.source() {
        None => error.to_string(),
        Some(_) if error.is_timeout() => "no answer in time".to_owned(),
        Some(_) => cause.to_string(),
    }
}
