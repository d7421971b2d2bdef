//! How the service is set up: anonymous, or with all that a site switches on.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::json;

use crate::{
    participant::{Process, credentials, within},
    target::gateway,
    upstream::ACCOUNTS,
};

/// What nothing but the machine shall limit. The rest are defaults.
const UNLIMITED: &str = r#"
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
region = "us-east-1"
account_id = "123456789012"
max_scheduling_delay = "1h"
max_concurrent_streams = 1000
max_connections = 20000
max_connection_rate = 100000
trusted_proxies = ["127.0.0.1/32"]
"#;

/// How tapegate runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Site {
    /// Plain text; every caller may do everything; the log at info goes to a file.
    Anonymous,
    /// The same without a log.
    Silent,
    /// TLS, tokens signed with ES256, the policies of deploy/, an audit file, the log at info, traces of
    /// 10 % of the calls.
    AllOn,
    /// The same with 500 policies in place of those of deploy/, by which each row of a list is decided.
    Filtered,
    /// As `AllOn`, with a role for each of three accounts.
    ThreeAccounts,
}

/// A running service, and how to call it.
pub(crate) struct Service {
    /// Its process.
    pub(crate) process: Process,
    /// The arguments of `callers`.
    pub(crate) target: Vec<String>,
}

impl Service {
    /// A service that is called in plain text.
    pub(crate) fn of(process: Process) -> Result<Self, String> {
        let target = vec!["--grpc".to_owned(), process.address("grpc")?];
        Ok(Self { process, target })
    }

    /// The façade with nothing but tonic and the SDK. `wrapper` is as in [`Site::start`].
    pub(crate) fn facade(upstream: &str, wrapper: &[String]) -> Result<Self, String> {
        Self::of(Process::role_in(wrapper, &["facade", "--upstream", upstream])?)
    }
}

impl Site {
    /// Starts `program` before this upstream, with its files in a new folder. `wrapper` comes before the
    /// program on the command line.
    pub(crate) fn start(
        self,
        folder: &Path,
        upstream: &str,
        collector: &str,
        wrapper: &[String],
    ) -> Result<Service, String> {
        self.start_for(1, folder, upstream, collector, wrapper)
    }

    /// The same for so many callers, each with a token.
    pub(crate) fn start_for(
        self,
        callers: usize,
        folder: &Path,
        upstream: &str,
        collector: &str,
        wrapper: &[String],
    ) -> Result<Service, String> {
        fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        let path = |name: &str| folder.join(name).display().to_string();
        let write =
            |name: &str, text: &str| fs::write(folder.join(name), text).map_err(|error| error.to_string());
        let mut settings = UNLIMITED.to_owned();
        let mut target = Vec::new();
        if !matches!(self, Self::Anonymous | Self::Silent) {
            let signer = Signer::new()?;
            write("jwks.json", &signer.jwks()?)?;
            let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()])
                .map_err(|error| error.to_string())?;
            write("cert.pem", &certificate.cert.pem())?;
            write("key.pem", &certificate.signing_key.serialize_pem())?;
            let policies = match self {
                Self::Filtered => {
                    write("all.cedar", &many_policies())?;
                    folder.display().to_string()
                }
                _ => policies().display().to_string(),
            };
            settings += &all_on(&path, &policies, collector);
            let tokens = (0..callers).map(|number| signer.token(number));
            write("tokens.txt", &tokens.collect::<Result<Vec<_>, _>>()?.join("\n"))?;
            target = vec![
                "--ca".to_owned(),
                path("cert.pem"),
                "--tokens".to_owned(),
                path("tokens.txt"),
            ];
        } else {
            settings += "allow_anonymous = true\n";
        }
        if self == Self::ThreeAccounts {
            settings.extend(ACCOUNTS.map(|id| {
                format!(
                    "[[account]]\nid = \"{id}\"\nrole = \"arn:aws:iam::{id}:role/tapegate\"\nregions = [\"us-east-1\"]\n"
                )
            }));
        }
        settings += &format!(
            "[upstream]\nendpoint = \"http://{upstream}\"\nsts_endpoint = \"http://{upstream}\"\nmax_connections = 2000\n"
        );
        write("tapegate.toml", &settings)?;
        let mut command = within(wrapper, &program()?);
        let log = fs::File::create(folder.join("log.jsonl")).map_err(|error| error.to_string())?;
        command.args(["serve", "--config", &path("tapegate.toml")]);
        // It is no setting of the service.
        command.env_remove("TAPEGATE_BIN");
        if self == Self::Silent {
            command.arg("--log-filter=off");
        }
        let process = Process::start(credentials(command.stderr(log).stdin(Stdio::null())))?;
        let mut service = Service::of(process)?;
        service.target.append(&mut target);
        Ok(service)
    }
}

