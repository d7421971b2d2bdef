//! Metrics of the process and its runtime. Those of the process are read from `/proc/self`, so they
//! exist on Linux only.

use std::{fs, time::Instant};

use tokio::runtime::{Handle, RuntimeMetrics};

use super::{Metrics, approximate, catalog};

/// Registers the metrics of the process and its runtime.
pub(super) fn observe(metrics: &Metrics) {
    let began = Instant::now();
    metrics.gauge(&catalog::PROCESS_UPTIME, move || began.elapsed().as_secs_f64());
    metrics.sums(&catalog::PROCESS_CPU_TIME, |observe| {
        if let Some([user, system]) = cpu_seconds() {
            observe(user, &[("cpu.mode", "user")]);
            observe(system, &[("cpu.mode", "system")]);
        }
    });
    metrics.gauges(&catalog::PROCESS_MEMORY, |observe| {
        if let Some(bytes) = resident_bytes() {
            observe(bytes, &[]);
        }
    });
    metrics.gauges(&catalog::PROCESS_OPEN_FILES, |observe| {
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            observe(approximate(open.count()), &[]);
        }
    });
    metrics.gauges(&catalog::PROCESS_MAX_FILES, |observe| {
        if let Some(most) = max_files() {
            observe(most, &[]);
        }
    });
    if let Ok(runtime) = Handle::try_current() {
        observe_runtime(metrics, &runtime.metrics());
    }
}

fn observe_runtime(metrics: &Metrics, runtime: &RuntimeMetrics) {
    let gauge = |definition, read: fn(&RuntimeMetrics) -> usize| {
        let runtime = runtime.clone();
        metrics.gauge(definition, move || approximate(read(&runtime)));
    };
    gauge(&catalog::TOKIO_WORKERS, RuntimeMetrics::num_workers);
    gauge(&catalog::TOKIO_TASKS, RuntimeMetrics::num_alive_tasks);
    gauge(&catalog::TOKIO_QUEUE, RuntimeMetrics::global_queue_depth);
    let runtime = runtime.clone();
    metrics.sums(&catalog::TOKIO_BUSY, move |observe| {
        let workers = 0..runtime.num_workers();
        let busy = workers.map(|worker| runtime.worker_total_busy_duration(worker).as_secs_f64());
        observe(busy.sum(), &[]);
    });
}

/// Clock ticks per second (`USER_HZ`), which is 100 on every platform of Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Reads `status`, which has KiB, not `statm`, which has pages of a size that varies.
fn resident_bytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0)
}

fn cpu_seconds() -> Option<[f64; 2]> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the name, which can contain spaces and brackets; the third follows it.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<_> = fields.split_whitespace().collect();
    let seconds = |index: usize| Some(fields.get(index)?.parse::<f64>().ok()? / TICKS_PER_SECOND);
    Some([seconds(11)?, seconds(12)?])
}

fn max_files() -> Option<f64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}
