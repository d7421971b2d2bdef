//! Certificates, keys, tokens and policies are replaced while the service runs: no valid call fails,
//! and invalid files change nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use jsonwebtoken::Algorithm;
use tapegate::grpc::proto::ListTapesRequest;
use tokio::{task::JoinSet, time::sleep};
use tonic::{Code, Status, transport::Channel};

use super::{attacks::OPERATORS, sum_of};
use crate::harness::{
    Ca, Certified, Client, Service, Signer, Site, Valid, bearer, client_config, collect, eventually, jwks,
    refusal, tls_channel,
};

async fn list(client: &mut Client) -> Result<(), Status> {
    let request = ListTapesRequest {
        max_items: 1,
        ..Default::default()
    };
    collect(client.list_tapes(request).await).await.map(drop)
}

/// The reason why a list is rejected; empty if it succeeds.
async fn reason(client: &mut Client) -> String {
    match list(client).await {
        Ok(()) => String::new(),
        Err(status) => refusal(&status).reason,
    }
}

#[tokio::test]
async fn a_token_is_rejected_once_its_key_or_its_table_is_removed() {
    let site = Site::new();
    let service = site.run(&site.config(), &[]).await;
    let (token, jwt) = (site.token("somebody", OPERATORS), site.jwt("somebody", OPERATORS));
    let [mut by_token, mut by_jwt] = [&token, &jwt].map(|token| bearer(service.channel(), Some(token)));
    eventually("the new token is taken", async || {
        list(&mut by_token).await.is_ok()
    })
    .await;
    list(&mut by_jwt).await.unwrap();

    site.write("tokens.toml", "");
    eventually("the token is gone", async || {
        reason(&mut by_token).await == "TOKEN_UNKNOWN"
    })
    .await;
    site.write("jwks.json", &jwks(&[&site.rs256]));
    eventually("the key is gone", async || {
        reason(&mut by_jwt).await == "TOKEN_KEY_UNKNOWN"
    })
    .await;
    // A new key with the same id does not make the cached token valid.
    site.write("jwks.json", &jwks(&[&Signer::new("first", Algorithm::ES256)]));
    eventually("the key is another", async || {
        reason(&mut by_jwt).await == "TOKEN_SIGNATURE_WRONG"
    })
    .await;
}

