//! Two tenants share an archive: each sees exactly its own tapes, once, with pages of any size.
//!
//! They are separated by gateway in the library and by pool in the archive, where tapes have no
//! gateway. `TAPEGATE_PAGE_SIZES=all` tests every page size, and more ways to resume.

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tapegate::grpc::proto::{DescribeTapeArchivesRequest, ListTapesRequest};
use tokio::sync::watch;

use super::sum_of;
use crate::harness::{
    Client, GATEWAY, Reply, Service, Site, Upstream, bearer, collect, eventually, refusal, tape_arn,
};

const OTHER_GATEWAY: &str = "arn:aws:storagegateway:us-east-1:123456789012:gateway/sgw-00000002";
const TAPES: usize = 10_000;

const POLICIES: &str = r#"
    permit (
      principal,
      action in [TapeGate::Action::"ListTapes", TapeGate::Action::"DescribeTapeArchives"],
      resource == TapeGate::Scope::"123456789012/us-east-1"
    );

    permit (
      principal in TapeGate::Group::"tenant-0",
      action == TapeGate::Action::"ReadTape",
      resource in TapeGate::Gateway::"arn:aws:storagegateway:us-east-1:123456789012:gateway/sgw-12A3456B"
    );
    permit (principal in TapeGate::Group::"tenant-0", action == TapeGate::Action::"ReadTape", resource)
    when { resource.status == "ARCHIVED" && resource.pool == "pool-00000000" };

    permit (
      principal in TapeGate::Group::"tenant-1",
      action == TapeGate::Action::"ReadTape",
      resource in TapeGate::Gateway::"arn:aws:storagegateway:us-east-1:123456789012:gateway/sgw-00000002"
    );
    permit (principal in TapeGate::Group::"tenant-1", action == TapeGate::Action::"ReadTape", resource)
    when { resource.status == "ARCHIVED" && resource.pool == "pool-11111111" };
"#;

/// A tape with its tenant, if any, and its row in AWS's response.
#[derive(Clone)]
struct Tape {
    owner: Option<usize>,
    is_archived: bool,
    row: Value,
}

/// Tapes of both tenants and of none, in long and in short runs, so that pages are shown whole,
/// shown in part, and hidden.
fn tapes() -> Vec<Tape> {
    let mut random = fastrand::Rng::with_seed(6);
    let mut tapes = Vec::new();
    while tapes.len() < TAPES {
        let (owner, is_archived) = (random.usize(0..3), random.bool());
        let longest = if random.u8(0..10) == 0 { 400 } else { 5 };
        for _ in 0..random.usize(1..=longest) {
            let barcode = format!("T{:06}", tapes.len());
            let pool = ["pool-00000000", "pool-11111111", "GLACIER"][owner];
            let mut row = json!({ "TapeARN": tape_arn(&barcode), "TapeBarcode": barcode });
            // The pool of a tape in the library does not depend on its tenant.
            row["PoolId"] = json!(if is_archived { pool } else { "GLACIER" });
            row["TapeStatus"] = json!(if is_archived { "ARCHIVED" } else { "AVAILABLE" });
            let gateway = [GATEWAY, OTHER_GATEWAY].get(owner);
            if let Some(gateway) = gateway.filter(|_| !is_archived) {
                row["GatewayARN"] = json!(gateway);
            }
            tapes.push(Tape {
                owner: (owner < 2).then_some(owner),
                is_archived,
                row,
            });
        }
    }
    tapes.truncate(TAPES);
    tapes
}

/// An upstream with these tapes. Some pages have fewer tapes than requested.
async fn aws(tapes: &[Tape]) -> Upstream {
    let rows = |archived: bool| -> Vec<Value> {
        let wanted = tapes.iter().filter(|tape| tape.is_archived || !archived);
        wanted.map(|tape| tape.row.clone()).collect()
    };
    let (all, archived) = (rows(false), rows(true));
    Upstream::answering(move |asked| {
        let (name, rows) = match asked.operation.as_str() {
            "ListTapes" => ("TapeInfos", &all),
            _ => ("TapeArchives", &archived),
        };
        let named = asked.body["TapeARNs"].as_array();
        let from = asked.body["Marker"]
            .as_str()
            .map_or(0, |marker| marker.parse::<usize>().unwrap());
        let limit = usize::try_from(asked.body["Limit"].as_u64().unwrap_or(100)).unwrap();
        let granted = if from % 7 == 3 { limit.div_ceil(2) } else { limit };
        let to = (from + granted).min(rows.len());
        let page: Vec<_> = match named {
            Some(named) => rows
                .iter()
                .filter(|row| named.contains(&row["TapeARN"]))
                .collect(),
            None => rows[from..to].iter().collect(),
        };
        let mut body = json!({ name: page });
        if to < rows.len() && named.is_none() {
            body["Marker"] = json!(to.to_string());
        }
        std::future::ready(Reply::ok(&body))
    })
    .await
}

