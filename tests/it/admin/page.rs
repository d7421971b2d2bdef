use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use reqwest::{
    Method,
    header::{HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN},
};
use serde_json::json;
use tapegate::grpc::{proto::ListTapesRequest, status};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tonic::Request;

use super::ask;
use crate::harness::{Reply, Service, Site, Upstream, bearer, eventually, one_new_tape, refusal};

fn url(service: &Service, path: &str) -> String {
    format!("http://{}{path}", service.addresses.admin)
}

async fn page(service: &Service) -> String {
    let (status, _, page) = ask(&url(service, "/"), Method::GET, HeaderMap::new(), "").await;
    assert_eq!(status, 200, "{page}");
    page
}

/// The cells of the first table row in the section with this id.
fn first_row(page: &str, section: &str) -> Vec<String> {
    let (_, section) = page.split_once(&format!("<section id=\"{section}\">")).unwrap();
    let (section, _) = section.split_once("</section>").unwrap();
    let Some((_, body)) = section.split_once("<tbody>") else {
        return Vec::new();
    };
    let (row, _) = body.split_once("</tr>").unwrap();
    let cells = row.split("<td").skip(1);
    cells
        .map(|cell| cell.split_once('>').unwrap().1.replace("</td>", ""))
        .collect()
}

#[tokio::test]
async fn a_call_in_progress_is_listed_with_its_caller_attempt_and_time_left() {
    let is_first = AtomicBool::new(true);
    let upstream = Upstream::answering(move |_| {
        let is_first = is_first.swap(false, Ordering::SeqCst);
        async move {
            if !is_first {
                std::future::pending::<()>().await;
            }
            Reply::aws(
                500,
                &json!({ "__type": "InternalServerError", "message": "again" }),
            )
        }
    })
    .await;
    let site = Site::new();
    let token = site.token("agent-7<script>", &["operators"]);
    let service = site.over(&upstream, &site.config(), &["--retry-base=1ms"]).await;
    let mut client = bearer(service.channel(), Some(&token));
    let mut request = Request::new(ListTapesRequest::default());
    request.set_timeout(Duration::from_secs(60));
    request
        .metadata_mut()
        .insert("x-request-id", "in-progress-1".parse().unwrap());
    let call = tokio::spawn(async move { client.list_tapes(request).await });
    upstream.was_asked(2).await;

    let page = page(&service).await;
    let row = first_row(&page, "in-progress");
    assert_eq!(row[0], "ListTapes");
    assert_eq!(row[1], "agent-7&lt;script&gt;");
    assert_eq!(row[3], "2", "the second attempt");
    assert!(row[4].starts_with("5") && row[4].ends_with(" s"), "{row:?}");
    assert_eq!(row[5], "<code>in-progress-1</code>");
    assert!(page.contains("Calls in progress: 1"));

    call.abort();
    eventually("the call to be gone from the page", async || {
        self::page(&service).await.contains("Calls in progress: 0")
    })
    .await;
}

#[tokio::test]
async fn a_failed_call_is_listed_with_both_request_ids_and_the_cause() {
    let code = json!({ "__type": "InternalServerError", "message": "a <b>fault</b> of AWS" });
    let upstream = Upstream::always(Reply::aws(500, &code)).await;
    let service = Service::over(&upstream, &["--retry-attempts=1"]).await;
    assert!(page(&service).await.contains("None since the service started."));
    let mut request = Request::new(ListTapesRequest::default());
    request
        .metadata_mut()
        .insert("x-request-id", "failed-1".parse().unwrap());
    let refused = refusal(&service.client().list_tapes(request).await.unwrap_err());
    // A caller's own mistake does not concern operators.
    let wrong = ListTapesRequest {
        limit: 100_000,
        ..Default::default()
    };
    service.client().list_tapes(wrong).await.unwrap_err();

    let mut row = Vec::new();
    eventually("the failed call to be on the page", async || {
        row = first_row(&page(&service).await, "failed");
        !row.is_empty()
    })
    .await;
    assert_eq!(
        (row[1].as_str(), &row[2]),
        ("ListTapes", &status::name_of(refused.code).to_owned())
    );
    assert_eq!(row[3], "anonymous");
    assert_eq!(row[5], "1");
    assert_eq!(
        row[6..],
        ["<code>failed-1</code>", "<code>request-of-the-test</code>"]
    );
    assert!(page(&service).await.contains("a &lt;b&gt;fault&lt;/b&gt; of AWS"));
}

#[tokio::test]
async fn frequent_failures_of_one_code_do_not_displace_others() {
    let is_first = AtomicBool::new(true);
    let upstream = Upstream::answering(move |_| {
        let code = match is_first.swap(false, Ordering::SeqCst) {
            true => "ServiceUnavailable",
            false => "InternalServerError",
        };
        std::future::ready(Reply::aws(400, &json!({ "__type": code })))
    })
    .await;
    let service = Service::over(&upstream, &["--retry-attempts=1"]).await;
    for _ in 0..30 {
        service
            .client()
            .list_tapes(ListTapesRequest::default())
            .await
            .unwrap_err();
    }
    eventually(
        "ten of the failed calls, and the first, to be on the page",
        async || {
            let page = page(&service).await;
            let (_, failed) = page.split_once("<section id=\"failed\">").unwrap();
            failed.matches("<tbody>").count() == 10 + 1 && failed.contains("UNAVAILABLE")
        },
    )
    .await;
}

