//! What authorization costs: a page of 100 tapes that 500 policies filter beside one that none
//! filters, and a create decided by 500 policies beside one by 3. Processor time of the service, in
//! one run, by turns.
//!
//! `cargo bench --bench policy` prints them, and fails above what docs/security.md promises.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark reports to a person"
)]

mod process;

use std::{fmt::Write, fs, path::Path, time::Duration};

use process::Tapegate;
use tapegate::grpc::proto::{CreateTapesRequest, ListTapesRequest, tape_service_client::TapeServiceClient};
use tonic::{Request, transport::Channel};

const GATEWAY: &str = "arn:aws:storagegateway:us-east-1:123456789012:gateway/sgw-12A3456B";
const ROUNDS: u32 = 6;
/// A library of 1 PiB has room for all of them.
const CREATES: u32 = 700;

/// So many policies, of which the last few are about the caller's own gateway and tapes.
fn policies(count: usize, reads: &str) -> String {
    let mut text = format!(
        r#"
        permit (principal in TapeGate::Group::"own", action == TapeGate::Action::"CreateTapes",
                resource == TapeGate::Gateway::"{GATEWAY}");
        permit (principal, action == TapeGate::Action::"ListTapes", resource);
        permit (principal in TapeGate::Group::"own", action == TapeGate::Action::"ReadTape", resource) when {{ {reads} }};
        "#
    );
    for number in 3..count {
        let gateway = format!("arn:aws:storagegateway:us-east-1:123456789012:gateway/sgw-{number:08X}");
        let action = if number % 2 == 0 {
            "ReadTape"
        } else {
            "CreateTapes"
        };
        let kind = if number % 2 == 0 { "in" } else { "==" };
        writeln!(
            text,
            "permit (principal in TapeGate::Group::\"site-{number}\", action == TapeGate::Action::\"{action}\", \
             resource {kind} TapeGate::Gateway::\"{gateway}\");"
        )
        .unwrap();
    }
    text
}

/// A service before this emulator, and a client of it.
struct Service {
    process: Tapegate,
    client: TapeServiceClient<Channel>,
    token: String,
}

impl Service {
    async fn start(folder: &Path, upstream: &str, policies: Option<&str>) -> Self {
        fs::create_dir(folder).unwrap();
        let path = |name: &str| folder.join(name).display().to_string();
        let endpoint = format!("--upstream-endpoint={upstream}");
        let mut arguments = vec![
            "serve".to_owned(),
            "--region=us-east-1".to_owned(),
            "--account-id=123456789012".to_owned(),
            "--listen=127.0.0.1:0".to_owned(),
            "--admin-listen=127.0.0.1:0".to_owned(),
            // The records of creates are what they are, whatever decides.
            format!("--audit-file={}", path("audit.jsonl")),
            endpoint,
        ];
        let mut token = String::new();
        match policies {
            None => arguments.push("--allow-anonymous".to_owned()),
            Some(policies) => {
                fs::write(path("all.cedar"), policies).unwrap();
                let made = std::process::Command::new(env!("CARGO_BIN_EXE_tapegate"))
                    .args([
                        "token",
                        "new",
                        "--name=bench",
                        "--group=own",
                        "--file",
                        &path("tokens.toml"),
                    ])
                    .output()
                    .unwrap();
                token = String::from_utf8(made.stdout).unwrap().trim().to_owned();
                arguments.push(format!("--auth-tokens-file={}", path("tokens.toml")));
                arguments.push(format!("--policy-path={}", folder.display()));
            }
        }
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let process = Tapegate::start(&arguments);
        let client = TapeServiceClient::connect(process.url("grpc")).await.unwrap();
        Self {
            process,
            client,
            token,
        }
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if !self.token.is_empty() {
            let value = format!("Bearer {}", self.token).parse().unwrap();
            request.metadata_mut().insert("authorization", value);
        }
        request
    }