/// A list that a tenant requests.
#[derive(Clone, Copy, Debug, PartialEq)]
enum List {
    Tapes,
    Archives,
}

/// A page as the caller sees it: barcodes and marker.
type Page = (Vec<String>, String);

async fn ask(client: &mut Client, list: List, marker: &str, limit: i32, max_items: i64) -> Vec<Page> {
    let marker = marker.to_owned();
    match list {
        List::Tapes => {
            let request = ListTapesRequest {
                marker,
                limit,
                max_items,
                ..Default::default()
            };
            let pages = collect(client.list_tapes(request).await).await.unwrap();
            let shown = pages.into_iter().map(|page| {
                let tapes = page.tape_infos.into_iter();
                (
                    tapes.map(|tape| tape.tape_barcode.unwrap()).collect(),
                    page.marker,
                )
            });
            shown.collect()
        }
        List::Archives => {
            let request = DescribeTapeArchivesRequest {
                marker,
                limit,
                max_items,
                ..Default::default()
            };
            let pages = collect(client.describe_tape_archives(request).await)
                .await
                .unwrap();
            let shown = pages.into_iter().map(|page| {
                let tapes = page.tape_archives.into_iter();
                (
                    tapes.map(|tape| tape.tape_barcode.unwrap()).collect(),
                    page.marker,
                )
            });
            shown.collect()
        }
    }
}

fn barcodes(pages: &[Page]) -> Vec<&str> {
    pages
        .iter()
        .flat_map(|(rows, _)| rows)
        .map(String::as_str)
        .collect()
}

struct Tenants {
    _service: Service,
    _upstream: Upstream,
    tapes: Vec<Tape>,
    clients: [Client; 2],
}

async fn tenants() -> Tenants {
    let tapes = tapes();
    let upstream = aws(&tapes).await;
    let site = Site::new();
    site.policies(POLICIES);
    let service = site.over(&upstream, &site.config(), &[]).await;
    let clients = ["tenant-0", "tenant-1"].map(|tenant| {
        let token = site.es256.token(&json!({
            "iss": crate::harness::ISSUER, "aud": crate::harness::AUDIENCE, "sub": format!("agent of {tenant}"),
            "groups": [tenant], "exp": crate::harness::in_seconds(24 * 60 * 60),
        }));
        bearer(service.channel(), Some(&token))
    });
    Tenants {
        _service: service,
        _upstream: upstream,
        tapes,
        clients,
    }
}

impl Tenants {
    /// The tapes of a list that a tenant may see.
    fn own(&self, tenant: usize, list: List) -> Vec<&str> {
        let is_listed = |tape: &&Tape| tape.is_archived || list == List::Tapes;
        let own = self
            .tapes
            .iter()
            .filter(|tape| tape.owner == Some(tenant))
            .filter(is_listed);
        own.map(|tape| tape.row["TapeBarcode"].as_str().unwrap())
            .collect()
    }

    /// Each list of each tenant.
    fn lists(&self) -> Vec<(List, usize, Client)> {
        let all = [
            (List::Tapes, 0),
            (List::Tapes, 1),
            (List::Archives, 0),
            (List::Archives, 1),
        ];
        all.map(|(list, tenant)| (list, tenant, self.clients[tenant].clone()))
            .into()
    }
}

