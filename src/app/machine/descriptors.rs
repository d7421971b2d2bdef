//! The limit of open files, of which each connection needs one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::app::settings::Config;

/// How many descriptors are kept for all that is no connection of these three kinds: listeners, files,
/// the log, event queues, and connections to collectors, issuers of tokens and STS.
const RESERVE: u64 = 64;

/// The least number of connections of each kind, unless a setting allows fewer.
const LEAST: usize = 4;

/// The maximum numbers of open connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Connections {
    /// `max_connections`.
    grpc: usize,
    /// `upstream.max_connections`.
    upstream: usize,
    /// `admin_max_connections`.
    admin: usize,
}

impl Connections {
    /// Those of the settings.
    pub(super) fn of(config: &Config) -> Self {
        Self {
            grpc: config.server.places.max_connections,
            upstream: config.upstream.max_connections,
            admin: config.admin.max_connections,
        }
    }

    /// Makes them those of the settings.
    pub(super) fn apply(self, config: &mut Config) {
        config.server.places.max_connections = self.grpc;
        config.upstream.max_connections = self.upstream;
        config.admin.max_connections = self.admin;
    }

    /// How many descriptors the process needs with them.
    pub(super) fn descriptors(self) -> u64 {
        self.sockets() + RESERVE
    }

    /// A tenth of the gRPC connections can be leaving while others have their places.
    fn sockets(self) -> u64 {
        let all = self.grpc + self.grpc.div_ceil(10) + self.upstream + self.admin;
        u64::try_from(all).unwrap_or(u64::MAX)
    }

    /// The same numbers, reduced in proportion to fit a limit of open files; `None` if they fit.
    pub(super) fn within(self, limit: u64) -> Option<Self> {
        if self.descriptors() <= limit {
            return None;
        }
        let room = u128::from(limit.saturating_sub(RESERVE));
        let reduced = |number: usize| {
            let share = number as u128 * room / u128::from(self.sockets());
            usize::try_from(share).unwrap_or(number).max(LEAST.min(number))
        };
        Some(Self {
            grpc: reduced(self.grpc),
            upstream: reduced(self.upstream),
            admin: reduced(self.admin),
        })
    }

    /// What an operator should change if a limit of open files allows only `fitting` connections.
    pub(super) fn advice(self, limit: u64, fitting: Self) -> String {
        format!(
            "max_connections: the settings need {needed} open files ({grpc} gRPC connections and a tenth more that are \
             leaving, {upstream} to AWS (upstream.max_connections), {admin} of the admin listener \
             (admin_max_connections), {RESERVE} for everything else), and the limit of this process is {limit}, so the \
             service uses at most {} gRPC, {} upstream and {} admin connections; raise the limit to {needed} (ulimit -n, \
             LimitNOFILE), or lower these settings",
            fitting.grpc,
            fitting.upstream,
            fitting.admin,
            needed = self.descriptors(),
            grpc = self.grpc,
            upstream = self.upstream,
            admin = self.admin,
        )
    }
}

/// Raises the limit of open files as far as `needed` and the hard limit allows. Returns the limit;
/// `None` if there is none.
///
/// It is raised no further, because programs that this one starts inherit it, and some of them do work
/// for each possible descriptor.
pub(super) fn raise_limit(needed: u64) -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let current = current?;
    let wanted = maximum.map_or(needed, |maximum| maximum.min(needed));
    let raised = Rlimit {
        current: Some(wanted),
        maximum,
    };
    if wanted > current && setrlimit(Resource::Nofile, raised).is_ok() {
        return Some(wanted);
    }
    Some(current)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULTS: Connections = Connections {
        grpc: 2000,
        upstream: 1000,
        admin: 128,
    };

    #[test]
    fn connections_are_reduced_in_proportion_and_fit_then() {
        assert_eq!(DEFAULTS.descriptors(), 2200 + 1000 + 128 + 64);
        assert_eq!(DEFAULTS.within(DEFAULTS.descriptors()), None);
        for limit in [200, 256, 1024, DEFAULTS.descriptors() - 1] {
            let fitting = DEFAULTS.within(limit).expect("it does not fit");
            assert!(fitting.descriptors() <= limit + 1, "{limit}: {fitting:?}");
            assert!(fitting.grpc > fitting.upstream && fitting.upstream > fitting.admin);
        }
        // No limit is so small that a kind of connection has none.
        let least = DEFAULTS.within(10).expect("it does not fit");
        assert_eq!([least.grpc, least.upstream, least.admin], [LEAST; 3]);
        let few = Connections { admin: 1, ..DEFAULTS };
        assert_eq!(few.within(10).map(|least| least.admin), Some(1));
    }
}
