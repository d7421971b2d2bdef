use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::PaceSettings;
use crate::domain::Fault;

/// What an attempt says of the upstream.
#[derive(Clone, Copy, Debug)]
pub(in crate::upstream) enum Signal<'a> {
    /// It answers.
    Answered,
    /// It answers that it is asked too much.
    Throttled,
    /// It gives no answer.
    Unresponsive(&'a Fault),
    /// It gave none before somebody stopped waiting. That says something only where it was silent
    /// before: the time may have been too short.
    Cut,
}

/// The rate at which attempts may begin, as it follows from how earlier ones ended.
///
/// **Throttling.** There is no rate until an attempt is throttled: then it is what began in
/// the second before, and falls. A fall takes a tenth, or as much as half where the upstream
/// granted that much less in the last second; an attempt that began before the last fall
/// makes no other. While calls wait the rate grows by the same step each second, 2 % of what
/// it fell to: AWS publishes no limits, and a step that is little for 200 a second is too much
/// for 2. Until the limit is known the rate doubles each second instead, and after [`STEADY`]
/// without a fall the step grows, so that a limit which was raised a hundredfold is found
/// within a minute.
///
/// **Outage.** Several attempts in a row that bring no answer set the rate to the floor. The
/// first answer after that begins a recovery: the rate grows quickly, from a few a second,
/// and is given up after [`RECOVERED`].
///
/// Knows neither clock nor lock: both are the [`Pacer`](super::Pacer)'s.
#[derive(Debug)]
pub(super) struct Rate {
    settings: PaceSettings,
    pace: Option<Pace>,
    /// Attempts that began while there was no pace.
    begun: LastSecond,
    granted: LastSecond,
    /// How many attempts in a row brought no answer.
    silent: u32,
    /// When the last answer came.
    heard: Option<Instant>,
}

#[derive(Debug)]
struct Pace {
    /// Attempts a second.
    per_second: f64,
    /// When the last one began, or should have.
    last: Instant,
    /// Up to when the growth is reckoned.
    grown: Instant,
    /// When it last fell: what began before says nothing new.
    fell: Instant,
    /// What it fell to.
    fell_to: f64,
    mode: Mode,
}

#[derive(Debug)]
enum Mode {
    /// Throttled for the first time then, and what a whole second grants is not yet known.
    Seeking(Instant),
    Throttled,
    /// No answer comes since then; this was the last fault.
    Unresponsive(Fault, Instant),
    Recovering,
}

/// How the rate grows while calls wait.
#[derive(Clone, Copy, Debug)]
enum Growth {
    /// By so much a second.
    Step(f64),
    /// By itself a second: nothing is known of the limit, when throttling is new and after an
    /// outage.
    Quick,
}

/// How long after a fall the rate grows steadily; a rate that is right falls about so often.
const STEADY: Duration = Duration::from_secs(10);

/// The rate that a recovery begins with, as a multiple of the floor.
const FIRST_STEP: f64 = 4.0;

/// For how long a recovery grows; by then it is far above any rate that AWS grants.
const RECOVERED: Duration = Duration::from_secs(10);

/// What a turn that came late, as timers and threads do, gives back to those that wait
/// behind it.
const CATCH_UP: Duration = Duration::from_millis(50);

/// How late one whose turn it is may take it before others do.
pub(super) const GRACE: Duration = Duration::from_millis(100);

const SECOND: Duration = Duration::from_secs(1);

impl Rate {
    pub(super) fn new(settings: PaceSettings) -> Self {
        Self {
            settings,
            pace: None,
            begun: LastSecond::default(),
            granted: LastSecond::default(),
            silent: 0,
            heard: None,
        }
    }

    /// Attempts a second; `None` where there is no pace.
    pub(super) fn per_second(&self) -> Option<f64> {
        self.pace.as_ref().map(|pace| pace.per_second)
    }

    /// Why the upstream counts as unreachable, while it does.
    pub(super) fn outage(&self) -> Option<&Fault> {
        match &self.pace.as_ref()?.mode {
            Mode::Unresponsive(fault, _) => Some(fault),
            Mode::Seeking(_) | Mode::Throttled | Mode::Recovering => None,
        }
    }

