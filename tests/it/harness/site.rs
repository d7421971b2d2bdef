use std::{fs, path::PathBuf};

use http::{HeaderMap, header::AUTHORIZATION};
use jiff::Timestamp;
use jsonwebtoken::Algorithm;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tapegate::{
    access::identity::static_tokens::NewToken, grpc::proto::tape_service_client::TapeServiceClient,
};
use tempfile::TempDir;
use tonic::{
    Request, Status, metadata::MetadataMap, service::interceptor::InterceptedService, transport::Channel,
};

use super::{
    Ca, Certified, Service, Signer, Upstream, certificates::client_config, in_seconds, jwks, secrets,
    tls_channel,
};

/// The issuer of a site's tokens.
pub const ISSUER: &str = "https://issuer.example";

/// The name of the service to it.
pub const AUDIENCE: &str = "tapegate";

/// A place where the service runs closed: its certificates, its issuer, its file of tokens, its
/// policies, in a folder of its own.
pub struct Site {
    folder: TempDir,
    pub ca: Ca,
    pub es256: Signer,
    pub rs256: Signer,
}

/// A client that sends this metadata with every call.
pub type Client = TapeServiceClient<InterceptedService<Channel, With>>;

/// Puts metadata into calls.
#[derive(Clone)]
pub struct With(pub HeaderMap);

impl tonic::service::Interceptor for With {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let mut headers = request.metadata().clone().into_headers();
        for (name, value) in &self.0 {
            headers.append(name, value.clone());
        }
        *request.metadata_mut() = MetadataMap::from_headers(headers);
        Ok(request)
    }
}

impl Site {
    /// A site where members of the group `operators` may do everything, and nobody else
    /// anything.
    pub fn new() -> Self {
        let site = Self {
            folder: tempfile::tempdir().unwrap(),
            ca: Ca::new("the site's authority"),
            es256: Signer::new("first", Algorithm::ES256),
            rs256: Signer::new("second", Algorithm::RS256),
        };
        let server = site.ca.server();
        secrets::plant(key_of(&server.key));
        site.write("server.pem", &server.cert);
        site.write("server.key", &server.key);
        site.write("clients.pem", &site.ca.pem());
        site.write("jwks.json", &jwks(&[&site.es256, &site.rs256]));
        site.write("tokens.toml", "");
        fs::create_dir(site.path("policies")).unwrap();
        site.policies(
            r#"@id("operators-do-everything")
            permit (principal in TapeGate::Group::"operators", action, resource);"#,
        );
        site
    }

    /// A file of the site.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces a file as a whole, as Kubernetes and editors do.
    pub fn write(&self, name: &str, text: &str) {
        let new = self.path(&format!("{name}.written"));
        fs::write(&new, text).unwrap();
        fs::rename(new, self.path(name)).unwrap();
    }

    /// Replaces the policies.
    pub fn policies(&self, text: &str) {
        self.write("policies/site.cedar", text);
    }

    /// A static token of this principal.
    pub fn token(&self, name: &str, groups: &[&str]) -> String {
        self.token_until(name, groups, in_seconds(3600))
    }

    /// A static token that lapses then.
    pub fn token_until(&self, name: &str, groups: &[&str], expires: i64) -> String {
        let token = NewToken {
            name: name.to_owned(),
            groups: groups.iter().map(ToString::to_string).collect(),
            created: Timestamp::now(),
            expires: Timestamp::from_second(expires).unwrap(),
        };
        let token = token.add_to(&self.path("tokens.toml")).unwrap();
        secrets::plant(token.expose_secret());
        token.expose_secret().to_owned()
    }

    /// The claims of this principal, as the site's issuer makes them.
    pub fn claims(&self, name: &str, groups: &[&str]) -> Value {
        json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": name, "groups": groups,
            "iat": in_seconds(0), "nbf": in_seconds(0), "exp": in_seconds(600),
        })
    }

    /// A token of the site's issuer.
    pub fn jwt(&self, name: &str, groups: &[&str]) -> String {
        let token = self.es256.token(&self.claims(name, groups));
        secrets::plant(&token);
        token
    }

    /// The site's configuration, by the names that the documents fix.
    pub fn config(&self) -> String {
        let path = |name| self.path(name).display().to_string();
        format!(
            r#"
            reload_interval = "20ms"
            region = "us-east-1"
            account_id = "123456789012"

            [[auth.jwt]]
            issuer = "{ISSUER}"
            audience = "{AUDIENCE}"
            jwks = "{}"
            algorithms = ["ES256", "RS256"]

            [auth.tokens]
            file = "{}"

            [policy]
            path = "{}"
            "#,
            path("jwks.json"),
            path("tokens.toml"),
            path("policies"),
        )
    }

    /// The same, over TLS, with client certificates.
    pub fn config_with_tls(&self) -> String {
        let path = |name| self.path(name).display().to_string();
        format!(
            "{}\n[tls]\ncert = {:?}\nkey = {:?}\nclient_ca = {:?}\n",
            self.config(),
            path("server.pem"),
            path("server.key"),
            path("clients.pem")
        )
    }

    /// The service of this configuration before an emulator, in this process.
    pub async fn run(&self, config: &str, flags: &[&str]) -> Service {
        let config = self.config_flag(config);
        Service::dev(&[&[config.as_str()], flags].concat()).await
    }

    /// The same before an upstream that a test scripts.
    pub async fn over(&self, upstream: &Upstream, config: &str, flags: &[&str]) -> Service {
        let config = self.config_flag(config);
        Service::serve(&upstream.endpoint(), &[&[config.as_str()], flags].concat()).await
    }

    fn config_flag(&self, config: &str) -> String {
        fs::write(self.path("tapegate.toml"), config).unwrap();
        format!("--config={}", self.path("tapegate.toml").display())
    }

    /// A connection over TLS, with this client certificate.
    pub fn channel(&self, service: &Service, certified: Option<&Certified>) -> Channel {
        let address = service.addresses.grpc;
        tls_channel(address, client_config(&self.ca.pem(), certified))
    }
}

/// Some of a private key: a line of its PEM.
fn key_of(pem: &str) -> &str {
    pem.lines().nth(1).unwrap()
}

/// A client with this bearer token; with none, where there is none.
pub fn bearer(channel: Channel, token: Option<&str>) -> Client {
    let bearer = token.map(|token| format!("Bearer {token}").parse().unwrap());
    let headers = bearer.into_iter().map(|value| (AUTHORIZATION, value));
    TapeServiceClient::with_interceptor(channel, With(headers.collect()))
}
