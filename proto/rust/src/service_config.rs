use std::{collections::HashMap, sync::Arc, time::Duration};

use serde::Deserialize;
use tonic::Code;

/// What the service publishes: `docs/service_config.json`.
const PUBLISHED: &str = include_str!("../service_config.json");

/// The part of a service config of gRPC (gRFC A6, A21) that [`Retry`](super::Retry) acts by.
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    /// By service and method, `tapegate.v1.TapeService/ListTapes`; by service alone, `tapegate.v1.TapeService`; or for
    /// all services, with an empty name.
    methods: HashMap<String, Arc<MethodConfig>>,
    pub(crate) throttling: Option<Throttling>,
}

/// A service config that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the service config is not valid: {0}")]
pub struct InvalidServiceConfig(#[from] serde_json::Error);

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MethodConfig {
    #[serde(default)]
    name: Vec<Name>,
    #[serde(default)]
    pub(crate) wait_for_ready: bool,
    #[serde(default, deserialize_with = "seconds")]
    pub(crate) timeout: Option<Duration>,
    pub(crate) retry_policy: Option<RetryPolicy>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RetryPolicy {
    pub(crate) max_attempts: u32,
    #[serde(deserialize_with = "some_seconds")]
    pub(crate) initial_backoff: Duration,
    #[serde(deserialize_with = "some_seconds")]
    pub(crate) max_backoff: Duration,
    pub(crate) backoff_multiplier: f64,
    #[serde(deserialize_with = "codes")]
    pub(crate) retryable_status_codes: Vec<Code>,
}

/// The bucket of tokens of a server: an attempt that fails takes one, a call that succeeds adds a part.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Throttling {
    pub(crate) max_tokens: f64,
    pub(crate) token_ratio: f64,
}

#[derive(Clone, Debug, Deserialize)]
struct Name {
    #[serde(default)]
    service: String,
    #[serde(default)]
    method: String,
}

impl Default for ServiceConfig {
    fn default() -> Self {
        #[allow(clippy::expect_used, reason = "the tests read it")]
        Self::parse(PUBLISHED).expect("the published service config")
    }
}

impl ServiceConfig {
    /// Reads a service config in JSON, for one that differs from what is published.
    ///
    /// # Errors
    ///
    /// [`InvalidServiceConfig`]
    pub fn parse(json: &str) -> Result<Self, InvalidServiceConfig> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct File {
            #[serde(default)]
            method_config: Vec<MethodConfig>,
            retry_throttling: Option<Throttling>,
        }
        let File {
            method_config,
            retry_throttling,
        } = serde_json::from_str(json)?;
        let mut methods = HashMap::new();
        for config in method_config.into_iter().map(Arc::new) {
            for Name { service, method } in &config.name {
                let key = match method.as_str() {
                    "" => service.clone(),
                    method => format!("{service}/{method}"),
                };
                methods.insert(key, config.clone());
            }
        }
        Ok(Self {
            methods,
            throttling: retry_throttling,
        })
    }

    /// The configuration of a method by the path of its requests, `/tapegate.v1.TapeService/ListTapes`.
    pub(crate) fn of(&self, path: &str) -> Option<&Arc<MethodConfig>> {
        let name = path.strip_prefix('/')?;
        let (service, _) = name.split_once('/')?;
        [name, service, ""]
            .into_iter()
            .find_map(|name| self.methods.get(name))
    }
}

/// A duration as protobuf writes it in JSON: `0.2s`.
fn some_seconds<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let seconds = text.strip_suffix('s').and_then(|number| number.parse().ok());
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not a duration such as \"0.2s\"")))
}

fn seconds<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    some_seconds(deserializer).map(Some)
}

/// Status codes, as names or as numbers.
fn codes<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Code>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(i32),
        Name(String),
    }
    let written = Vec::<Written>::deserialize(deserializer)?;
    let read = |written| {
        let found = match &written {
            Written::Number(number) => all_codes().find(|code| *code as i32 == *number),
            Written::Name(name) => {
                let name = name.replace('_', "");
                all_codes().find(|code| format!("{code:?}").eq_ignore_ascii_case(&name))
            }
        };
        found.ok_or_else(|| match written {
            Written::Number(number) => format!("{number} is not a status code"),
            Written::Name(name) => format!("{name:?} is not a status code, such as \"UNAVAILABLE\" or 14"),
        })
    };
    let codes: Result<_, String> = written.into_iter().map(read).collect();
    codes.map_err(serde::de::Error::custom)
}

fn all_codes() -> impl Iterator<Item = Code> {
    (0..=16).map(Code::from_i32)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_published_config_has_each_method() {
        let config = ServiceConfig::default();
        for method in [
            "CreateTapes",
            "CreateTapeWithBarcode",
            "DescribeTapes",
            "DescribeTapeArchives",
            "ListTapes",
        ] {
            let config = config.of(&format!("/tapegate.v1.TapeService/{method}")).unwrap();
            assert!(config.wait_for_ready, "{method}");
            assert_eq!(config.retry_policy.as_ref().unwrap().max_attempts, 3, "{method}");
        }
        assert!(config.of("/grpc.health.v1.Health/Check").is_none());
        assert!(config.throttling.is_some());
    }

    #[test]
    fn a_config_can_be_for_all_services_and_have_numbers_for_codes() {
        let policy = r#"{"maxAttempts": 2, "initialBackoff": "1s", "maxBackoff": "1s", "backoffMultiplier": 1,
                         "retryableStatusCodes": ["UNAVAILABLE", "deadline_exceeded", 1]}"#;
        let config = format!(r#"{{"methodConfig": [{{"name": [{{}}], "retryPolicy": {policy}}}]}}"#);
        let config = ServiceConfig::parse(&config).unwrap();
        let policy = config
            .of("/grpc.health.v1.Health/Check")
            .unwrap()
            .retry_policy
            .as_ref();
        let codes = [Code::Unavailable, Code::DeadlineExceeded, Code::Cancelled];
        assert_eq!(policy.unwrap().retryable_status_codes, codes);
    }

    #[test]
    fn what_is_wrong_with_a_config_is_told() {
        let config = r#"{"methodConfig": [{"name": [{"service": "a"}], "timeout": "soon"}]}"#;
        let error = ServiceConfig::parse(config).unwrap_err().to_string();
        assert!(error.contains("\"soon\" is not a duration"), "{error}");
        for code in ["\"UNAVAILABEL\"", "17", "-1"] {
            let policy = format!(
                r#"{{"maxAttempts": 2, "initialBackoff": "1s", "maxBackoff": "1s", "backoffMultiplier": 1,
                     "retryableStatusCodes": [{code}]}}"#
            );
            let config = format!(r#"{{"methodConfig": [{{"name": [{{}}], "retryPolicy": {policy}}}]}}"#);
            let error = ServiceConfig::parse(&config).unwrap_err().to_string();
            assert!(error.contains(&format!("{code} is not a status code")), "{error}");
        }
    }
}
