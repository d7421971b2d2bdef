use std::{net::SocketAddr, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{
    runtime::Handle,
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    access::Access,
    commands::Checked,
    credentials::AwsCredentials,
    drain::{Cut, InProgress},
    expiry,
    http_server::Bound,
    metrics::MetricSources,
    network::Network,
    service_manager,
    settings::{IgnoredVariable, ShutdownSettings},
    shutdown::Shutdown,
    startup::{CannotStart, listen},
};
use crate::{
    access::audit::AuditLog,
    call::Room,
    grpc::{
        connection::{accept, listener::Listener},
        convert::Rules,
        health::Health,
        inbound,
        server::GrpcServer,
        service::Tapes,
    },
    observability::{
        account_names::AccountNames,
        admin::{self, AdminState, ServiceInfo, UpstreamState, history::History},
        calls::CallRegistry,
        metrics::{Metrics, catalog},
        readiness::Readiness,
        telemetry,
    },
    upstream::{
        Shared, Upstream,
        metrics::UpstreamMetrics,
        sdk::{AccountSettings, Clients, Sdk, queue_responses},
    },
};

/// How often the conditions of AWS are reported to readiness.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// How many large responses each worker thread may have ready.
const RESPONSES_PER_WORKER: usize = 1;

/// The service, bound and not yet running.
pub(super) struct Service<L> {
    pub(super) grpc_address: SocketAddr,
    pub(super) admin: Bound,
    grpc: L,
    acceptance: accept::AcceptSettings,
    connections: Arc<accept::ConnectionMetrics>,
    metrics: Arc<Metrics>,
    history: Arc<History>,
    server: GrpcServer,
    pressure: Arc<inbound::Pressure>,
    watching: CancellationToken,
    readiness: Readiness,
    access: Access,
    credentials: AwsCredentials,
    in_progress: InProgress,
    shared: Shared,
    reload_interval: Duration,
    shutdown: ShutdownSettings,
    /// The endpoint that is called, and where it comes from.
    upstream: String,
}

impl<L: Listener> Service<L> {
    /// Binds the listeners of a service with these settings.
    pub(super) async fn bind(
        network: &impl Network<Listener = L>,
        checked: Checked,
    ) -> Result<Self, CannotStart> {
        let Checked {
            config,
            document,
            endpoint_origin,
            ignored,
            advice,
        } = checked;
        let upstream_shown = match (&config.sdk.endpoint, endpoint_origin) {
            (None, _) => "AWS".to_owned(),
            (Some(endpoint), None) => endpoint.clone(),
            (Some(endpoint), Some(origin)) => format!("{endpoint} ({origin})"),
        };
        for IgnoredVariable { name, instead } in ignored {
            tracing::warn!(variable = name, instead, "a variable has no effect");
        }
        for warning in advice {
            tracing::warn!(warning, "a setting should be changed");
        }
        let mut access = Access::open(&config)?;
        for expiring in access.expiries().within(config.server.expiry_warning) {
            expiry::warn(&expiring);
        }
        let (grpc, grpc_address) =
            listen("listen", config.server.listen, |address| network.bind(address)).await?;
        let rules = config.rules;
        let scopes = rules.scopes();
        let readiness = Readiness::new(scopes.clone(), config.readiness);
        let names = account_names(&rules, &config.sdk.accounts);
        let metrics = Metrics::new(telemetry::resource(), telemetry::metrics(&config.otlp)?);
        let metrics = Arc::new(metrics);

        let regions = rules.regions.iter().cloned();
        let http_client = network
            .http_client(&config.sdk)
            .map_err(|fault| CannotStart::Files(vec![fault]))?;
        let processors = Room::new(RESPONSES_PER_WORKER * Handle::current().metrics().num_workers());
        let http_client = queue_responses(http_client, processors.clone());
        let clients = Arc::new(Clients::new(&config.sdk, http_client, &rules.region, regions).await);
        access.watch(clients.files());
        let pause = config.sdk.credentials_pause;
        let credentials = AwsCredentials::new(clients.clone(), readiness.clone(), &scopes, pause);
        credentials.obtain_at_start().await;
        let shared = Shared::new(
            config.upstream,
            access.authority.clone(),
            access.limits.clone(),
            readiness.clone(),
            Arc::new(UpstreamMetrics::new(
                metrics.histogram(&catalog::ATTEMPT_DURATION),
                names.clone(),
            )),
        );
        let upstream = Upstream::new(&shared, &Sdk::new(clients.clone()));
        let tapes = Tapes::new(rules.clone(), config.reconcile, upstream);
        let watching = CancellationToken::new();
        let health = Health::new(readiness.clone(), watching.clone());
        let in_progress = InProgress {
            sent_creates: shared.sent_creates.clone(),
            cut_creates: shared.cut_creates.clone(),
            ..InProgress::default()
        };
        let registry = Arc::<CallRegistry>::default();
        let (shed, refusals) = (Arc::default(), Arc::default());
        let history = Arc::<History>::default();
        let admin_state = AdminState {
            readiness: readiness.clone(),
            metrics: metrics.clone(),
            history: history.clone(),
            calls: registry.clone(),
            upstream: upstream_state(shared.clone(), credentials.clone()),
            lost_audit_records: {
                let audit = access.audit.clone();
                Arc::new(move || audit.lost())
            },
            names: names.clone(),
            service: Arc::new(ServiceInfo {
                started: Timestamp::now(),
                grpc: grpc_address,
                endpoint: config.sdk.endpoint,
                scopes,
                settings: document,
            }),
        };
        let server = config.server;
        let pages = (admin::router(admin_state, config.admin.access), config.admin);
        let admin = listen("admin_listen", server.admin_listen, |address| {
            network.bind_admin(address)
        });
        let admin = Bound::new(admin.await?, pages);
        let connections = Arc::new(accept::ConnectionMetrics::new(
            server.places,
            server.grpc.connection.max_unread_bytes,
        ));
        let pressure = Arc::new(inbound::Pressure::new(
            server.max_scheduling_delay,
            processors,
            shared.rooms(),
        ));
        let sources = MetricSources {
            pressure: pressure.clone(),
            shared: shared.clone(),
            credentials: credentials.clone(),
            names: names.clone(),
            readiness: readiness.clone(),
            connections: connections.clone(),
            shed: Arc::clone(&shed),
            refusals: Arc::clone(&refusals),
            identities: access.auth.identities.clone(),
            remotes: access.remotes(),
            authority: access.authority.clone(),
            limits: access.limits.clone(),
            audit: access.audit.clone(),
            files: access.files(),
            expiries: access.expiries(),
        };
        sources.register(&metrics);
        let inbound = inbound::InboundSettings {
            calls: in_progress.calls.clone(),
            registry,
            deadlines: config.deadlines,
            max_concurrent_calls: server.max_concurrent_calls,
            max_arriving_bytes: server.max_arriving_bytes,
            pressure: pressure.clone(),
            auth: access.auth.clone(),
            limits: access.limits.clone(),
            audit: access.audit.clone(),
            log_ok_percent: config.log.ok_percent,
            metrics: inbound::CallMetrics::exported_by(&metrics, names.clone()),
            trusted_proxies: server.trusted_proxies,
            origins: Arc::new(server.allowed_origins),
            shed,
            refusals,
            cut: in_progress.cut.clone(),
        };
        let grpc_server = GrpcServer::new(&server.grpc, inbound, tapes, health);
        let acceptance = accept::AcceptSettings {
            tls: access.tls.clone(),
            handshake_timeout: server.handshake_timeout,
            close: in_progress.close.clone(),
        };
        Ok(Self {
            grpc_address,
            admin,
            grpc,
            acceptance,
            connections,
            metrics,
            history,
            server: grpc_server,
            pressure,
            watching,
            readiness,
            access,
            credentials,
            in_progress,
            shared,
            reload_interval: server.reload_interval,
            shutdown: config.shutdown,
            upstream: upstream_shown,
        })
    }

    /// Runs until it is asked to stop, and then drains.
    pub(super) async fn run(self, shutdown: Shutdown) -> Result<(), Cut> {
        tracing::info!(
            version = env!("BUILD_VERSION"),
            grpc = %self.grpc_address,
            admin = %self.admin.address,
            upstream = self.upstream,
            worker_threads = Handle::current().metrics().num_workers(),
            "the service has started"
        );
        // First, so that readiness knows what is missing before anybody asks.
        let _upkeep = self.access.keep_up_to_date(self.reload_interval, &self.readiness);
        let admin = self.admin.start();
        let limits = self.access.limits.clone();
        let _store = AbortOnDropHandle::new(tokio::spawn(async move { limits.try_store().await }));
        let _credentials = AbortOnDropHandle::new(tokio::spawn(self.credentials.keep()));
        let _conditions = AbortOnDropHandle::new(tokio::spawn(report_conditions(
            self.shared.clone(),
            self.readiness.clone(),
        )));
        let pressure = self.pressure;
        let _pressure = AbortOnDropHandle::new(tokio::spawn(async move { pressure.measure().await }));
        let audit = self.access.audit.clone();
        let _rejections =
            AbortOnDropHandle::new(tokio::spawn(async move { audit.sum_up_rejections().await }));
        let (history, metrics) = (self.history, self.metrics.clone());
        let _history = AbortOnDropHandle::new(tokio::spawn(async move { history.record(&metrics).await }));
        let stop_grpc = CancellationToken::new();
        let serving = self
            .server
            .serve(self.grpc, self.acceptance, self.connections, stop_grpc.clone());
        tokio::pin!(serving);
        let asked_to_stop = async {
            shutdown.begin.cancelled().await;
            service_manager::stopping();
            // Load balancers get time to react before the listener closes. Until then, new connections
            // and calls are served as before.
            self.readiness.start_draining();
            let delay = sleep(self.shutdown.delay);
            shutdown.hasten.run_until_cancelled(delay).await;
        };
        let _watchdog = service_manager::feed_watchdog();
        service_manager::ready();
        tokio::select! {
            // Without an end, until it is told to stop.
            () = &mut serving => {}
            () = asked_to_stop => {}
        }
        stop_grpc.cancel();
        // Ends the health watches, whose streams have no end of their own.
        self.watching.cancel();
        let drained = self
            .in_progress
            .drain(serving, self.shutdown.drain_timeout, &shutdown.hasten);
        let drained = drained.await;
        finish(self.access.audit, self.metrics).await;
        let ended = drained.and(admin.end().await.map_err(Cut::from));
        tracing::info!("the service has stopped");
        ended
    }
}

/// The names of the accounts that are served: their aliases, or their IDs.
fn account_names(rules: &Rules, accounts: &[AccountSettings]) -> AccountNames {
    let by_id = rules.accounts.keys().map(|id| (id.clone(), id.to_string()));
    let by_alias = accounts
        .iter()
        .map(|account| (account.id.clone(), account.label().to_owned()));
    AccountNames::new(by_id.chain(by_alias))
}

/// Reads what the admin page shows of the upstream stack.
fn upstream_state(
    shared: Shared,
    credentials: AwsCredentials,
) -> Arc<dyn Fn() -> UpstreamState + Send + Sync> {
    Arc::new(move || UpstreamState {
        paces: shared.paces(),
        retry_budgets: shared.retry_budgets(),
        credentials_obtained: credentials.obtained_by_account(),
    })
}

/// Writes the last audit records, and exports the last metrics.
async fn finish(audit: Arc<AuditLog>, metrics: Arc<Metrics>) {
    // Writing to a disk may block.
    if tokio::task::spawn_blocking(move || audit.finish()).await.is_err() {
        tracing::error!("finishing the audit file panicked");
    }
    telemetry::flush("metrics", move || metrics.shut_down()).await;
}

/// Reports the conditions of AWS to readiness, as recent calls found them. It sends AWS no calls.
async fn report_conditions(shared: Shared, readiness: Readiness) {
    let mut ticks = interval(REPORT_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        readiness.set_conditions(shared.conditions());
    }
}