#[tokio::test]
async fn changed_policies_apply_to_the_next_call() {
    let site = Site::new();
    let service = site.run(&site.config(), &[]).await;
    let mut client = bearer(service.channel(), Some(&site.jwt("somebody", &["readers"])));
    assert_eq!(reason(&mut client).await, "PERMISSION_DENIED");
    site.policies(r#"permit (principal in TapeGate::Group::"readers", action, resource);"#);
    eventually("it is allowed", async || list(&mut client).await.is_ok()).await;
    site.policies(
        r#"permit (principal in TapeGate::Group::"readers", action, resource);
           forbid (principal == TapeGate::Agent::"somebody", action, resource);"#,
    );
    eventually("it is forbidden", async || {
        reason(&mut client).await == "PERMISSION_DENIED"
    })
    .await;
}

/// A caller: how it connects, and its token.
struct Caller {
    channel: Box<dyn Fn() -> Channel + Send + Sync>,
    token: Option<String>,
}

/// Callers that call repeatedly, each over one connection and over a new one for each call.
struct Load {
    calls: JoinSet<()>,
    made: Arc<AtomicU32>,
}

impl Load {
    fn start(callers: Vec<Caller>) -> Self {
        let (mut calls, made) = (JoinSet::new(), Arc::new(AtomicU32::new(0)));
        for (caller, reconnects) in callers.into_iter().flat_map(|caller| {
            let caller = Arc::new(caller);
            [(caller.clone(), false), (caller, true)]
        }) {
            let made = made.clone();
            calls.spawn(async move {
                let connect = || bearer((caller.channel)(), caller.token.as_deref());
                let mut client = connect();
                loop {
                    if reconnects {
                        client = connect();
                    }
                    list(&mut client)
                        .await
                        .unwrap_or_else(|status| panic!("a call failed: {status:?}"));
                    made.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Self { calls, made }
    }

    /// Waits for a number of further calls and fails if one of them failed.
    async fn more(&mut self, calls: u32) {
        let wanted = self.made.load(Ordering::Relaxed) + calls;
        while self.made.load(Ordering::Relaxed) < wanted {
            if let Some(ended) = self.calls.try_join_next() {
                ended.unwrap();
            }
            sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Connects with these trusted roots and this client certificate.
fn connects(
    service: &Service,
    roots: String,
    certified: Option<Certified>,
) -> Box<dyn Fn() -> Channel + Send + Sync> {
    let address = service.addresses.grpc;
    Box::new(move || tls_channel(address, client_config(&roots, certified.as_ref())))
}

/// Makes a change to a file and waits until the service has loaded or rejected it.
async fn change(service: &Service, change: impl FnOnce()) {
    let before = sum_of(service, "tapegate_reloads_total").await;
    change();
    eventually("the change is loaded or rejected", async || {
        sum_of(service, "tapegate_reloads_total").await > before
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_files_are_replaced_under_load_without_a_failed_call() {
    let site = Site::new();
    let (second, clients) = (
        Ca::new("another authority of servers"),
        Ca::new("another authority of clients"),
    );
    const POLICY: &str = r#"permit (principal in TapeGate::Group::"operators", action, resource);
        permit (principal, action, resource) when { principal == TapeGate::Agent::"spiffe://example.org/agent" };"#;
    site.policies(POLICY);
    let stays = site.token("stays", OPERATORS);
    let service = site.run(&site.config_with_tls(), &["--auth-remember=50ms"]).await;
    let roots = format!("{}{}", site.ca.pem(), second.pem());
    let agent = site.ca.client(&["spiffe://example.org/agent"], Valid::Now);
    let newer = clients.client(&["spiffe://example.org/agent"], Valid::Now);

    let callers = |certified: &Certified, signer: &Signer| {
        let jwt = signer.token(&site.claims("somebody", OPERATORS));
        vec![
            Caller {
                channel: connects(&service, roots.clone(), Some(certified.clone())),
                token: None,
            },
            Caller {
                channel: connects(&service, roots.clone(), None),
                token: Some(jwt),
            },
            Caller {
                channel: connects(&service, roots.clone(), None),
                token: Some(stays.clone()),
            },
        ]
    };
    let mut load = Load::start(callers(&agent, &site.es256));
    load.more(50).await;

    // The server's certificate, by another authority, so that new connections can tell.
    let server = second.server();
    site.write("server.pem", &server.cert);
    site.write("server.key", &server.key);
    let only_second = connects(&service, second.pem(), None);
    eventually("the new certificate is shown", async || {
        list(&mut bearer(only_second(), Some(&stays))).await.is_ok()
    })
    .await;
    load.more(50).await;

    // The clients' authority: first both, then the new one. Connections stay open.
    site.write("clients.pem", &format!("{}{}", site.ca.pem(), clients.pem()));
    let with_newer = connects(&service, roots.clone(), Some(newer.clone()));
    eventually("the new authority is taken", async || {
        list(&mut bearer(with_newer(), None)).await.is_ok()
    })
    .await;
    load.more(50).await;
    let mut open = bearer(connects(&service, roots.clone(), Some(agent.clone()))(), None);
    list(&mut open).await.unwrap();
    drop(load);
    let third = Signer::new("third", Algorithm::ES256);
    // The issuer's keys: both, before the first token with the new one.
    site.write("jwks.json", &jwks(&[&site.es256, &third]));
    let mut by_third = bearer(
        only_second(),
        Some(&third.token(&site.claims("somebody", OPERATORS))),
    );
    eventually("the new key is taken", async || list(&mut by_third).await.is_ok()).await;

    let mut load = Load::start(callers(&newer, &third));
    load.more(50).await;
    site.write("clients.pem", &clients.pem());
    let with_older = connects(&service, roots.clone(), Some(agent.clone()));
    eventually("the old authority is gone", async || {
        list(&mut bearer(with_older(), None))
            .await
            .is_err_and(|status| status.details().is_empty())
    })
    .await;
    eventually(
        "a caller of the old authority is rejected on an open connection",
        async || reason(&mut open).await == "CERTIFICATE_INVALID",
    )
    .await;
    site.write("jwks.json", &jwks(&[&third]));
    load.more(50).await;

    // Tokens and policies: others are added and removed.
    for round in 0..5 {
        let gone = site.token(&format!("gone {round}"), OPERATORS);
        let mut client = bearer(only_second(), Some(&gone));
        eventually("the new token is taken", async || list(&mut client).await.is_ok()).await;
        let file = std::fs::read_to_string(site.path("tokens.toml")).unwrap();
        let rows: Vec<_> = file.split("\n\n").filter(|row| !row.contains("gone")).collect();
        site.write("tokens.toml", &rows.join("\n\n"));
        eventually("the token is gone", async || {
            reason(&mut client).await == "TOKEN_UNKNOWN"
        })
        .await;
        site.policies(&format!(
            "{POLICY}\nforbid (principal == TapeGate::Agent::\"{round}\", action, resource);"
        ));
        load.more(30).await;
    }
    let made = load.made.load(Ordering::Relaxed);
    println!("{made} calls after the second start without a failure");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalid_file_changes_nothing() {
    let site = Site::new();
    let stays = site.token("stays", OPERATORS);
    let service = site.run(&site.config_with_tls(), &["--auth-remember=0s"]).await;
    let agent = site.ca.client(&["spiffe://example.org/agent"], Valid::Now);
    site.policies(
        r#"permit (principal in TapeGate::Group::"operators", action, resource);
           permit (principal == TapeGate::Agent::"spiffe://example.org/agent", action, resource);"#,
    );
    let certified = connects(&service, site.ca.pem(), Some(agent));
    eventually("the agent is admitted", async || {
        list(&mut bearer(certified(), None)).await.is_ok()
    })
    .await;
    let plain = || connects(&service, site.ca.pem(), None);
    let mut load = Load::start(vec![
        Caller {
            channel: certified,
            token: None,
        },
        Caller {
            channel: plain(),
            token: Some(stays),
        },
        Caller {
            channel: plain(),
            token: Some(site.jwt("somebody", OPERATORS)),
        },
    ]);
    let mut denied_caller = bearer(plain()(), Some(&site.jwt("somebody", &[])));
    let files = [
        "server.pem",
        "server.key",
        "clients.pem",
        "jwks.json",
        "tokens.toml",
        "policies/site.cedar",
    ];
    for name in files {
        let good = std::fs::read_to_string(site.path(name)).unwrap();
        let half = &good[..good.len() / 2];
        for broken in ["", "garbage", half, "\u{0}"] {
            // An empty file of tokens is valid.
            if name == "tokens.toml" && ["", half].contains(&broken) {
                continue;
            }
            change(&service, || site.write(name, broken)).await;
            load.more(6).await;
            assert_eq!(
                reason(&mut denied_caller).await,
                "PERMISSION_DENIED",
                "{name}: {broken:?}"
            );
        }
        change(&service, || std::fs::remove_file(site.path(name)).unwrap()).await;
        load.more(6).await;
        change(&service, || site.write(name, &good)).await;
        load.more(6).await;
    }
    // A key that does not match the certificate, as between the two writes of a renewal.
    let other = Ca::new("another").server();
    change(&service, || site.write("server.key", &other.key)).await;
    load.more(20).await;
    let status = list(&mut bearer(plain()(), None)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
}
