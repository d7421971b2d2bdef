//! A timed-out or cancelled attempt leaves no connection and no task behind.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::json;
use tapegate::grpc::proto::{CreateTapeWithBarcodeRequest, ListTapesRequest};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    runtime::Handle,
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use crate::harness::{GATEWAY, Reply, SIZE, Service, Upstream, refusal, tape_arn};

/// Long after everything that these tests wait for.
const LONG: Duration = Duration::from_secs(20);

/// An upstream that reads and never answers, and sees connections end.
struct UnresponsiveServer {
    endpoint: String,
    seen: watch::Receiver<Seen>,
    _serving: AbortOnDropHandle<()>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    open: usize,
    /// From its first byte to its end, how long each connection lived that has ended.
    lived: Vec<Duration>,
}

impl UnresponsiveServer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (tell, seen) = watch::channel(Seen::default());
        let tell = Arc::new(tell);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Self::read(stream, tell.clone()));
            }
        });
        Self {
            endpoint,
            seen,
            _serving: AbortOnDropHandle::new(serving),
        }
    }

    async fn read(mut stream: TcpStream, tell: Arc<watch::Sender<Seen>>) {
        let mut buffer = [0; 4096];
        if stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
            let asked = Instant::now();
            tell.send_modify(|seen| seen.open += 1);
            while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
            tell.send_modify(|seen| {
                seen.open -= 1;
                seen.lived.push(asked.elapsed());
            });
        }
    }

    async fn until(&self, is: impl FnMut(&Seen) -> bool) -> Seen {
        let mut seen = self.seen.clone();
        let seen = timeout(LONG, seen.wait_for(is)).await;
        seen.expect("it comes about").unwrap().clone()
    }
}

fn list(limit: i32) -> ListTapesRequest {
    ListTapesRequest {
        limit,
        ..Default::default()
    }
}

fn create(barcode: &str) -> CreateTapeWithBarcodeRequest {
    CreateTapeWithBarcodeRequest {
        gateway_arn: GATEWAY.into(),
        tape_size_in_bytes: SIZE,
        tape_barcode: barcode.into(),
        ..Default::default()
    }
}

/// Makes so many reads at once, and leaves them when all are on their way.
async fn leave(service: &Service, upstream: &UnresponsiveServer, calls: usize) {
    let ended = upstream.seen.borrow().lived.len();
    let reads = (1..).take(calls).map(|limit| {
        let mut client = service.client();
        async move { client.list_tapes(list(limit)).await.map(drop) }
    });
    tokio::select! {
        ended = join_all(reads) => panic!("nobody answered: {ended:?}"),
        _ = upstream.until(|seen| seen.open == calls) => {}
    }
    upstream
        .until(|seen| seen.open == 0 && seen.lived.len() == ended + calls)
        .await;
}

/// The bounds are far away: it is the caller's leaving that ends them.
#[tokio::test]
async fn cancelled_reads_leave_no_connection_and_no_task() {
    let upstream = UnresponsiveServer::start().await;
    let flags = [
        "--upstream-attempt-timeout=10m",
        "--upstream-operation-timeout=10m",
    ];
    let service = Service::at(&upstream.endpoint, &flags).await;
    let tasks = || Handle::current().metrics().num_alive_tasks();
    leave(&service, &upstream, 1).await;
    let before = tasks();
    leave(&service, &upstream, 50).await;
    let settled = async {
        while tasks() > before {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, settled)
        .await
        .unwrap_or_else(|_| panic!("{} tasks, {before} before", tasks()));
}

/// The bound of creates, which the SDK keeps, is far away.
#[tokio::test]
async fn a_read_that_timed_out_leaves_no_connection() {
    let upstream = UnresponsiveServer::start().await;
    let flags = [
        "--upstream-connect-timeout=100ms",
        "--upstream-attempt-timeout=300ms",
        "--upstream-create-timeout=10m",
        "--retry-attempts=2",
    ];
    let service = Service::at(&upstream.endpoint, &flags).await;
    let refused = refusal(&service.client().list_tapes(list(1)).await.unwrap_err());
    assert_eq!(refused.reason, "UPSTREAM_TIMEOUT");
    let seen = upstream
        .until(|seen| seen.open == 0 && seen.lived.len() == 2)
        .await;
    assert!(seen.lived.iter().all(|lived| *lived < LONG / 2), "{seen:?}");
}

/// The bound of reads is over long before.
#[tokio::test]
async fn a_cancelled_create_ends_at_its_own_timeout() {
    let upstream = UnresponsiveServer::start().await;
    let flags = [
        "--upstream-connect-timeout=50ms",
        "--upstream-attempt-timeout=50ms",
        "--upstream-create-timeout=1s",
    ];
    let service = Service::at(&upstream.endpoint, &flags).await;
    let mut client = service.client();
    tokio::select! {
        answer = client.create_tape_with_barcode(create("LEFT0001")) => panic!("nobody answered: {answer:?}"),
        _ = upstream.until(|seen| seen.open == 1) => {}
    }
    let seen = upstream.until(|seen| seen.open == 0).await;
    let [lived] = seen.lived[..] else {
        panic!("sent more than once: {seen:?}")
    };
    // From its first byte, which is a little after its turn.
    assert!(
        lived > Duration::from_millis(700) && lived < LONG / 2,
        "{lived:?}"
    );
    service.stop().await.unwrap();
}

/// An answer that takes longer than the bound of the other kind.
#[tokio::test]
async fn reads_and_creates_have_separate_attempt_timeouts() {
    let slow = || async {
        sleep(Duration::from_millis(600)).await;
        Reply::ok(&json!({ "TapeARN": tape_arn("SLOW0001"), "TapeInfos": [] }))
    };
    let upstream = Upstream::answering(move |_| slow()).await;
    let service = |read, create| {
        let flags = [
            "--upstream-connect-timeout=50ms".to_owned(),
            format!("--upstream-attempt-timeout={read}"),
            format!("--upstream-create-timeout={create}"),
            "--retry-attempts=1".to_owned(),
        ];
        let upstream = upstream.endpoint();
        async move { Service::at(&upstream, &flags.each_ref().map(String::as_str)).await }
    };
    let patient = service("100ms", "20s").await;
    patient
        .client()
        .create_tape_with_barcode(create("SLOW0001"))
        .await
        .unwrap();
    let refused = refusal(&patient.client().list_tapes(list(1)).await.unwrap_err());
    assert_eq!(refused.reason, "UPSTREAM_TIMEOUT");

    let patient = service("20s", "100ms").await;
    patient.client().list_tapes(list(1)).await.unwrap();
    let answer = patient
        .client()
        .create_tape_with_barcode(create("SLOW0002"))
        .await;
    assert_eq!(refusal(&answer.unwrap_err()).reason, "UPSTREAM_TIMEOUT");
}
