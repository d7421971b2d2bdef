use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout_at},
};

use crate::domain::{Deadline, Fault};

/// How calls are paced.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The least rate, in attempts a second; above 0. So often an upstream that gives no
    /// answer is probed.
    pub floor: f64,
    /// What a throttled attempt leaves of the rate, at most: above 0 and below 1.
    pub decrease: f64,
    /// By what share of itself the rate grows in a second that wants more.
    pub increase: f64,
    /// For how long nothing must be throttled before the pace is given up.
    pub forget: Duration,
    /// How many attempts in a row have to go without an answer for the upstream to count as
    /// unreachable; at least 1.
    pub silence: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            floor: 1.0,
            decrease: 0.9,
            increase: 0.02,
            forget: Duration::from_secs(60),
            silence: 5,
        }
    }
}

/// By what share of itself the rate grows in a second after an outage.
const RECOVERY: f64 = 1.0;

/// The rate that a recovery begins with, as a multiple of the floor.
const FIRST_STEP: f64 = 4.0;

/// For how long a recovery grows; by then it is far above any rate that AWS grants.
const RECOVERED: Duration = Duration::from_secs(10);

/// The rate at which attempts may begin, for one account, region and kind of call.
///
/// There is none until the upstream throttles. Then it falls by a share for each throttled
/// attempt that began since it last fell, towards what the upstream answered in the second
/// before, and grows steadily while calls wait. An upstream that gives no answer several
/// times in a row is throttled to the floor in one step: one call at a time finds out
/// whether it is back.
#[derive(Debug)]
pub(in crate::upstream) struct Pacer {
    settings: Settings,
    /// Held by the call whose turn is next; tokio gives it to those who wait in order.
    turn: tokio::sync::Mutex<()>,
    waiting: AtomicU32,
    state: Mutex<State>,
    /// Told when the rate may have risen.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    pace: Option<Pace>,
    begun: LastSecond,
    granted: LastSecond,
    silent: u32,
}

#[derive(Debug)]
struct Pace {
    /// Attempts a second.
    rate: f64,
    /// When the last one began.
    last: Instant,
    /// When the rate was last looked at for growth.
    grown: Instant,
    /// When it last fell: what began before says nothing new.
    fell: Instant,
    mode: Mode,
}

#[derive(Debug)]
enum Mode {
    Throttled,
    /// No answer comes; this was the last fault.
    Silent(Fault),
    Recovering,
}

/// An attempt that may begin, and when it did.
#[derive(Clone, Copy, Debug)]
pub(in crate::upstream) struct Turn {
    began: Instant,
}

/// What an attempt says of the upstream.
#[derive(Clone, Copy, Debug)]
pub(in crate::upstream) enum Sign<'a> {
    /// It answers.
    Answered,
    /// It answers that it is asked too much.
    Throttled,
    /// It gives no answer.
    Silent(&'a Fault),
}

/// Moments of the last second.
#[derive(Debug, Default)]
struct LastSecond(VecDeque<Instant>);

impl LastSecond {
    fn add(&mut self, now: Instant) {
        self.count(now);
        self.0.push_back(now);
    }

    fn count(&mut self, now: Instant) -> f64 {
        while self
            .0
            .front()
            .is_some_and(|at| now.duration_since(*at) > Duration::from_secs(1))
        {
            self.0.pop_front();
        }
        u32::try_from(self.0.len()).map_or(f64::MAX, f64::from)
    }
}

impl Pace {
    /// When the next attempt may begin.
    fn next(&self) -> Instant {
        self.last + Duration::from_secs_f64(1.0 / self.rate)
    }

    /// Grows by the time that calls have waited for it.
    fn grow(&mut self, now: Instant, settings: &Settings) {
        let share = match self.mode {
            Mode::Throttled => settings.increase,
            Mode::Recovering => RECOVERY,
            Mode::Silent(_) => 0.0,
        };
        let second = now.duration_since(self.grown).min(Duration::from_secs(1));
        self.rate += self.rate * share * second.as_secs_f64();
        self.grown = now;
    }

    fn is_over(&self, now: Instant, settings: &Settings) -> bool {
        let calm = now.duration_since(self.fell);
        match self.mode {
            Mode::Throttled => calm > settings.forget,
            Mode::Recovering => calm > RECOVERED,
            Mode::Silent(_) => false,
        }
    }
}

