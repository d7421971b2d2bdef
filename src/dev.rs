//! `tapegate dev`: the service in front of an emulator, in one process.

use std::{collections::BTreeSet, error::Error, fmt::Write, io};

use clap::{ArgMatches, Command};
use secrecy::ExposeSecret;
use tapegate::app::{
    App, Credentials as Signer, cli,
    commands::Checked,
    settings::{Config, Variables},
    shutdown,
};
use tapegate_emulator::{Config as EmulatorConfig, Credentials, Flags, Server};
use tokio_util::sync::CancellationToken;

/// The credentials that the service signs with where none are configured. They are no secret.
const CREDENTIALS: (&str, &str) = ("TAPEGATEDEV", "tapegate-dev-only-not-a-secret");

/// The settings of `tapegate dev`.
#[derive(Debug)]
pub(crate) struct Dev {
    service: Checked,
    emulator: EmulatorConfig,
    /// What the service signs with. The emulator accepts it, with those of its credentials file.
    credentials: Credentials,
}

/// The command: the flags of the service and of the emulator.
pub(crate) fn command() -> Command {
    cli::dev_command().args(Flags::EMBEDDED.arguments())
}

impl Dev {
    /// The settings by these arguments and variables.
    ///
    /// # Errors
    /// Everything wrong with them, a line each, in the order service, emulator.
    pub(crate) fn read(matches: &ArgMatches, variables: &Variables) -> Result<Self, String> {
        let service = cli::dev(matches, variables);
        let config = service.as_ref().ok().map(|service| &service.config);
        let emulator = Flags::EMBEDDED.read(matches, variables, |emulator| check(emulator, config));
        match (service, emulator) {
            (Ok(service), Ok(emulator)) => Ok(Self::new(service, emulator)),
            (service, emulator) => {
                let of_service = service.err().map(|faults| faults.to_string());
                let of_emulator = emulator.err().map(|faults| faults.to_string());
                Err(of_service.into_iter().chain(of_emulator).collect())
            }
        }
    }

    /// The settings of the service.
    pub(crate) fn config(&self) -> &Config {
        &self.service.config
    }

    fn new(service: Checked, mut emulator: EmulatorConfig) -> Self {
        let credentials = emulator.pair.clone().unwrap_or_else(|| {
            let pair = Credentials {
                access_key_id: CREDENTIALS.0.to_owned(),
                secret_access_key: CREDENTIALS.1.into(),
                session_token: None,
                account_id: None,
            };
            emulator.settings.credentials.insert(0, pair.clone());
            pair
        });
        Self {
            service,
            emulator,
            credentials,
        }
    }
}

/// What is wrong with an emulator beside this service: the key and the message.
fn check(emulator: &EmulatorConfig, service: Option<&Config>) -> Vec<(&'static str, String)> {
    let mut wrong = Vec::new();
    let listen = emulator.listen;
    if !listen.ip().is_loopback() {
        let port = listen.port();
        let message = format!(
            "{listen} is not a loopback address, but tapegate dev listens on this machine only; use 127.0.0.1:{port} or [::1]:{port}"
        );
        wrong.push(("listen", message));
    }
    let taken = |config: &Config| {
        [
            ("admin_listen", config.server.admin_listen),
            ("listen", config.server.listen),
        ]
    };
    let taken = service.map(taken).into_iter().flatten();
    for (key, _) in taken.filter(|(_, address)| *address == listen && listen.port() != 0) {
        let message = format!("{listen} is also the address of the service's {key}; choose another port");
        wrong.push(("listen", message));
    }
    if let Some(service) = service {
        wrong.extend(foreign_accounts(emulator, service).map(|message| ("account_id", message)));
    }
    let mut ids = emulator.settings.credentials.iter().map(|one| &one.access_key_id);
    if emulator.pair.is_none() && ids.any(|id| id == CREDENTIALS.0) {
        let message = format!(
            "the access key id {} is the one that tapegate dev signs with",
            CREDENTIALS.0
        );
        wrong.push(("credentials", message));
    }
    wrong
}