#[tokio::test]
async fn audit_records_that_are_lost_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.jsonl");
    let service = Service::dev(&[&format!("--audit-file={}", file.display())]).await;
    assert!(!page(&service).await.contains("lost audit records"));
    // A directory takes the place of the file, so that no record can be written.
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let shown = async || {
        let create = one_new_tape("audited");
        service.client().create_tapes(create).await.unwrap();
        page(&service).await.contains("lost audit records")
    };
    eventually("the loss is shown", shown).await;
}

#[tokio::test]
async fn the_settings_are_shown_as_a_file() {
    let service = Service::dev(&["--pace-floor=3"]).await;
    let (status, headers, settings) = ask(&url(&service, "/config"), Method::GET, HeaderMap::new(), "").await;
    assert_eq!(
        (status, &headers["cache-control"]),
        (200, &HeaderValue::from_static("no-store"))
    );
    let parsed: toml::Table = settings.parse().unwrap();
    assert_eq!(parsed["pace"]["floor"].as_integer(), Some(3));
    assert!(settings.contains("floor = 3  # --pace-floor"), "{settings}");
}

fn with(name: HeaderName, value: &'static str) -> HeaderMap {
    [(name, HeaderValue::from_static(value))].into_iter().collect()
}

#[tokio::test]
async fn clients_that_are_not_local_see_no_operators_page() {
    let upstream = Upstream::script([]).await;
    for (pages, status) in [("loopback", 403), ("open", 200)] {
        let setting = format!("--admin-pages={pages}");
        let service = Service::over(&upstream, &[&setting]).await;
        for path in ["/", "/config", "/page.js", "/page.css"] {
            for headers in [
                with(HOST, "rebound.example"),
                with(HOST, "127.0.0.1.example"),
                with(HeaderName::from_static("x-forwarded-for"), "10.0.0.7"),
                with(HeaderName::from_static("via"), "1.1 a-proxy"),
            ] {
                let (got, _, said) = ask(&url(&service, path), Method::GET, headers.clone(), "").await;
                assert_eq!(got, status, "{path} {headers:?}: {said}");
            }
            for host in ["localhost:1", "127.0.0.1", "[::1]:9464"] {
                let headers = with(HOST, host);
                let (got, _, said) = ask(&url(&service, path), Method::GET, headers, "").await;
                assert_eq!(got, 200, "{path} {host}: {said}");
            }
            // Cross-origin requests are always rejected.
            let headers = with(ORIGIN, "http://elsewhere.example");
            let (got, _, said) = ask(&url(&service, path), Method::GET, headers, "").await;
            assert_eq!(got, 403, "{path}: {said}");
        }
        // Pages that change something are never open.
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let headers = with(HOST, "rebound.example");
            let (got, _, _) = ask(&url(&service, "/log-filter"), method, headers, "off").await;
            assert_eq!(got, 403);
        }
        // Probes and Prometheus may use any Host.
        for path in ["/livez", "/readyz", "/metrics"] {
            let headers = with(HOST, "tapegate.prod.svc");
            let (got, _, _) = ask(&url(&service, path), Method::GET, headers, "").await;
            assert_eq!(got, 200, "{path}");
        }
    }
}

#[tokio::test]
async fn the_page_loads_nothing_from_other_origins() {
    let service = Service::dev(&[]).await;
    let (_, headers, page) = ask(&url(&service, "/"), Method::GET, HeaderMap::new(), "").await;
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    for of in ["src=\"", "href=\""] {
        for link in page.split(of).skip(1) {
            let link = link.split('"').next().unwrap();
            assert!(!link.contains("//"), "{link}");
        }
    }
}

#[tokio::test]
async fn idle_connections_do_not_block_others_for_long() {
    let upstream = Upstream::script([]).await;
    let flags = ["--admin-max-connections=3", "--handshake-timeout=500ms"];
    let service = Service::over(&upstream, &flags).await;
    let address = service.addresses.admin;
    let mut held = Vec::new();
    for said in [
        "",
        "GET /livez HTTP/1.1\r\n",
        "GET /livez HTTP/1.1\r\nhost: x\r\n",
    ] {
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(said.as_bytes()).await.unwrap();
        held.push(connection);
    }
    // One more is closed at once, before a byte is read.
    let mut refused = TcpStream::connect(address).await.unwrap();
    assert_eq!(refused.read(&mut [0; 64]).await.unwrap_or(0), 0);
    for mut connection in held {
        let mut said = Vec::new();
        let _ = connection.read_to_end(&mut said).await;
        let said = String::from_utf8(said).unwrap();
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    }
    eventually("room for a probe", async || {
        let probe = reqwest::get(url(&service, "/livez")).await;
        probe.is_ok_and(|answer| answer.status() == 200)
    })
    .await;
}
