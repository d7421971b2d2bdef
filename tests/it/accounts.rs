//! Several AWS accounts, each with a role, before an emulator that holds them: which account a call
//! reaches, and whose role signs it.

mod callers;
mod refused;
mod routing;
mod wrong_account;

use std::{fs, net::SocketAddr, path::Path};

use tapegate::grpc::proto::{ListTapesRequest, tape_service_client::TapeServiceClient};
use tapegate_emulator::{Account, Credentials, Emulator, Role, Settings};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tonic::transport::Channel;

use crate::harness::Program;

const MAIN: &str = "123456789012";
const BACKUP: &str = "210987654321";
const CHINA: &str = "333333333333";

/// The accounts of the service, each with credentials of its own to assume its role.
const ACCOUNTS: &str = r#"
region = "us-east-1"
account_id = "123456789012"

[[account]]
id = "123456789012"
alias = "main"
role = "arn:aws:iam::123456789012:role/tapegate"
regions = ["us-east-1", "eu-west-1"]

[[account]]
id = "210987654321"
alias = "backup"
role = "arn:aws:iam::210987654321:role/tapegate"
external_id = "site-7"
profile = "backup"
regions = ["us-east-1"]

[[account]]
id = "333333333333"
alias = "china"
role = "arn:aws-cn:iam::333333333333:role/tapegate"
profile = "china"
regions = ["cn-north-1"]
"#;

/// The profiles of [`ACCOUNTS`], with the account that each belongs to.
const PROFILES: [(&str, &str, &str); 3] = [
    ("default", "AKIDMAIN", MAIN),
    ("backup", "AKIDBACKUP", BACKUP),
    ("china", "AKIDCHINA", CHINA),
];

/// An emulator with three accounts in two partitions, and the files of a service before it.
struct World {
    emulator: Emulator,
    address: SocketAddr,
    home: TempDir,
}

impl World {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    /// A world with these roles; with none, every role can be assumed.
    async fn with(roles: &[Role]) -> Self {
        let credentials = PROFILES.map(|(_, key, account)| Credentials {
            access_key_id: key.to_owned(),
            secret_access_key: "secret-of-the-tests".to_owned().into(),
            session_token: None,
            account_id: Some(account.to_owned()),
        });
        let china = Account {
            region: "cn-north-1".to_owned(),
            ..Account::new(CHINA)
        };
        let emulator = Emulator::new(Settings {
            seed_tapes: 5,
            accounts: vec![Account::new(BACKUP), china],
            credentials: credentials.into(),
            roles: roles.to_vec(),
            ..Settings::default()
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = emulator.clone();
        tokio::spawn(async move { served.serve(listener, std::future::pending()).await });
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(".aws")).unwrap();
        let profiles = PROFILES.map(|(profile, key, _)| {
            format!("[{profile}]\naws_access_key_id = {key}\naws_secret_access_key = secret-of-the-tests\n")
        });
        fs::write(home.path().join(".aws/credentials"), profiles.concat()).unwrap();
        Self {
            emulator,
            address,
            home,
        }
    }

    /// A service with these settings, beside those of the endpoints.
    fn serve(&self, config: &str, arguments: &[&str]) -> Program {
        self.serve_with_sts(&format!("http://{}", self.address), config, arguments)
    }

    /// The same, with this STS.
    fn serve_with_sts(&self, sts: &str, config: &str, arguments: &[&str]) -> Program {
        let file = self.home.path().join("tapegate.toml");
        fs::write(&file, config).unwrap();
        let file = format!("--config={}", file.display());
        let endpoint = format!("--upstream-endpoint=http://{}", self.address);
        let sts = format!("--upstream-sts-endpoint={sts}");
        let ours = ["serve", &file, &endpoint, &sts];
        let home = self.home.path().display().to_string();
        let variables = [("HOME", home.as_str()), ("AWS_EC2_METADATA_DISABLED", "true")];
        Program::start(&[&ours, arguments].concat(), variables)
    }

    /// The calls of Storage Gateway so far: account, region, role, session and outcome.
    fn signed(&self) -> Vec<[String; 5]> {
        let calls = self.emulator.calls().into_iter();
        let calls = calls.filter(|call| call.service == "storagegateway");
        let text = |text: Option<String>| text.unwrap_or_default();
        calls
            .map(|call| {
                [
                    call.account,
                    call.region,
                    text(call.role_arn),
                    text(call.session_name),
                    call.outcome,
                ]
            })
            .collect()
    }
}

async fn connect(program: &Program) -> TapeServiceClient<Channel> {
    TapeServiceClient::connect(program.grpc.clone()).await.unwrap()
}

/// The ARNs of the tapes of a region and account.
async fn list(
    client: &mut TapeServiceClient<Channel>,
    account: &str,
    region: &str,
) -> Result<Vec<String>, tonic::Status> {
    let request = ListTapesRequest {
        account_id: Some(account.to_owned()),
        region: Some(region.to_owned()),
        ..Default::default()
    };
    let mut pages = client.list_tapes(request).await?.into_inner();
    let mut arns = Vec::new();
    while let Some(page) = pages.message().await? {
        arns.extend(page.tape_infos.into_iter().map(|tape| tape.tape_arn));
    }
    Ok(arns)
}

fn role(account: &str) -> String {
    let partition = if account == CHINA { "aws-cn" } else { "aws" };
    format!("arn:{partition}:iam::{account}:role/tapegate")
}

fn gateway(account: &str) -> String {
    match account {
        CHINA => format!("arn:aws-cn:storagegateway:cn-north-1:{account}:gateway/sgw-12A3456B"),
        _ => format!("arn:aws:storagegateway:us-east-1:{account}:gateway/sgw-12A3456B"),
    }
}

/// Rewrites the keys of all profiles.
fn write_keys(home: &Path, keys: &str) {
    fs::write(home.join("new"), keys).unwrap();
    fs::rename(home.join("new"), home.join(".aws/credentials")).unwrap();
}