/// The accounts of the service that are not those of the emulator, where every call to them would fail.
fn foreign_accounts(emulator: &EmulatorConfig, service: &Config) -> impl Iterator<Item = String> {
    let Config { rules, sdk, .. } = service;
    let (own, has_roles) = (&emulator.settings.account_id, !sdk.accounts.is_empty());
    // Without roles, the service calls the account of its credentials, which is the emulator's own.
    let is_foreign =
        |id: &str| id != own && !(has_roles && emulator.settings.accounts.iter().any(|one| one.id == id));
    let served: BTreeSet<_> = rules.accounts.keys().chain(&rules.account_id).collect();
    let foreign = served.into_iter().filter(|id| is_foreign(id.as_str()));
    let advice = match has_roles {
        true => "add an [[account]] for it to the file for --emulator-config",
        false => "set account_id and --emulator-account-id to the same account",
    };
    let messages: Vec<_> = foreign
        .map(|id| format!("the emulator has {own}, but the service serves account {id}; {advice}"))
        .collect();
    messages.into_iter()
}

/// Runs both until the process is told to stop. The emulator stops last, since the last calls of the
/// service go to it. `announce` is given the addresses and the other first lines on stdout.
pub(crate) async fn run(dev: Dev, announce: impl FnOnce(&str)) -> Result<(), Box<dyn Error>> {
    let Dev {
        mut service,
        emulator,
        credentials,
    } = dev;
    let account = emulator.settings.account_id.clone();
    let grpcurl_flags = grpcurl_flags(&service.config);
    let emulator = Server::bind(emulator).await?;
    let address = emulator.address();
    let endpoint = format!("http://{address}");
    service.config.sdk.sts_endpoint = Some(endpoint.clone());
    service.config.sdk.endpoint = Some(endpoint);
    let signer = Signer::builder()
        .access_key_id(credentials.access_key_id)
        .secret_access_key(credentials.secret_access_key.expose_secret())
        .account_id(account)
        .provider_name("tapegate dev")
        .build();
    let app = App::serve(service, Some(signer)).await?;
    let shutdown = shutdown::requested()?;

    let addresses = app.addresses();
    let mut lines = format!("{addresses} emulator={address}\n");
    writeln!(
        lines,
        "try: grpcurl {}-d '{{\"max_items\": 3}}' {} tapegate.v1.TapeService/ListTapes",
        grpcurl_flags, addresses.grpc
    )?;
    lines.extend(emulator.state_file().map(|file| format!("{file}\n")));
    announce(&lines);

    let service_ended = CancellationToken::new();
    let emulator = tokio::spawn(emulator.run(service_ended.clone().cancelled_owned()));
    let served = app.run(shutdown).await;
    service_ended.cancel();
    let emulated = emulator.await.map_err(io::Error::other)?;
    served?;
    Ok(emulated?)
}