fn is_long() -> bool {
    std::env::var("TAPEGATE_PAGE_SIZES").is_ok_and(|sizes| sizes == "all")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_tenant_sees_exactly_its_own_tapes_in_pages_of_every_size() {
    let tenants = Arc::new(tenants().await);
    let sizes: Vec<i32> = if is_long() {
        (1..=1000).collect()
    } else {
        vec![0, 37, 101, 1000]
    };
    let mut pages_seen = 0;
    for size in &sizes {
        for (list, tenant, mut client) in tenants.lists() {
            let pages = ask(&mut client, list, "", *size, 0).await;
            assert_eq!(barcodes(&pages), tenants.own(tenant, list), "{list:?} {size}");
            // A hidden page is sent empty with its marker. Only the last page has no marker.
            let (last, others) = pages.split_last().unwrap();
            assert!(last.1.is_empty() && others.iter().all(|(_, marker)| !marker.is_empty()));
            pages_seen += pages.len();
        }
    }
    println!("{} page sizes, {pages_seen} pages", sizes.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn max_items_counts_shown_tapes_and_every_marker_resumes() {
    let tenants = tenants().await;
    // Values of `limit` and `max_items`.
    let steps = [
        (100, 100),
        (1000, 999),
        (50, 333),
        (7, 100),
        (1000, 1),
        (100, 7),
        (3, 2),
        (1, 1),
    ];
    let steps = if is_long() { &steps[..] } else { &steps[..2] };
    let mut calls = 0;
    for (list, tenant, mut client) in tenants.lists() {
        let own = tenants.own(tenant, list);
        for (limit, max_items) in steps {
            let most = usize::try_from(*max_items).unwrap();
            let (mut seen, mut marker) = (0, String::new());
            loop {
                let pages = ask(&mut client, list, &marker, *limit, *max_items).await;
                let shown = barcodes(&pages);
                calls += 1;
                assert!(shown.len() <= most, "{} shown", shown.len());
                assert_eq!(
                    shown,
                    own[seen..seen + shown.len()],
                    "{list:?} {limit} {max_items}"
                );
                seen += shown.len();
                marker.clone_from(&pages.last().unwrap().1);
                if marker.is_empty() {
                    break;
                }
                assert_eq!(shown.len(), most, "stopped early, with a marker");
            }
            assert_eq!(seen, own.len());
        }
        // A marker inside a page resumes with pages of another size.
        let first = ask(&mut client, list, "", 400, 450).await;
        let (_, marker) = first.last().unwrap();
        for limit in [1, 13, 450, 1000] {
            let rest = ask(&mut client, list, marker, limit, 40).await;
            assert_eq!(barcodes(&rest), own[450..490], "{marker} {limit}");
        }
    }
    println!("{calls} calls that each resumed the call before");
}

#[tokio::test]
async fn an_unfiltered_list_has_the_markers_and_exact_pages_of_aws() {
    let upstream = aws(&tapes()).await;
    let site = Site::new();
    let service = site.over(&upstream, &site.config(), &[]).await;
    let mut client = bearer(service.channel(), Some(&site.jwt("operator", &["operators"])));
    let pages = ask(&mut client, List::Tapes, "", 100, 150).await;
    let markers: Vec<_> = pages.iter().map(|(_, marker)| marker.as_str()).collect();
    assert_eq!(markers, ["100", "150"]);
    assert_eq!(upstream.asked()[1].body["Limit"], 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_with_identical_reads_share_a_page_of_aws_and_each_sees_its_own_tapes() {
    let tapes = &tapes()[..1_000];
    let rows: Vec<_> = tapes.iter().map(|tape| tape.row.clone()).collect();
    // The upstream responds once all other reads wait for the page of the first.
    let (respond, may_respond) = watch::channel(false);
    let upstream = Upstream::answering(move |_| {
        let page = Reply::ok(&json!({ "TapeInfos": rows }));
        let mut may_respond = may_respond.clone();
        async move {
            may_respond.wait_for(|may| *may).await.unwrap();
            page
        }
    })
    .await;
    let site = Site::new();
    site.policies(POLICIES);
    let service = site.over(&upstream, &site.config(), &[]).await;
    let calls = (0..20).map(|number| {
        let tenant = number % 3;
        let token = site.jwt("an agent", &[&format!("tenant-{tenant}")]);
        let mut client = bearer(service.channel(), Some(&token));
        async move { (tenant, ask(&mut client, List::Tapes, "", 1_000, 0).await) }
    });
    let responding = async {
        eventually("19 reads wait for the page of the first", async || {
            sum_of(&service, "tapegate_upstream_shared_reads_total").await == 19.0
        })
        .await;
        respond.send_replace(true);
    };
    let (answers, ()) = tokio::join!(join_all(calls), responding);
    for (tenant, pages) in answers {
        let own = tapes.iter().filter(|tape| tape.owner == Some(tenant));
        let own: Vec<_> = own
            .map(|tape| tape.row["TapeBarcode"].as_str().unwrap())
            .collect();
        assert_eq!(barcodes(&pages), own, "tenant {tenant}");
    }
    assert_eq!(upstream.asked().len(), 1);
}

#[tokio::test]
async fn a_tenant_cannot_list_the_tapes_of_another_by_arn() {
    let tenants = tenants().await;
    let (mine, other) = (tenants.own(0, List::Tapes)[0], tenants.own(1, List::Tapes)[0]);
    let request = ListTapesRequest {
        tape_arns: vec![tape_arn(other), tape_arn(mine)],
        ..Default::default()
    };
    let pages = collect(tenants.clients[0].clone().list_tapes(request).await).await;
    let pages = pages.unwrap();
    let shown: Vec<_> = pages.iter().flat_map(|page| &page.tape_infos).collect();
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].tape_barcode.as_deref(), Some(mine));
}

#[tokio::test]
async fn tapes_of_another_account_than_the_requested_one_are_an_error() {
    let upstream = Upstream::always(Reply::ok(
        &json!({ "TapeInfos": [{ "TapeARN": tape_arn("MINE0001") }] }),
    ))
    .await;
    let site = Site::new();
    let config = format!("accounts = []\n{}", site.config());
    let service = site.over(&upstream, &config, &[]).await;
    let mut client = bearer(service.channel(), Some(&site.jwt("operator", &["operators"])));
    let list = |account: &str| ListTapesRequest {
        account_id: Some(account.to_owned()),
        ..Default::default()
    };
    collect(client.list_tapes(list("123456789012")).await)
        .await
        .unwrap();
    let rejected = collect(client.list_tapes(list("999999999999")).await).await;
    assert_eq!(refusal(&rejected.unwrap_err()).reason, "UPSTREAM_UNREADABLE");
}