    /// What a page costs, in a walk over all tapes, and how many tapes it showed.
    async fn page(&self) -> (Duration, usize) {
        let before = self.process.processor_time();
        let request = self.request(ListTapesRequest {
            limit: 100,
            ..Default::default()
        });
        let mut pages = self
            .client
            .clone()
            .list_tapes(request)
            .await
            .unwrap()
            .into_inner();
        let (mut count, mut tapes) = (0, 0);
        while let Some(page) = pages.message().await.unwrap() {
            count += 1;
            tapes += page.tape_infos.len();
        }
        ((self.process.processor_time() - before) / count, tapes)
    }

    /// What a create costs.
    async fn create(&self, round: u32) -> Duration {
        let before = self.process.processor_time();
        for number in 0..CREATES {
            let request = self.request(CreateTapesRequest {
                gateway_arn: GATEWAY.into(),
                tape_size_in_bytes: 100 << 30,
                client_token: format!("{}-{round}-{number}", self.process.url("grpc")),
                num_tapes_to_create: 1,
                tape_barcode_prefix: "NEW".into(),
                ..Default::default()
            });
            self.client.clone().create_tapes(request).await.unwrap();
        }
        (self.process.processor_time() - before) / CREATES
    }
}

fn times(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let tapes = Tapegate::emulator(&["--seed-tapes=100000"]);
    let upstream = tapes.url("emulator");
    // All of them are shown, so that all the rest costs the same.
    let by_place = format!(
        "resource in TapeGate::Gateway::\"{GATEWAY}\" || \
         (resource.status != \"DELETED\" && [\"GLACIER\", \"DEEP_ARCHIVE\", \"pool-12345678\"].contains(resource.pool))"
    );
    let by_barcode = "resource.barcode like \"TST0*\" || resource.barcode like \"TST1*\"";
    let services = [
        ("not filtered", None),
        ("3 policies, by gateway and pool", Some(policies(3, &by_place))),
        (
            "500 policies, by gateway and pool",
            Some(policies(500, &by_place)),
        ),
        ("500 policies, by barcode", Some(policies(500, by_barcode))),
    ];
    let mut running = Vec::new();
    for (number, (name, policies)) in services.iter().enumerate() {
        let folder = folder.path().join(number.to_string());
        running.push((
            *name,
            Service::start(&folder, &upstream, policies.as_deref()).await,
        ));
    }
    let mut pages = vec![Duration::ZERO; running.len()];
    for round in 0..=ROUNDS {
        for ((_, service), sum) in running.iter().zip(&mut pages) {
            let (cost, tapes) = service.page().await;
            assert!(tapes >= 99_000, "{tapes}");
            // The first walk warms up.
            *sum += if round == 0 { Duration::ZERO } else { cost };
        }
    }
    for ((name, _), sum) in running.iter().zip(&pages) {
        println!(
            "a page of 100 tapes, {name}: {:?}, {:.2} times",
            *sum / ROUNDS,
            times(*sum, pages[0])
        );
    }
    assert!(
        pages.iter().all(|sum| times(*sum, pages[0]) <= 2.0),
        "a filtered page costs too much"
    );
    drop((running, tapes));

    let settings = folder.path().join("emulator.toml");
    std::fs::write(&settings, "tapes_per_library = 1_000_000").unwrap();
    let settings = format!("--config={}", settings.display());
    let emulator = Tapegate::emulator(&["--seed-tapes=1", &settings]);
    let upstream = emulator.url("emulator");
    let few = Service::start(
        &folder.path().join("few"),
        &upstream,
        Some(&policies(3, &by_place)),
    )
    .await;
    let many = Service::start(
        &folder.path().join("many"),
        &upstream,
        Some(&policies(500, &by_place)),
    )
    .await;
    let mut creates = [Duration::ZERO; 2];
    for round in 0..=ROUNDS {
        for (service, sum) in [&few, &many].into_iter().zip(&mut creates) {
            let cost = service.create(round).await;
            *sum += if round == 0 { Duration::ZERO } else { cost };
        }
    }
    let [few, many] = creates;
    println!(
        "a create, 3 policies: {:?}; 500 policies: {:?}, {:.2} times",
        few / ROUNDS,
        many / ROUNDS,
        times(many, few)
    );
    assert!(times(many, few) <= 1.1, "a create costs too much");
}