/// The flags with which grpcurl can call the service, each followed by a space. What only the caller has is
/// named in capitals.
fn grpcurl_flags(config: &Config) -> String {
    let mut flags = match &config.tls {
        None => "-plaintext ".to_owned(),
        Some(tls) => format!("-cacert {} ", tls.cert.display()),
    };
    let identities = &config.identities;
    if config.server.allow_anonymous {
        return flags;
    }
    if identities.tokens.is_some() || !identities.issuers.is_empty() {
        flags.push_str("-H \"authorization: Bearer $TOKEN\" ");
    } else if identities.certificates.is_some() {
        flags.push_str("-cert CERTIFICATE -key KEY ");
    }
    flags
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::fs;

    use super::*;

    fn read(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Dev, String> {
        let matches = command().get_matches_from(["dev"].iter().chain(arguments));
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        Dev::read(&matches, &variables.collect())
    }

    fn faults(arguments: &[&str], variables: &[(&str, &str)]) -> Vec<String> {
        let faults = read(arguments, variables).unwrap_err();
        faults.lines().map(str::to_owned).collect()
    }

    fn ids(dev: &Dev) -> Vec<&str> {
        let all = &dev.emulator.settings.credentials;
        all.iter().map(|one| one.access_key_id.as_str()).collect()
    }

    #[test]
    fn it_signs_with_a_pair_of_its_own_unless_one_is_configured() {
        let dev = read(&[], &[]).unwrap();
        assert_eq!(dev.credentials.access_key_id, CREDENTIALS.0);
        assert_eq!(dev.credentials.secret_access_key.expose_secret(), CREDENTIALS.1);
        assert_eq!(ids(&dev), [CREDENTIALS.0]);

        let pair = [
            ("TAPEGATE_EMULATOR_ACCESS_KEY_ID", "AKID"),
            ("TAPEGATE_EMULATOR_SECRET_ACCESS_KEY", "hush-hush"),
        ];
        let dev = read(&["--region=eu-west-1", "--emulator-listen=127.0.0.1:0"], &pair).unwrap();
        assert_eq!(dev.config().rules.region.as_str(), "eu-west-1");
        assert_eq!(dev.emulator.listen.port(), 0);
        assert_eq!(dev.credentials.access_key_id, "AKID");
        assert_eq!(ids(&dev), ["AKID"]);
        assert!(!format!("{dev:?}").contains("hush-hush"));
    }

    #[test]
    fn the_emulator_accepts_the_credentials_of_a_file_too() {
        let directory = tempfile::tempdir().unwrap();
        let with_file = |text: &str| {
            let path = directory.path().join("credentials");
            fs::write(&path, text).unwrap();
            format!("--emulator-credentials={}", path.display())
        };
        let profile = "[one]\naws_access_key_id = AKIDONE\naws_secret_access_key = one\n";
        let dev = read(&[&with_file(profile)], &[]).unwrap();
        assert_eq!(ids(&dev), [CREDENTIALS.0, "AKIDONE"]);
        assert_eq!(dev.credentials.access_key_id, CREDENTIALS.0);

        let faults = faults(&[&with_file(&profile.replace("AKIDONE", CREDENTIALS.0))], &[]);
        assert!(
            faults[0].ends_with("the access key id TAPEGATEDEV is the one that tapegate dev signs with"),
            "{faults:?}"
        );
    }

    #[test]
    fn everything_wrong_with_either_half_is_reported_at_once() {
        let faults = faults(
            &[
                "--listen=0.0.0.0:1",
                "--admin-listen=[::]:2",
                "--allow-anonymous=false",
                "--emulator-faults=/nowhere/faults.json",
            ],
            &[
                ("TAPEGATE_EMULATOR_LISTEN", "192.0.2.1:3"),
                ("TAPEGATE_EMULATOR_ACCESS_KEY_ID", "AKID"),
            ],
        );
        let wanted = [
            ("--admin-listen: [::]:2 is not a loopback address", "127.0.0.1:2"),
            ("--listen: 0.0.0.0:1 is not a loopback address", "127.0.0.1:1"),
            ("auth.jwt: is not set, and neither is", "--allow-anonymous"),
            ("policy.path: is not set", "--allow-anonymous"),
            (
                "TAPEGATE_EMULATOR_LISTEN: 192.0.2.1:3 is not a loopback address",
                "127.0.0.1:3",
            ),
            ("--emulator-faults: cannot read ", "/nowhere/faults.json"),
            ("secret_access_key: is not set", "both or neither"),
        ];
        assert_eq!(faults.len(), wanted.len(), "{faults:#?}");
        for (fault, (start, part)) in faults.iter().zip(wanted) {
            assert!(fault.starts_with(start) && fault.contains(part), "{faults:#?}");
        }
    }

    #[test]
    fn no_listener_has_the_address_of_another() {
        let faults = faults(
            &[
                "--admin-listen=127.0.0.1:50052",
                "--emulator-listen=127.0.0.1:50052",
            ],
            &[],
        );
        assert_eq!(
            faults,
            [
                "--emulator-listen: 127.0.0.1:50052 is also the address of the service's admin_listen; choose another port"
            ]
        );
        let faults = self::faults(&["--emulator-listen=127.0.0.1:50051"], &[]);
        assert_eq!(
            faults,
            [
                "--emulator-listen: 127.0.0.1:50051 is also the address of the service's listen; choose another port"
            ]
        );
    }

    #[test]
    fn the_account_of_the_service_is_that_of_the_emulator() {
        let other = "--account-id=210987654321";
        let both = "--emulator-account-id=210987654321";
        for (arguments, given) in [
            (&[other][..], "account_id: "),
            (&[both], "--emulator-account-id: "),
            (
                &[other, "--emulator-account-id=333333333333"],
                "--emulator-account-id: ",
            ),
        ] {
            let faults = faults(arguments, &[]);
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(
                faults[0].starts_with(given) && faults[0].contains("the service serves account "),
                "{faults:?}"
            );
        }
        read(&[other, both], &[]).unwrap();
    }

    #[test]
    fn help_names_the_flags_of_both() {
        let help = command().render_help().to_string();
        for flag in ["--pace-floor", "--emulator-listen", "--emulator-config"] {
            assert!(help.contains(flag), "no {flag} in\n{help}");
        }
        assert!(!help.contains("--emulator-token-scope"));
    }
}
