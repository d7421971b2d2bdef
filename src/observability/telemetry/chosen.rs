//! Which lines are logged, as it can be changed while the process runs.

use std::{
    fmt,
    sync::{Mutex, OnceLock, PoisonError},
};

use tracing_subscriber::{EnvFilter, reload};

use super::Directives;

/// The audit's target. Its records are no matter of how much is logged.
const AUDIT: &str = "tapegate::audit";

/// The target of what is said of changes.
pub const CHANGES: &str = "tapegate::log";

/// Which lines this process logs.
#[derive(Debug)]
pub struct Chosen {
    configured: Directives,
    now: Mutex<Directives>,
    filters: Vec<Handle>,
}

/// Changes the filter of one layer, whatever that stands on.
struct Handle(Box<dyn Fn(EnvFilter) + Send + Sync>);

static CHOSEN: OnceLock<Chosen> = OnceLock::new();

/// Which lines this process logs; `None` where its log is not this service's own.
pub fn chosen() -> Option<&'static Chosen> {
    CHOSEN.get()
}

impl Chosen {
    pub(super) fn new(configured: Directives) -> Self {
        Self {
            now: Mutex::new(configured.clone()),
            configured,
            filters: Vec::new(),
        }
    }

    /// A filter for one more layer.
    pub(super) fn filter<S: 'static>(&mut self) -> reload::Layer<EnvFilter, S> {
        let (filter, handle) = reload::Layer::new(filter(&self.configured));
        self.filters.push(Handle(Box::new(move |filter| {
            // It fails where the layer is gone, and with it all that is logged there.
            let _ = handle.reload(filter);
        })));
        filter
    }

    /// For the rest of the process.
    pub(super) fn hold(self) {
        // Only the first log of a process is its log.
        let _ = CHOSEN.set(self);
    }

    /// The directives that hold now.
    pub fn now(&self) -> Directives {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Those of the configuration.
    pub fn configured(&self) -> &Directives {
        &self.configured
    }

    /// From now on these hold.
    pub fn change(&self, directives: Directives) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        for Handle(change) in &self.filters {
            change(filter(&directives));
        }
        *now = directives;
    }
}

/// Whether directives say how much of the audit is logged.
pub fn name_the_audit(directives: &Directives) -> bool {
    directives.as_str().split(',').any(|directive| {
        directive
            .split(['=', '['])
            .next()
            .is_some_and(|name| name.trim() == AUDIT)
    })
}

/// What the operator asks for. Records are silenced by their own name alone, and that what is
/// logged was changed is always said.
fn filter(directives: &Directives) -> EnvFilter {
    let always = |target: &str| format!("{target}=info").parse().expect("this is a directive");
    let filter = EnvFilter::new(directives.as_str()).add_directive(always(CHANGES));
    match name_the_audit(directives) {
        true => filter,
        false => filter.add_directive(always(AUDIT)),
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle")
    }
}
