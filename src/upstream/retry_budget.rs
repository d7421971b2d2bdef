//! Retry budgets: how many retries the calls may make that share one.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How many retries calls may make together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryBudgetSettings {
    /// How many calls earn one retry: 5 is a budget of 20 % of all calls.
    pub calls_per_retry: u16,
    /// Retries per second in addition to those that calls earn.
    pub reserve: u32,
}

impl Default for RetryBudgetSettings {
    fn default() -> Self {
        Self {
            calls_per_retry: 5,
            reserve: 10,
        }
    }
}

/// A retry budget: how many retries the calls together may make that share it.
///
/// In a window of 10 s, that is one retry for every `calls_per_retry` calls, plus the reserve of
/// 10 s. tower's own budget does not show how much of it is left.
#[derive(Debug)]
pub(super) struct Budget {
    calls_per_retry: usize,
    /// Retries of one window that need not be earned.
    reserve: usize,
    window: Mutex<Window>,
}

/// The number of slots of the window, each as long as [`SLOT`].
const SLOTS: usize = 10;

const SLOT: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Window {
    began: Instant,
    /// The number of slots since then, the current one included.
    passed: u64,
    slots: [Slot; SLOTS],
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    calls: usize,
    retries: usize,
}

impl Budget {
    pub(super) fn new(settings: &RetryBudgetSettings) -> Self {
        Self {
            calls_per_retry: usize::from(settings.calls_per_retry),
            reserve: usize::try_from(settings.reserve)
                .unwrap_or(usize::MAX)
                .saturating_mul(SLOTS),
            window: Mutex::new(Window {
                began: Instant::now(),
                passed: 1,
                slots: [Slot::default(); SLOTS],
            }),
        }
    }

    /// Adds a call, which earns its share of a retry.
    pub(super) fn earn(&self) {
        self.window().now().calls += 1;
    }

    /// Takes a retry, if one is left.
    pub(super) fn spend(&self) -> bool {
        let mut window = self.window();
        let has_one = self.left_in(&mut window) > 0;
        if has_one {
            window.now().retries += 1;
        }
        has_one
    }

    /// The number of retries that are left.
    pub(super) fn left(&self) -> usize {
        self.left_in(&mut self.window())
    }

    /// Whether no call and no retry of the window is counted.
    pub(super) fn is_unused(&self) -> bool {
        let mut window = self.window();
        window.now();
        window
            .slots
            .iter()
            .all(|slot| slot.calls == 0 && slot.retries == 0)
    }

    fn left_in(&self, window: &mut Window) -> usize {
        window.now();
        let sum = |of: fn(&Slot) -> usize| window.slots.iter().map(of).sum::<usize>();
        let earned = sum(|slot| slot.calls) / self.calls_per_retry;
        self.reserve
            .saturating_add(earned)
            .saturating_sub(sum(|slot| slot.retries))
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    /// The current slot. Slots that are older than the window are cleared.
    fn now(&mut self) -> &mut Slot {
        let passed = self.began.elapsed().as_secs() / SLOT.as_secs() + 1;
        let is_new = (self.passed..passed).take(SLOTS);
        is_new.for_each(|number| self.slots[index(number)] = Slot::default());
        self.passed = self.passed.max(passed);
        &mut self.slots[index(self.passed - 1)]
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number % SLOTS as u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn budget(calls_per_retry: u16, reserve: u32) -> Budget {
        Budget::new(&RetryBudgetSettings {
            calls_per_retry,
            reserve,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn calls_earn_retries_for_ten_seconds() {
        let budget = budget(5, 0);
        assert!(!budget.spend());
        (0..14).for_each(|_| budget.earn());
        assert_eq!(budget.left(), 2);
        assert!(budget.spend());
        advance(9 * SLOT).await;
        assert_eq!(budget.left(), 1);
        advance(SLOT).await;
        assert_eq!(budget.left(), 0);
        assert!(!budget.spend());
    }

    #[tokio::test(start_paused = true)]
    async fn the_reserve_is_restored_after_ten_seconds() {
        let budget = budget(5, 2);
        assert_eq!((0..100).filter(|_| budget.spend()).count(), 20);
        advance(9 * SLOT).await;
        assert_eq!(budget.left(), 0);
        advance(SLOT).await;
        assert_eq!(budget.left(), 20);
        budget.earn();
        advance(1_000 * SLOT).await;
        assert_eq!(budget.left(), 20);
    }
}
