//! How much memory the program takes for a list, measured on the program itself.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tapegate::proto::{ListTapesRequest, tape_service_client::TapeServiceClient};
use tonic::transport::Endpoint;

use super::{full_page, page_number};
use crate::harness::{Reply, Upstream};

/// `tapegate serve` in a process of its own, which ends with this.
struct Program {
    child: Child,
    grpc: String,
}

impl Program {
    fn serve(upstream: &Upstream) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tapegate"))
            .args([
                "serve",
                "--allow-anonymous",
                "--region=us-east-1",
                "--log-filter=warn",
            ])
            .args(["--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"])
            .arg(format!("--upstream-endpoint={}", upstream.endpoint()))
            .env("AWS_ACCESS_KEY_ID", "AKIDTEST")
            .env("AWS_SECRET_ACCESS_KEY", "secret-of-the-tests")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut first)
            .unwrap();
        let grpc = first
            .split_whitespace()
            .find_map(|word| word.strip_prefix("grpc="))
            .unwrap();
        Self {
            grpc: format!("http://{grpc}"),
            child,
        }
    }

    /// Resident memory, in KiB.
    fn resident(&self) -> i64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[tokio::test]
async fn a_list_of_any_length_takes_the_memory_of_a_short_one() {
    const PAGES: usize = 110;
    const ROWS: usize = 1000;
    let upstream = Upstream::answering(|asked| {
        let number = page_number(&asked);
        let mut page = full_page(number, ROWS);
        if number + 1 == PAGES {
            page["Marker"] = Value::Null;
        }
        std::future::ready(Reply::ok(&page))
    })
    .await;
    let program = Program::serve(&upstream);
    let endpoint = Endpoint::from_shared(program.grpc.clone()).unwrap();
    let mut client = TapeServiceClient::new(endpoint.connect().await.unwrap());

    let mut pages = client
        .list_tapes(ListTapesRequest::default())
        .await
        .unwrap()
        .into_inner();
    let (mut number, mut early, mut late) = (0, 0, 0);
    while let Some(page) = pages.message().await.unwrap() {
        assert_eq!(page.tape_infos.len(), ROWS);
        number += 1;
        // The first 10,000 tapes warm the program up; 100,000 more must take no more.
        let most = if number <= 10 { &mut early } else { &mut late };
        *most = program.resident().max(*most);
    }
    assert_eq!(number, PAGES);
    println!("resident: {early} KiB over the first 10,000 tapes, {late} KiB over 100,000 more");
    assert!(late - early < 8 * 1024, "grew from {early} KiB to {late} KiB");
}
