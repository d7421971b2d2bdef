//! The connection to Redis or Valkey.

use std::{path::PathBuf, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, FromRedisValue, IntoConnectionInfo,
    RedisError, ScriptInvocation, TlsCertificates, aio::MultiplexedConnection,
};
use tokio::{sync::Mutex, time::timeout};

use crate::{files, network};

/// Where the store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// `redis://` or, with TLS, `rediss://` (`limits.shared.url`).
    pub url: String,
    /// The name of the user; `None` is the default user (`limits.shared.username`).
    pub username: Option<String>,
    /// The file of the password (`limits.shared.password_file`).
    pub password_file: Option<PathBuf>,
    /// The root certificates of the store; `None` are those of the system (`limits.shared.ca`).
    pub ca: Option<PathBuf>,
    /// How long a connection, and again an answer, may take (`limits.shared.timeout`).
    pub timeout: Duration,
}

/// What is wrong with the settings of the store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The file of the password cannot be read, or has none.
    #[error("{0}")]
    Password(String),
    /// The file of root certificates cannot be read, or has none.
    #[error("{0}")]
    Ca(String),
    /// No client can be made.
    #[error("{0}")]
    Client(String),
}

/// A store, which is connected when it is needed. A connection that has failed is not used again.
#[derive(Debug)]
pub(super) struct Store {
    client: Client,
    timeout: Duration,
    connected: Mutex<Connected>,
}

#[derive(Debug, Default)]
struct Connected {
    /// The number of connections before this one.
    epoch: u64,
    connection: Option<MultiplexedConnection>,
}

/// A connection that a script is about to use.
struct Used {
    epoch: u64,
    connection: MultiplexedConnection,
    is_new: bool,
}

impl Store {
    /// Opens the files that the settings name.
    pub(super) fn open(settings: &StoreSettings) -> Result<Self, Vec<StoreError>> {
        let password = settings.password_file.as_ref().map(|path| {
            let read = files::read_to_string(path)
                .map_err(|error| StoreError::Password(format!("{}: {error}", path.display())))?;
            match read.trim_end_matches(['\r', '\n']) {
                "" => Err(StoreError::Password(format!("{}: it is empty", path.display()))),
                password => Ok(password.to_owned()),
            }
        });
        let ca = settings
            .ca
            .as_ref()
            .map(|path| network::read_root_certificates(path).map_err(StoreError::Ca));
        let (password, ca) = match (password.transpose(), ca.transpose()) {
            (Ok(password), Ok(ca)) => (password, ca),
            (password, ca) => return Err([password.err(), ca.err()].into_iter().flatten().collect()),
        };
        let client = client(settings, password.as_deref(), ca);
        Ok(Self {
            client: client.map_err(|error| vec![StoreError::Client(error.to_string())])?,
            timeout: settings.timeout,
            connected: Mutex::default(),
        })
    }

    /// Runs a script. With `again`, it may run twice: the store may have closed a connection that was idle.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
        again: bool,
    ) -> Result<T, String> {
        loop {
            let used = timeout(self.timeout, self.connection())
                .await
                .map_err(|_| format!("no connection within {:?}", self.timeout))?
                .map_err(|error| error.to_string())?;
            let mut connection = used.connection;
            let answer = timeout(self.timeout, script.invoke_async(&mut connection)).await;
            let failure = match answer {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => Some(error),
                Err(_) => None,
            };
            let mut connected = self.connected.lock().await;
            if connected.epoch == used.epoch {
                connected.connection = None;
            }
            match failure {
                Some(error) if again && !used.is_new && error.is_connection_dropped() => {}
                Some(error) => return Err(error.to_string()),
                None => return Err(format!("no answer within {:?}", self.timeout)),
            }
        }
    }

    async fn connection(&self) -> Result<Used, RedisError> {
        let mut connected = self.connected.lock().await;
        if let Some(connection) = &connected.connection {
            return Ok(Used {
                epoch: connected.epoch,
                connection: connection.clone(),
                is_new: false,
            });
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout));
        let connection = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        connected.epoch += 1;
        connected.connection = Some(connection.clone());
        Ok(Used {
            epoch: connected.epoch,
            connection,
            is_new: true,
        })
    }
}

fn client(
    settings: &StoreSettings,
    password: Option<&str>,
    ca: Option<Vec<u8>>,
) -> Result<Client, RedisError> {
    let info: ConnectionInfo = settings.url.as_str().into_connection_info()?;
    let mut user = info.redis_settings().clone();
    if let Some(username) = &settings.username {
        user = user.set_username(username);
    }
    if let Some(password) = password {
        user = user.set_password(password);
    }
    let info = info.set_redis_settings(user);
    match ca {
        Some(ca) if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) => {
            let certificates = TlsCertificates {
                client_tls: None,
                root_cert: Some(ca),
            };
            Client::build_with_tls(info, certificates)
        }
        _ => Client::open(info),
    }
}
