//! The tapes that each account starts with, the same in every run, so that documentation can show
//! them. The first tapes show every status, pool and optional member; the rest fill the library up
//! to 130 tapes, and then the archive.

use std::{sync::Arc, time::Duration};

use super::{
    arn::gateway_arn,
    barcode::Barcode,
    gateway::Gateway,
    pool::{CustomPool, Pool, RetentionLock, StorageClass},
    store::{AccountRegion, Region, Store},
    tape::{Progress, Status, Tape},
    timestamp::Timestamp,
};
use crate::settings::{Account, Settings, partition};

const GATEWAY: &str = "sgw-12A3456B";
const CUSTOM_POOL: &str = "pool-12345678";
/// The number of tapes in the library, if there are enough.
const LIBRARY: usize = 130;

/// The lock of the custom pool: ten years, so that all its tapes are locked.
const RETENTION: Duration = Duration::from_secs(3650 * 86_400);

const GIB: i64 = 1 << 30;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// The creation of the first tape: 2023-01-01T00:00:00.125Z. Each further tape is a minute later.
const FIRST: i64 = 1_672_531_200_125;
/// 2014-07-01, when AWS did not record the usage of tapes yet.
const BEFORE_USAGE: i64 = 1_404_172_800_000;

/// The store of a new emulator.
pub(crate) fn store(settings: &Settings) -> Store {
    let mut store = Store::default();
    for account in settings.all_accounts() {
        let at = AccountRegion::new(&account.id, &account.region);
        let region = region(&at, &account, settings);
        store.add(at, region);
    }
    store
}

fn region(at: &AccountRegion, account: &Account, settings: &Settings) -> Region {
    let mut region = Region::new(&settings.life);
    let names = Names::new(at);
    region.put_gateway(Gateway::tape(Arc::clone(&names.gateway)));
    region.add_pool(&names.pool);
    let special = special(&names);
    let mut library = special.iter().filter(|tape| tape.gateway.is_some()).count();
    let filling = (special.len() as i64..).map(|n| {
        let in_library = library < LIBRARY;
        library += usize::from(in_library);
        let pool = names.pool(n);
        if in_library {
            names.available(n, pool)
        } else {
            names.archived(n, pool)
        }
    });
    let count = account.seed_tapes.unwrap_or(settings.seed_tapes);
    for (tape, n) in special.into_iter().chain(filling).zip(1..=count) {
        let barcode = Barcode::new(&format!("TST{n:06}")).expect("three letters and digits are a barcode");
        region.insert(barcode, tape);
    }
    region
}

/// The names that the tapes share.
struct Names {
    gateway: Arc<str>,
    pool: Arc<CustomPool>,
    drive: Arc<str>,
    key: Arc<str>,
}

impl Names {
    fn new(at: &AccountRegion) -> Self {
        let AccountRegion { account, region } = at;
        let partition = partition(region);
        let gateway = gateway_arn(at, GATEWAY);
        Self {
            drive: Gateway::tape(gateway.as_str()).drive(1),
            gateway: gateway.into(),
            pool: Arc::new(CustomPool {
                id: CUSTOM_POOL.to_owned(),
                name: "Retained".to_owned(),
                class: StorageClass::Glacier,
                lock: RetentionLock::Governance(RETENTION),
            }),
            key: format!("arn:{partition}:kms:{region}:{account}:key/1234abcd-12ab-34cd-56ef-1234567890ab")
                .into(),
        }
    }

    fn custom(&self) -> Pool {
        Pool::Custom(Arc::clone(&self.pool))
    }

    /// The three pools in turn.
    fn pool(&self, n: i64) -> Pool {
        match n % 3 {
            0 => Pool::Glacier,
            1 => Pool::DeepArchive,
            _ => self.custom(),
        }
    }

    /// An empty tape in the library.
    fn available(&self, n: i64, pool: Pool) -> Tape {
        Tape {
            size: (100 + n % 5 * 500) * GIB,
            used: Some(0),
            created: Timestamp::from_millis(FIRST + n * 60_000),
            status: Status::Available,
            until: None,
            gateway: Some(Arc::clone(&self.gateway)),
            device: None,
            progress: None,
            completed: None,
            retrieved_to: None,
            kms_key: None,
            pool,
            worm: false,
            retention_start: None,
            pool_entry: None,
            forgotten: false,
        }
    }

    /// A written tape in the archive. In the custom pool it is WORM and under retention.
    fn archived(&self, n: i64, pool: Pool) -> Tape {
        let tape = self.available(n, pool);
        let completed = Timestamp::from_millis(FIRST + n * 60_000 + DAY + 250);
        let custom = matches!(tape.pool, Pool::Custom(_));
        Tape {
            used: Some(tape.size - n % 90 * GIB - n % 1000),
            status: Status::Archived,
            gateway: None,
            completed: Some(completed),
            worm: custom,
            retention_start: custom.then_some(completed),
            pool_entry: custom.then_some(completed),
            ..tape
        }
    }
}

/// A tape for each status and each optional member.
fn special(names: &Names) -> Vec<Tape> {
    use Pool::{DeepArchive, Glacier};
    let gateway = || Some(Arc::clone(&names.gateway));
    let key = || Some(Arc::clone(&names.key));
    let in_library = |n, status, pool| Tape {
        status,
        ..names.available(n, pool)
    };
    let on_its_way = |n, status, pool, progress| {
        let tape = in_library(n, status, pool);
        Tape {
            used: Some(tape.size / 2),
            progress: Some(Progress::Still(progress)),
            ..tape
        }
    };
    vec![
        in_library(0, Status::Available, Glacier),
        Tape {
            kms_key: key(),
            ..in_library(1, Status::Available, DeepArchive)
        },
        Tape {
            worm: true,
            used: Some(42 * GIB + 1),
            device: Some(Arc::clone(&names.drive)),
            ..in_library(2, Status::Available, names.custom())
        },
        in_library(3, Status::Creating, Glacier),
        on_its_way(4, Status::InTransitToVts, Glacier, 12.5),
        on_its_way(5, Status::Archiving, DeepArchive, 87.25),
        Tape {
            gateway: gateway(),
            retrieved_to: gateway(),
            status: Status::Retrieved,
            ..names.archived(6, Glacier)
        },
        in_library(7, Status::Recovering, Glacier),
        in_library(8, Status::Recovered, DeepArchive),
        in_library(9, Status::Irrecoverable, Glacier),
        in_library(10, Status::Deleting, Glacier),
        in_library(11, Status::Deleted, Glacier),
        Tape {
            created: Timestamp::from_millis(BEFORE_USAGE),
            used: None,
            ..names.archived(12, Glacier)
        },
        Tape {
            kms_key: key(),
            ..names.archived(13, DeepArchive)
        },
        names.archived(14, names.custom()),
        Tape {
            retrieved_to: gateway(),
            status: Status::Retrieving,
            ..names.archived(15, DeepArchive)
        },
        Tape {
            status: Status::Deleted,
            ..names.archived(16, Glacier)
        },
    ]
}