    /// Since when no answer comes, by attempts that ended within [`PaceSettings::forget`]: without any,
    /// nothing is known. Credentials that are refused are an answer.
    pub(super) fn silent_since(&self, now: Instant) -> Option<Instant> {
        let pace = self.pace.as_ref().filter(|pace| self.is_recent(pace, now))?;
        match &pace.mode {
            Mode::Unresponsive(fault, since) if fault.is_no_answer() => Some(*since),
            _ => None,
        }
    }

    /// Whether the upstream throttles, by attempts that ended within [`PaceSettings::forget`].
    pub(super) fn is_throttled(&self, now: Instant) -> bool {
        let pace = self.pace.as_ref().filter(|pace| self.is_recent(pace, now));
        pace.is_some_and(|pace| matches!(pace.mode, Mode::Seeking(_) | Mode::Throttled))
    }

    /// When the last answer came.
    pub(super) fn heard(&self) -> Option<Instant> {
        self.heard
    }

    fn is_recent(&self, pace: &Pace, now: Instant) -> bool {
        now.saturating_duration_since(pace.fell) <= self.settings.forget
    }

    /// How long until an attempt may begin that has so many ahead of it.
    pub(super) fn wait(&self, ahead: usize, now: Instant) -> Duration {
        let Some(pace) = &self.pace else {
            return Duration::ZERO;
        };
        let ahead = u32::try_from(ahead).map_or(f64::MAX, f64::from);
        let rate = pace.per_second;
        let seconds = match pace.growth(now, &self.settings) {
            Growth::Step(step) => 2.0 * ahead / (rate + (2.0 * step).mul_add(ahead, rate * rate).sqrt()),
            Growth::Quick => (ahead / rate).ln_1p(),
        };
        let behind_them = Duration::try_from_secs_f64(seconds).unwrap_or(FAR);
        pace.next().saturating_duration_since(now) + behind_them
    }