impl Pacer {
    pub(in crate::upstream) fn new(settings: Settings) -> Self {
        Self {
            settings,
            turn: tokio::sync::Mutex::default(),
            waiting: AtomicU32::new(0),
            state: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Waits until an attempt may begin; at once when there is no pace. `is_first` says
    /// whether it is the call's first one.
    ///
    /// # Errors
    ///
    /// [`Fault::Paced`] when the turn would come after the deadline. A call's first attempt
    /// does not wait for an upstream that gives no answer: it gets the last fault.
    pub(in crate::upstream) async fn turn(&self, is_first: bool, deadline: &Deadline) -> Result<Turn, Fault> {
        if let Some(turn) = self.at_once(is_first, deadline)? {
            return Ok(turn);
        }
        let _waiting = Waiting::new(&self.waiting);
        let paced = || Fault::Paced { wait: self.wait() };
        let held = timeout_at(deadline.moment(), self.turn.lock()).await;
        let _held = held.map_err(|_| paced())?;
        loop {
            let changed = self.changed.notified();
            let next = match self.try_begin() {
                Ok(turn) => return Ok(turn),
                Err(next) => next,
            };
            let last = deadline.moment();
            if next > last {
                return Err(paced());
            }
            tokio::select! {
                () = sleep_until(next) => {}
                () = changed => {}
            }
        }
    }

    /// What an attempt that began in this turn came to.
    pub(in crate::upstream) fn told(&self, turn: Turn, sign: Sign<'_>) {
        let now = Instant::now();
        let mut state = self.state();
        let state = &mut *state;
        match sign {
            Sign::Silent(fault) => {
                state.silent = state.silent.saturating_add(1);
                if state.silent >= self.settings.silence {
                    let rate = self.settings.floor;
                    let last = state.pace.as_ref().map_or(turn.began, |pace| pace.last);
                    state.pace = Some(Pace {
                        rate,
                        last,
                        grown: now,
                        fell: now,
                        mode: Mode::Silent(fault.clone()),
                    });
                }
                return;
            }
            Sign::Answered => state.granted.add(now),
            Sign::Throttled => {}
        }
        state.silent = 0;
        if let Some(pace) = &mut state.pace
            && matches!(pace.mode, Mode::Silent(_))
        {
            pace.rate = self.settings.floor * FIRST_STEP;
            pace.mode = Mode::Recovering;
            (pace.grown, pace.fell) = (now, now);
            self.changed.notify_waiters();
        }
        if let Sign::Throttled = sign {
            self.fall(state, turn, now);
        }
    }

    fn fall(&self, state: &mut State, turn: Turn, now: Instant) {
        let (rate, last) = match &state.pace {
            Some(pace) if turn.began <= pace.fell => return,
            Some(pace) => (pace.rate, pace.last),
            None => (state.begun.count(now).max(1.0), now),
        };
        let granted = state.granted.count(now);
        let most = rate * self.settings.decrease;
        let rate = granted
            .clamp((rate / 2.0).min(most), most)
            .max(self.settings.floor);
        state.pace = Some(Pace {
            rate,
            last,
            grown: now,
            fell: now,
            mode: Mode::Throttled,
        });
    }

    /// The turn of a call that need not wait.
    fn at_once(&self, is_first: bool, deadline: &Deadline) -> Result<Option<Turn>, Fault> {
        let now = Instant::now();
        let mut state = self.state();
        if state
            .pace
            .as_ref()
            .is_some_and(|pace| pace.is_over(now, &self.settings))
        {
            state.pace = None;
        }
        let Some(pace) = &mut state.pace else {
            state.begun.add(now);
            return Ok(Some(Turn { began: now }));
        };
        let is_free = pace.next() <= now && self.waiting.load(Ordering::SeqCst) == 0;
        if is_free {
            (pace.last, pace.grown) = (now, now);
            return Ok(Some(Turn { began: now }));
        }
        if is_first && let Mode::Silent(fault) = &pace.mode {
            return Err(fault.clone());
        }
        drop(state);
        let wait = self.wait();
        if wait > deadline.left() {
            return Err(Fault::Paced { wait });
        }
        Ok(None)
    }

    /// Begins if it is time, or says when it will be.
    fn try_begin(&self) -> Result<Turn, Instant> {
        let now = Instant::now();
        let mut state = self.state();
        if let Some(pace) = &mut state.pace {
            pace.grow(now, &self.settings);
            if pace.next() > now {
                return Err(pace.next());
            }
            pace.last = now;
        }
        Ok(Turn { began: now })
    }

    /// How long a call that came now would wait for its turn.
    pub(in crate::upstream) fn wait(&self) -> Duration {
        let state = self.state();
        let Some(pace) = &state.pace else {
            return Duration::ZERO;
        };
        let before = f64::from(self.waiting.load(Ordering::SeqCst)) / pace.rate;
        let next = pace.next().saturating_duration_since(Instant::now());
        next + Duration::try_from_secs_f64(before).unwrap_or(Duration::MAX / 2)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a call as waiting while it does.
struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