/// The settings of [`Site::AllOn`] beyond [`UNLIMITED`].
fn all_on(path: &dyn Fn(&str) -> String, policies: &str, collector: &str) -> String {
    format!(
        r#"
[tls]
cert = "{cert}"
key = "{key}"
[[auth.jwt]]
issuer = "https://issuer.example"
audience = "tapegate"
jwks = "{jwks}"
algorithms = ["ES256"]
groups_claim = "groups"
[policy]
path = "{policies}"
[audit]
file = "{audit}"
[limits]
concurrent_streams = 100000
attempts_in_flight = 100000
[otlp]
endpoint = "{collector}"
sample_percent = 10
"#,
        cert = path("cert.pem"),
        key = path("key.pem"),
        jwks = path("jwks.json"),
        audit = path("audit.jsonl"),
    )
}

/// The program of TAPEGATE_BIN, or `tapegate` beside this one.
pub(crate) fn program() -> Result<PathBuf, String> {
    if let Some(program) = std::env::var_os("TAPEGATE_BIN") {
        return Ok(program.into());
    }
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let program = this.with_file_name("tapegate");
    if program.exists() {
        Ok(program)
    } else {
        Err(format!(
            "{} does not exist: build it with the same profile",
            program.display()
        ))
    }
}

/// The policies that are shipped.
pub(crate) fn policies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/policies")
}

/// 500 policies: the caller may see the tapes of a gateway, and of others by their pool and status. Most of them
/// are about other sites.
fn many_policies() -> String {
    const COUNT: u32 = 500;
    let own = format!(
        r#"
permit (principal in TapeGate::Group::"tape-operators", action == TapeGate::Action::"CreateTapes", resource);
permit (principal, action in [TapeGate::Action::"ListTapes", TapeGate::Action::"DescribeTapes"], resource);
permit (principal in TapeGate::Group::"tape-operators", action == TapeGate::Action::"ReadTape", resource)
when {{ resource in TapeGate::Gateway::"{}" || (resource.status != "DELETED" && resource.pool == "GLACIER") }};
"#,
        super::GATEWAY
    );
    let of_others = (3..COUNT).map(|number| {
        let (action, is_in) = match number % 2 {
            0 => ("ReadTape", "in"),
            _ => ("CreateTapes", "=="),
        };
        format!(
            "permit (principal in TapeGate::Group::\"site-{number}\", action == TapeGate::Action::\"{action}\", \
             resource {is_in} TapeGate::Gateway::\"{}\");\n",
            gateway(number.into())
        )
    });
    own + &of_others.collect::<String>()
}

/// An issuer of tokens.
struct Signer(EncodingKey);

impl Signer {
    fn new() -> Result<Self, String> {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| error.to_string())?;
        Ok(Self(EncodingKey::from_ec_der(&pair.serialize_der())))
    }

    fn jwks(&self) -> Result<String, String> {
        let mut key = Jwk::from_encoding_key(&self.0, Algorithm::ES256).map_err(|error| error.to_string())?;
        key.common.key_id = Some("bench".to_owned());
        Ok(json!({ "keys": [key] }).to_string())
    }

    /// A token of the operator of this number, for an hour.
    fn token(&self, number: usize) -> Result<String, String> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO)
            .as_secs();
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some("bench".to_owned());
        let claims = json!({
            "iss": "https://issuer.example",
            "aud": "tapegate",
            "sub": format!("bench-{number}"),
            "iat": now,
            "exp": now + 3600,
            "groups": ["tape-operators"],
        });
        encode(&header, &claims, &self.0).map_err(|error| error.to_string())
    }
}