    /// Whether an attempt should have begun a while ago.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        let pace = self.pace.as_ref();
        pace.is_some_and(|pace| now.saturating_duration_since(pace.next()) >= GRACE)
    }

    /// An attempt begins. `waited` says whether it has waited for its turn, and others may
    /// still.
    pub(super) fn begin(&mut self, waited: bool, now: Instant) {
        match &mut self.pace {
            None => self.begun.add(now),
            Some(pace) if waited => {
                let latest = now.checked_sub(CATCH_UP).unwrap_or(now);
                pace.last = pace.next().clamp(latest, now);
            }
            Some(pace) => (pace.last, pace.grown) = (now, now),
        }
    }

    /// Grows by the time for which calls have waited.
    pub(super) fn grow(&mut self, now: Instant) {
        if let Some(pace) = &mut self.pace {
            let seconds = now.saturating_duration_since(pace.grown).min(SECOND);
            let a_second = match pace.growth(now, &self.settings) {
                Growth::Step(step) => step,
                Growth::Quick => pace.per_second,
            };
            pace.per_second += a_second * seconds.as_secs_f64();
            pace.grown = now;
        }
    }

    /// Gives the pace up, if it has served its time.
    pub(super) fn forget(&mut self, now: Instant) {
        let is_over = |pace: &Pace| {
            let calm = now.saturating_duration_since(pace.fell);
            match pace.mode {
                Mode::Seeking(_) | Mode::Throttled => calm > self.settings.forget,
                Mode::Recovering => calm > RECOVERED,
                Mode::Unresponsive(..) => false,
            }
        };
        if self.pace.as_ref().is_some_and(is_over) {
            self.pace = None;
        }
    }

    /// What an attempt came to that began then. Says whether those who wait have to reckon
    /// anew.
    pub(super) fn told(&mut self, began: Instant, signal: Signal<'_>, now: Instant) -> bool {
        match signal {
            Signal::Unresponsive(fault) => return self.silence(began, fault, now),
            Signal::Cut => {
                if let Some(fault) = self.outage().cloned() {
                    self.silence(began, &fault, now);
                }
                return false;
            }
            Signal::Answered => self.granted.add(now),
            Signal::Throttled => {}
        }
        self.silent = 0;
        self.heard = Some(now);
        let recovers = self.outage().is_some();
        if let Some(pace) = self.pace.as_mut().filter(|_| recovers) {
            pace.per_second = self.settings.floor * FIRST_STEP;
            pace.mode = Mode::Recovering;
            (pace.grown, pace.fell, pace.fell_to) = (now, now, pace.per_second);
        }
        let falls = matches!(signal, Signal::Throttled) && self.fall(began, now);
        recovers || falls
    }

    fn silence(&mut self, began: Instant, fault: &Fault, now: Instant) -> bool {
        // It was under way when an answer came: all that hung in an outage end after it.
        if self.heard.is_some_and(|heard| began < heard) {
            return false;
        }
        self.silent = self.silent.saturating_add(1);
        if self.silent < self.settings.silence {
            return false;
        }
        let since = match self.pace.as_ref().map(|pace| &pace.mode) {
            Some(Mode::Unresponsive(_, since)) => Some(*since),
            _ => None,
        };
        self.pace = Some(Pace {
            per_second: self.settings.floor,
            last: self.pace.as_ref().map_or(began, |pace| pace.last),
            grown: now,
            fell: now,
            fell_to: self.settings.floor,
            mode: Mode::Unresponsive(fault.clone(), since.unwrap_or(now)),
        });
        since.is_none()
    }

    fn fall(&mut self, began: Instant, now: Instant) -> bool {
        let (rate, last) = match &self.pace {
            Some(pace) if began <= pace.fell => return false,
            Some(pace) => (pace.per_second, pace.last),
            None => (self.begun.count(now).max(1.0), now),
        };
        let mode = match &self.pace {
            Some(pace) => pace.mode_after_fall(now),
            None => Mode::Seeking(now),
        };
        let most = rate * self.settings.decrease;
        // A rate that has just been found by growing is far above what a second granted.
        let is_found = self.pace.as_ref().is_some_and(|pace| pace.grew_quickly(now));
        let granted = match is_found {
            true => most,
            false => self.granted.count(now).clamp(most.min(rate / 2.0), most),
        };
        let fell_to = granted.max(self.settings.floor);
        self.pace = Some(Pace {
            per_second: fell_to,
            last,
            grown: now,
            fell: now,
            fell_to,
            mode,
        });
        true
    }
}

/// Longer than any call waits.
const FAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl Pace {
    /// When the next attempt may begin.
    fn next(&self) -> Instant {
        self.last + Duration::try_from_secs_f64(1.0 / self.per_second).map_or(FAR, |gap| gap.min(FAR))
    }

    fn grew_quickly(&self, now: Instant) -> bool {
        matches!(self.mode, Mode::Seeking(_) | Mode::Recovering)
            && now.saturating_duration_since(self.fell) > SECOND
    }

    fn mode_after_fall(&self, now: Instant) -> Mode {
        match self.mode {
            Mode::Throttled => Mode::Throttled,
            Mode::Seeking(since) if now.saturating_duration_since(since) > SECOND => Mode::Throttled,
            Mode::Seeking(since) => Mode::Seeking(since),
            Mode::Unresponsive(..) | Mode::Recovering => Mode::Seeking(now),
        }
    }

    fn growth(&self, now: Instant, settings: &PaceSettings) -> Growth {
        match self.mode {
            Mode::Throttled => {
                let calm = now.saturating_duration_since(self.fell);
                let hurry = calm.div_duration_f64(STEADY).max(1.0).powi(4);
                Growth::Step(self.fell_to * settings.increase * hurry)
            }
            Mode::Seeking(_) | Mode::Recovering => Growth::Quick,
            Mode::Unresponsive(..) => Growth::Step(0.0),
        }
    }
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
            .is_some_and(|at| now.saturating_duration_since(*at) > SECOND)
        {
            self.0.pop_front();
        }
        u32::try_from(self.0.len()).map_or(f64::MAX, f64::from)
    }
}
